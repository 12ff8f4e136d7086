"""The sentences of a report, computed from its content: numbers with units and intervals, in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gapless.evidence.result import Elsewhere, Interval, Power, Recall, Side
from gapless.metrics import ACCURACY, METRICS
from gapless.report.content import Content
from gapless.report.figures import Figures, count, duration, one_line, rate


@dataclass(frozen=True)
class Headline:
    """The verdict: a few big words, the evidence behind them, and what to do."""

    title: str
    evidence: str
    scores: str
    advice: str


def headline(content: Content, f: Figures) -> Headline:
    result = content.result
    gain = result.gain
    if content.plain_won:
        return Headline(
            "No detectable gain",
            "No recipe ranked above the plain model in the search, so there was no gain to measure.",
            f"The plain model {_scores(f, result.plain.confirm.mean, content)}.",
            "Keep the plain model.",
        )
    interval = f"95{f.space}% interval {f.span(gain)}"
    where = f"{count(result.task.confirm, content.rows_are)} kept aside until the end"
    title, evidence, advice = {
        "improved": (
            f"Improved by {f.change(gain.mean)}",
            f"{interval}, measured once on {where}.",
            "Use the recipe below.",
        ),
        "no detectable gain": (
            "No detectable gain",
            f"The best recipe changes the score by {f.change(gain.mean)}, {interval}: zero lies inside. "
            f"Measured once on {where}.",
            "Keep the plain model.",
        ),
        "worse": (
            f"Worse by {f.size(abs(gain.mean))}",
            f"The change is {f.change(gain.mean)}, {interval}, measured once on {where}.",
            "Keep the plain model. What looked best in the search did not hold on new data.",
        ),
    }[result.verdict]
    return Headline(title, evidence, compare(content, f), advice)


def length(content: Content) -> str:
    """What stands before any verdict: that the models were trained for less than this model needs. Empty where they
    were not."""
    training = content.result.training
    if training.length is None or training.length.enough is None:
        return ""
    found, minutes = training.length, math.ceil(training.length.enough)
    if found.settled:
        why = f"the plain model needs {count(found.epochs, 'epochs')}"
    else:
        why = f"the plain model was still improving at {count(found.epochs, 'epochs')}"
    return (
        f"Short trainings: {count(training.epochs, 'epochs')} for recipes, and {why}. With --minutes {minutes} this "
        "could say more."
    )


def needed_length(content: Content) -> str:
    """How the length of trainings was found, in a sentence; empty where the user chose it."""
    found = content.result.training.length
    if found is None:
        return ""
    tried = ", ".join(f"{loss:.3f} after {epochs:,}" for epochs, _, loss in found.steps)
    ends = "twice as many gained no more than chance" if found.settled else "there was no time to look further"
    return (
        f"The plain model was trained longer and longer, its loss on {content.rows_are} held back was {tried} epochs: "
        f"{count(found.epochs, 'epochs')} is what it needs, as {ends}. Recipes were trained for "
        f"{count(content.result.training.epochs, 'epochs')}."
    )


def quick(content: Content, f: Figures) -> str:
    """What quick models get on the same rows, and whether they are as good as the network; empty without any."""
    result = content.result
    scored = [(q.name, q.score) for q in result.quick if q.score is not None]
    if not scored:
        return ""
    handed = result.best if result.verdict == "improved" else result.plain
    told = f"Quick models on the same rows: {', '.join(f'{name} {f.score(score)}' for name, score in scored)}."
    name, score = max(scored, key=lambda row: row[1])
    if score < handed.confirm.mean:
        return told
    if name == result.quick[0].name:
        return f"{told} The network has not learned more than that: train it longer, or choose another --model."
    return f"{told} The network gets {f.score(handed.confirm.mean)}: no better than {name}, which takes seconds."


RARE = 4
"""Times the rows of the rarest class that the commonest has, from which classes are told to be out of balance."""


def imbalance(content: Content, f: Figures) -> list[str]:
    """What both models find of a rare class, and whether they know more than which class is the commonest; empty where
    classes are in balance."""
    found, rows = content.result.recalls, content.rows_are
    if len(found) < 2 or found[0].rows < RARE * found[-1].rows:
        return []
    most, least, total = found[0], found[-1], sum(r.rows for r in found)
    per_cent = Figures(ACCURACY.name, 1, f.minus, f.space)
    lines: list[str] = []
    if all(sum(side * r.rows for r, side in sides) <= most.rows + 1e-6 for sides in _sides_of(content)):
        who = "The plain model is" if content.plain_won else "Both models are"
        lines.append(
            f"{who} no better than always answering '{one_line(most.name, 40)}', the commonest class "
            f"({per_cent.score(most.rows / total)} of new {rows})."
        )
    plain = f"the plain model finds {per_cent.score(least.plain.mean)} ({per_cent.span(least.plain)})"
    best = f", the best recipe {per_cent.score(least.best.mean)} ({per_cent.span(least.best)})"
    which = f"'{one_line(least.name, 40)}' ({count(least.rows, rows)})"
    return [*lines, f"Of the rarest class, {which}: {plain}{'' if content.plain_won else best}."]


def _sides_of(content: Content) -> list[list[tuple[Recall, float]]]:
    """Each class with the share of it that the plain model finds, and with that of the best recipe."""
    found = content.result.recalls
    return [[(r, r.plain.mean) for r in found], [(r, r.best.mean) for r in found]]


def compare(content: Content, f: Figures) -> str:
    """Both models' scores on new rows, in one sentence."""
    plain, best = content.result.plain.confirm.mean, content.result.best.confirm.mean
    return f"The best recipe {_scores(f, best, content)}; the plain model {_scores(f, plain, content, short=True)}."


