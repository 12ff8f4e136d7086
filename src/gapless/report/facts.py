"""The sentences of a report, computed from its content: numbers with units and intervals, in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gapless.report.content import PILLAR_WORDS, Content, shares
from gapless.report.figures import Figures, count, duration, one_line, rate
from gapless.search.result import Elsewhere, Interval, Side


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


def compare(content: Content, f: Figures) -> str:
    """Both models' scores on new rows, in one sentence."""
    plain, best = content.result.plain.confirm.mean, content.result.best.confirm.mean
    return f"The best recipe {_scores(f, best, content)}; the plain model {_scores(f, plain, content, short=True)}."


def _scores(f: Figures, value: float, content: Content, short: bool = False) -> str:
    if f.percent:
        return f"gets {f.score(value)}" + ("" if short else f" of new {content.rows_are} right")
    return f"reaches {f.score(value)}" + ("" if short else f" in r2 on new {content.rows_are}")


def gap(content: Content, f: Figures) -> list[str]:
    """How far each model falls from the rows it was trained on to new rows, and where the difference comes from."""
    plain, best = content.result.plain, content.result.best
    lines = [_fall("The plain model", plain, f, content)]
    if content.plain_won:
        return lines
    lines.append(_fall("The best recipe", best, f, content))
    closed = plain.gap.mean - best.gap.mean
    share = round(100 * closed / plain.gap.mean) if closed > 0 and plain.gap.low > 0 else 0
    if 0 < share <= 100:
        closes = f"That closes {share}{f.space}% of the gap"
    else:
        closes = f"The gap {'shrinks' if closed > 0 else 'grows'} by {f.size(abs(closed))}"
    lines.append(
        f"{closes}: the score on new {content.rows_are} {_moved(best.confirm.mean - plain.confirm.mean, f)}, "
        f"on the training {content.rows_are} it {_moved(best.train.mean - plain.train.mean, f)}."
    )
    if closed > 0 and content.result.verdict != "improved":
        lines.append(f"A smaller gap alone is no gain: what counts is the score on new {content.rows_are}.")
    return lines


def _moved(change: float, f: Figures) -> str:
    if f.bare(change) == f.bare(0.0):
        return "stayed as it was"
    return f"{'rose' if change > 0 else 'fell'} by {f.size(abs(change))}"


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
    side = "below" if drop.mean >= 0 else "above"
    shown = drop if drop.mean >= 0 else Interval(-drop.mean, -drop.high, -drop.low)
    return f"{f.size(shown.mean)} ({f.span(shown)}) {side} what it gets on new {rows} of the source"


def pillars(content: Content, f: Figures) -> list[str]:
    """How the parts of the best recipe add up; one sentence for each thing worth knowing."""
    found = shares(content)
    if content.plain_won:
        return ["The plain model uses none of the four pillars."]
    if not found:
        return ["No pillar was switched off on its own: the recipe was only measured as a whole."]
    lines: list[str] = []
    measured = [s.gave for s in found if s.gave is not None]
    if len(measured) == len(found) > 1:
        total, gain = sum(g.mean for g in measured), content.result.gain.mean
        meaning = (
            "what one does, another can partly do" if total < gain else "each does more beside the others than alone"
        )
        lines.append(
            f"Taken out one at a time they cost {f.size(total)} in sum; the whole recipe gives {f.change(gain)}. "
            f"Read it as a hint, for the intervals are wide: {meaning}."
        )
    if off := [w for name, w in PILLAR_WORDS.items() if name not in {s.name for s in found}]:
        lines.append(f"Off in the best recipe: {', '.join(off)}.")
    return lines


def optimism(content: Content, f: Figures) -> str:
    """What the search would have boasted of, beside what held."""
    result = content.result
    boast, held = result.best.confirm.mean + result.selection_optimism, result.best.confirm.mean
    if not math.isfinite(boast):
        return ""
    tried = result.trials.finished + result.trials.stopped
    if result.selection_optimism <= 0:
        return (
            f"On the {content.rows_are} that ranked the recipes the winner scored {f.score(boast)}, no more than the "
            f"{f.score(held)} on new ones: choosing among {tried:,} trainings did not flatter it here."
        )
    return (
        f"On the {content.rows_are} that ranked the recipes the winner scored {f.score(boast)}, on new ones "
        f"{f.score(held)}: {f.size(result.selection_optimism)} too good. That is what picking the best of {tried:,} "
        f"trainings on {count(result.task.select, content.rows_are)} does, and why the first number is not the result."
    )


def protocol(content: Content, f: Figures) -> list[str]:
    """How the verdict was reached, a step a sentence."""
    result, rows = content.result, content.rows_are
    task, seeds = result.task, len(result.best.confirm.seeds)
    parts = f", over {task.select_parts} different splits" if task.select_parts > 1 else ""
    steps = [
        f"{count(task.train, rows)} were for development. {count(task.confirm, rows)} were put aside first and opened "
        "once, at the end.",
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
        f"The verdict holds for this training set. Other {rows} of the same kind could give another gain, and the "
        "interval does not cover that.",
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
        ("Learning rate", f"plain {rate(result.plain.lr)}, best {rate(result.best.lr)}"),
        ("Time taken", duration(result.seconds)),
        ("Seed", str(result.seed)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items()))),
    ]


# ── what each chart shows, in a sentence, for those who do not see it ──


def gain_chart(content: Content, f: Figures) -> str:
    gain = content.result.gain
    zero = "inside" if gain.low <= 0 <= gain.high else "outside"
    return f"Change against the plain model: {f.change(gain.mean)}, 95 % interval {f.span(gain)}; zero lies {zero}."


def pillar_chart(content: Content, f: Figures) -> str:
    parts = [f"{s.words} {f.change(s.gave.mean)}, {f.span(s.gave)}" for s in shares(content) if s.gave]
    return f"What each pillar gave, with 95 % intervals: {'; '.join(parts)}."


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
