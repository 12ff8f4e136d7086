"""The terminal's words: the verdict in five lines, and what to do next. Plain strings, safe to print as they are.

Print them without markup: names of data and models may hold square brackets.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from gapless.report import facts, parts
from gapless.report.content import Content
from gapless.report.figures import Figures, count, one_line, visible
from gapless.report.handover.next_steps import steps


def verdict(content: Content) -> list[str]:
    """Five lines: what was found, the gap before and after, the gain and its proof, the pillars, the recipe.

    Before all of them stands that trainings were too short, where they were; before the recipe a line for each set of
    further test data.
    """
    f = Figures.of(content.result)
    short = facts.length(content)
    lines = [
        *([short] if short else []),
        _found(content, f),
        _gap(content, f),
        _gain(content, f),
        parts.line(content, f),
    ]
    quick = facts.quick(content, f)
    lines += [*facts.imbalance(content, f), *facts.elsewhere(content, f), *([quick] if quick else []), _recipe(content)]
    return [one_line(line) for line in lines]


def _found(content: Content, f: Figures) -> str:
    result = content.result
    plain, best = f.score(result.plain.confirm.mean), f.score(result.best.confirm.mean)
    name, what = (
        one_line(result.task.name, 60),
        "of new " + content.rows_are + " right" if facts.right(f) else f"in {f.metric}",
    )
    if content.plain_won:
        return f"No detectable gain on {name}: no recipe ranked above the plain model, which gets {plain} {what}."
    return {
        "improved": f"Improved on {name}: the best recipe gets {best} {what}, the plain model {plain}.",
        "no detectable gain": f"No detectable gain on {name}: the best recipe gets {best} {what}, "
        f"the plain model {plain}; the difference may be chance.",
        "worse": f"Worse on {name}: what looked best in the search gets {best} {what}, the plain model {plain}.",
    }[result.verdict]


def _gap(content: Content, f: Figures) -> str:
    plain, best = content.result.plain, content.result.best
    before = f"{f.size(plain.gap.mean)} (95 % interval {f.span(plain.gap)})"
    if content.plain_won:
        return f"Gap between training {content.rows_are} and new ones: {before}."
    after = f"{f.size(best.gap.mean)} ({f.span(best.gap)})"
    return f"Gap between training {content.rows_are} and new ones: before {before}, after {after}."


def _gain(content: Content, f: Figures) -> str:
    result, rows = content.result, content.rows_are
    if content.plain_won:
        kept = count(result.task.confirm, rows)
        return f"Gain: none to measure; the plain model was scored on {kept} kept aside until the end."
    seeds = count(len(result.best.confirm.seeds), "seeds")
    return (
        f"Gain: {f.change(result.gain.mean)}, {facts.level(content)} {f.span(result.gain)}, for models trained on "
        f"these {count(result.task.train, rows)}{facts.other_rows(content, f)}; measured once on "
        f"{count(result.task.confirm, rows)} kept aside until the end, {seeds} each{facts.failed_seeds(content)}."
        f"{facts.reading(content)}"
    )


def _recipe(content: Content) -> str:
    if content.plain_won:
        return "Recipe: none; keep the plain model."
    if content.result.verdict == "improved":
        return f"Recipe: {content.summary or 'see recipe.toml'}."
    nearest = f" What came nearest: {content.summary}." if content.summary else ""
    return f"Recipe: none; keep the plain model.{nearest}"


def next_steps(content: Content, out_dir: str | Path) -> list[str]:
    """What to do now, with the lines to type; the first names the report."""
    report = visible(shlex.quote(str(Path(out_dir) / "report.html")))
    lines = [f"Read the report: {report} (opens in any browser, works offline)."]
    for step in steps(content, Figures.of(content.result)):
        lines.append(one_line(step.what))
        lines += [f"    {visible(line)}" for line in step.command.splitlines()]
    return lines