def right(f: Figures) -> bool:
    """Whether a score is the share of rows that are right."""
    return f.metric == ACCURACY.name


def _scores(f: Figures, value: float, content: Content, short: bool = False) -> str:
    if right(f):
        return f"gets {f.score(value)}" + ("" if short else f" of new {content.rows_are} right")
    return f"reaches {f.score(value)}" + ("" if short else f" in {f.metric} on new {content.rows_are}")


def gap(content: Content, f: Figures) -> list[str]:
    """How far each model falls from the rows it was trained on to new rows, and where the difference comes from."""
    plain, best = content.result.plain, content.result.best
    lines = [_fall("The plain model", plain, f, content)]
    if content.plain_won:
        return lines
    lines.append(_fall("The best recipe", best, f, content))
    closed, change = plain.gap.mean - best.gap.mean, content.result.closed
    share = round(100 * closed / plain.gap.mean) if closed > 0 and plain.gap.low > 0 else 0
    if 0 < share <= 100:
        closes = f"That closes {share}{f.space}% of the gap"
    else:
        closes = f"The gap {'shrinks' if closed > 0 else 'grows'} by {f.size(abs(closed))}"
    lines.append(
        f"{closes}{_closed(change, f)}: the score on new {content.rows_are} "
        f"{_moved(best.confirm.mean - plain.confirm.mean, f)}, "
        f"on the training {content.rows_are} it {_moved(best.train.mean - plain.train.mean, f)}."
    )
    if closed > 0 and content.result.verdict != "improved":
        lines.append(f"A smaller gap alone is no gain: what counts is the score on new {content.rows_are}.")
    return lines


def _closed(change: Interval | None, f: Figures) -> str:
    if change is None:
        return ""
    if change.mean < 0:
        return f" (larger by {f.span(Interval(-change.mean, -change.high, -change.low))}, 95{f.space}% interval)"
    return f" (smaller by {f.span(change)}, 95{f.space}% interval)"


def _moved(change: float, f: Figures) -> str:
    if f.bare(change) == f.bare(0.0):
        return "stayed as it was"
    return f"{'rose' if (change > 0) != f.error else 'fell'} by {f.size(abs(change))}"


def _fall(who: str, side: Side, f: Figures, content: Content) -> str:
    return (
        f"{who}: {f.score(side.train.mean)} on the {content.rows_are} it was trained on, "
        f"{f.score(side.confirm.mean)} on new ones, a gap of {f.size(side.gap.mean)} ({f.span(side.gap)})."
    )


def elsewhere(content: Content, f: Figures) -> list[str]:
    """What both models score on further test data; a drop there comes from other data, not from the gap."""
    rows = content.rows_are
    return [_elsewhere(one, content, f, rows) for one in content.result.elsewhere]


def _elsewhere(one: Elsewhere, content: Content, f: Figures, rows: str) -> str:
    name = one_line(one.name, 60)
    plain = f"{f.score(one.plain.score.mean)} for the plain model, {_away(one.plain.drop, f, rows)}"
    if content.plain_won:
        return f"Drop on {name} ({count(one.rows, rows)}): {plain}."
    best = f"{f.score(one.best.score.mean)} for the best recipe, {_away(one.best.drop, f, rows)}"
    zero = "" if one.gain.low > 0 or one.gain.high < 0 else ", may be nothing"
    return (
        f"Drop on {name} ({count(one.rows, rows)}): {plain}; {best}. There the recipe changes the score by "
        f"{f.change(one.gain.mean)} ({f.span(one.gain)}{zero})."
    )


def _away(drop: Interval, f: Figures, rows: str) -> str:
    side = "below" if (drop.mean >= 0) != f.error else "above"
    shown = drop if drop.mean >= 0 else Interval(-drop.mean, -drop.high, -drop.low)
    return f"{f.size(shown.mean)} ({f.span(shown)}) {side} what it gets on new {rows} of the source"


def other_rows(content: Content, f: Figures) -> str:
    """What the gain may be for models trained on other rows, as the second half of a sentence; empty if not known."""
    other = content.result.other_rows
    return f" ({f.span(other)} for another {content.result.task.train:,} of this kind)" if other else ""


def failed_seeds(content: Content) -> str:
    """The seeds that are missing because one side could not be trained with them."""
    sides = (("the plain model", content.result.plain.failed), ("the recipe", content.result.best.failed))
    lost = [f"{number:,} failed for {who}" for who, number in sides if number]
    return f" ({', '.join(lost)}, left out on both sides)" if lost else ""


def level(content: Content) -> str:
    """What the interval of the gain is called."""
    return f"{100 * content.result.reading.level:.3g} % interval"


def reading(content: Content) -> str:
    """That verdicts were read on these rows before, or that this one could not be counted; empty where neither is."""
    found = content.result.reading
    said = f" It is verdict number {found.number} on these rows, so the interval is wider." if found.number > 1 else ""
    return said + (f" (Later runs will not know of it: {found.unkept}.)" if found.unkept else "")


def power(found: Power, confirm: int, metric: str) -> str:
    """What the rows of the verdict can show."""
    percent = METRICS[metric].share
    size = f"{100 * found.smallest:.2g} points" if percent else f"{found.smallest:.2g} in {metric}"
    worth = f" (worth {found.rows:,.0f} single ones)" if found.rows < 0.95 * confirm else ""
    return f"With {count(confirm, 'rows')} for the verdict{worth} only gains above about {size} can be shown."


def unit(content: Content) -> str:
    """What the rows of the verdict are where they were not drawn one by one."""
    groups, time = content.result.task.groups, content.result.task.time
    said = f" They are the latest rows by {time!r}." if time else ""
    if groups is None:
        return said
    return (
        f"{said} Rows with the same {groups.by} stay on one side of every split, and are the unit of the intervals: "
        f"{count(groups.develop, 'groups')} for development, {groups.confirm:,} for the verdict."
    )


def about_rows(content: Content) -> str:
    """All of it, to stand behind a sentence."""
    result = content.result
    able = f" {power(result.power, result.task.confirm, result.metric.name)}" if result.power else ""
    return f"{reading(content)}{unit(content)}{able}"


def optimism(content: Content, f: Figures) -> str:
    """What the search would have boasted of, beside what held."""
    result = content.result
    boast, held = result.best.confirm.mean + result.selection_optimism, result.best.confirm.mean
    if not math.isfinite(boast):
        return ""
    tried = result.trials.finished + result.trials.stopped
    ranked = result.ranked
    own = "" if ranked is None or not math.isfinite(ranked) else f"The winner itself scored {f.score(ranked)} there. "
    best = f"The best training of the search scored {f.score(boast)} on {content.rows_are} that ranked the recipes"
    if result.selection_optimism <= 0:
        return (
            f"{best}, no more than the {f.score(held)} of the winner on new ones: choosing among {tried:,} trainings "
            f"did not flatter here. {own}"
        ).strip()
    fell = "worse" if f.error else "less"
    return (
        f"{best}, the winner gets {f.score(held)} on new ones: {f.size(result.selection_optimism)} {fell}. {own}"
        f"That is what picking the best of {tried:,} trainings on {count(result.task.select, content.rows_are)} does, "
        "and why the first number is not the result."
    )


def protocol(content: Content, f: Figures) -> list[str]:
    """How the verdict was reached, a step a sentence."""
    result, rows = content.result, content.rows_are
    task, seeds = result.task, len(result.best.confirm.seeds)
    parts = f", over {task.select_parts} different splits" if task.select_parts > 1 else ""
    steps = [
        f"{count(task.train, rows)} were for development. {count(task.confirm, rows)} were put aside first and opened "
        f"once, at the end.{about_rows(content)}",
        f"{_tried(content)}. Each was ranked on {count(task.select, rows)} it was not trained on{parts}. "
        f"{_luck(content)}"
        f"The plain model's learning rate was searched as well, those of the best recipes included; it is "
        f"{rate(result.plain.lr)}.",
    ]
    if content.plain_won:
        return [*steps, "The plain model ranked first, so nothing was left to compare it with."]
    return [
        *steps,
        "The winner was named before the verdict's rows were opened, so they saw one comparison and no choice.",
        f"The plain model and the winner were then trained from scratch on all development {rows}, with the same "
        f"{count(seeds, 'seeds')}, and compared pair by pair: the same seed, the same {rows}.",
        f"The interval covers both kinds of chance, the {count(seeds, 'seeds')} and the {count(task.confirm, rows)}: "
        "a two-way analysis of variance of the paired differences, with Satterthwaite's degrees of freedom.",
        "Improved means that the whole interval lies above zero; worse, below; otherwise there is no detectable gain.",
        f"The verdict holds for models trained on these {rows}. Others of the same kind could give another gain"
        + (
            f": {f.span(result.other_rows)}, from the finals' splits, whose overlap is corrected for (Nadeau and "
            "Bengio 2003)."
            if result.other_rows
            else ", and the interval does not cover that."
        ),
    ]


def _luck(content: Content) -> str:
    """Shares of right answers are ranked less what is chance in them; other scores are what the loss is made of."""
    if not content.result.task.classes:
        return ""
    return "What the losses of these trainings show to be luck in their scores did not count there. "


def _tried(content: Content) -> str:
    trials = content.result.trials
    total = trials.finished + trials.stopped + trials.failed
    ends = [f"{trials.finished:,} ran to the end"]
    if trials.stopped:
        ends.append(f"{trials.stopped:,} stopped early because others were ahead")
    if trials.failed:
        ends.append(f"{trials.failed:,} failed")
    return f"{count(total, 'trainings')} were started: " + ", ".join(ends)


def about(content: Content) -> list[tuple[str, str]]:
    """The run's particulars, a name and a value each."""
    result = content.result
    task, training = result.task, result.training
    sizes = f"{count(task.train, content.rows_are)} for development, {task.confirm:,} for the verdict"
    if task.groups is not None:
        both = task.groups.develop + task.groups.confirm
        sizes += f"; {count(both, 'groups')} by {task.groups.by!r}, the unit of the interval"
    shape = " x ".join(str(n) for n in task.shape)
    kind = (f"{task.kind}, {shape}" if shape else task.kind) + (
        f", {count(task.classes, 'classes')}" if task.classes else ", regression"
    )
    epochs = f"{count(training.epochs, 'epochs')}, batches of {training.batch_size:,}, {training.optimizer}"
    return [
        ("Data", f"{task.name} ({kind})"),
        ("Sizes", sizes),
        ("Model", f"{result.model.name}, {count(result.model.parameters, 'parameters')}"),
        ("Training", f"{epochs}, on {training.device}"),
        *([("Length", needed)] if (needed := needed_length(content)) else []),
        ("Learning rate", f"plain {rate(result.plain.lr)}, best {rate(result.best.lr)}"),
        ("Time taken", duration(result.seconds)),
        ("Seed", str(result.seed)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items()))),
    ]


# ── what each chart shows, in a sentence, for those who do not see it ──


def gain_chart(content: Content, f: Figures) -> str:
    gain = content.result.gain
    zero = "inside" if gain.low <= 0 <= gain.high else "outside"
    told = f"{level(content)} {f.span(gain)}"
    return f"Change against the plain model: {f.change(gain.mean)}, {told}; zero lies {zero}."


def curve_chart(content: Content, f: Figures, label: str) -> str:
    curve = next(c for c in content.curves if c.label == label)
    return (
        f"Learning curves of the {label} model: at epoch {curve.epochs[-1]} it scores {f.score(curve.train[-1])} on "
        f"the {content.rows_are} it was trained on and {f.score(curve.select[-1])} on {content.rows_are} held back."
    )


def trial_chart(content: Content, f: Figures) -> str:
    scores = [t.score for t in content.trials if t.score is not None and math.isfinite(t.score)]
    return (
        f"Scores of {count(len(scores), 'trials')} on the {content.rows_are} that rank recipes, from "
        f"{f.score(min(scores))} to {f.score(max(scores))}, in the order of the search."
    )
