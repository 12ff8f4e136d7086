"""The sentences on classes that gained, on rows that turned, and on errors by the size of the target."""

from __future__ import annotations

from gapless.evidence.result import SizeOfTarget, TurnedRow
from gapless.metrics import ACCURACY
from gapless.report.content import Content
from gapless.report.figures import Figures, count, number, one_line

NAMED = 6
"""Classes named in a sentence, at most."""
_NOT_KEPT = (
    "What the models answered to each {row} was not kept: this run was made by an older version of gapless. A new run "
    "has it."
)


def shares(f: Figures) -> Figures:
    """How shares of a class are written, whatever the run is judged by."""
    return Figures(ACCURACY.name, 1, f.minus, f.space)


def title(content: Content) -> str:
    if not content.result.task.classes:
        return "Where the errors are"
    return "Class by class" if content.plain_won else "Which classes gained"


def told(content: Content, f: Figures) -> list[str]:
    """What stands before the table."""
    result = content.result
    lines = _trivial(content, f)
    if not (result.recalls if result.task.classes else result.sizes):
        few = "" if result.task.classes else _few(content)
        return [*lines, few or _NOT_KEPT.format(row=content.rows_are.removesuffix("s"))]
    if result.task.classes and not content.plain_won:
        lines.append(_changed(content))
    if not result.task.classes:
        lines += _largest(content)
    return lines


def _few(content: Content) -> str:
    """Why there is no table of errors, where rows are too few for one; answers are kept where rows turned."""
    if content.result.turned is None and not content.plain_won:
        return ""
    return "There are too few rows for a table by the size of the target."


def _trivial(content: Content, f: Figures) -> list[str]:
    """What an answer that does not look at the row gets."""
    floor = next((q for q in content.result.quick if q.name in ("commonest class", "mean")), None)
    if floor is None or floor.score is None:
        return []
    what = "the commonest class" if floor.name == "commonest class" else "the mean"
    got = f.score(floor.score) if f.percent else f"{f.score(floor.score)} in {f.metric}"
    return [
        f"Always answering {what} of the training {content.rows_are} gets {got}: what is better than that was learned."
    ]


def _changed(content: Content) -> str:
    found = content.result.recalls
    asked = [r for r in found if r.reached != "unknown"]
    if not asked:
        return "The classes have too few rows each to say which of them gained."
    parts: list[str] = []
    for word in ("gained", "lost"):
        names = [one_line(r.name, 40) for r in asked if r.reached == word]
        if names:
            more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
            parts.append(f"{count(len(names), 'classes')} {word}: {', '.join(names[:NAMED])}{more}")
    if chance := sum(r.reached == "may be chance" for r in asked):
        parts.append(f"of {count(chance, 'classes')} the change may be chance")
    if few := len(found) - len(asked):
        parts.append(f"{count(few, 'classes')} {'has' if few == 1 else 'have'} too few {content.rows_are} to say")
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}. Gained and lost count that all were asked at once (Bonferroni)."


def rows_turned(content: Content) -> str:
    """How many rows turned, in a sentence; empty where that is not known."""
    found, rows = content.result.turned, content.rows_are
    if found is None:
        return ""
    total, seeds = content.result.task.confirm, len(content.result.best.confirm.seeds)
    if not content.result.task.classes:
        return (
            f"Of {count(total, 'rows')} the best recipe is closer to {found.better:,}, the plain model to "
            f"{found.worse:,}. Answers are means of {count(seeds, 'trainings')}."
        )
    return (
        f"Of {count(total, rows)}, {found.better:,} were wrong before and are right after, {found.worse:,} the other "
        f"way round; {found.right:,} were right and {found.wrong:,} wrong both times. Right means: by most of the "
        f"{count(seeds, 'trainings')} of a model."
    )


def row_words(row: TurnedRow) -> str:
    """What a row is, and what it was taken for before and after."""
    if isinstance(row.label, str):
        before, after = _said(row.plain, row.plain_right, row.label), _said(row.best, row.best_right, row.label)
        return f"is {one_line(row.label, 40)}; before {before}, after {after}"
    assert not isinstance(row.plain, str)
    assert not isinstance(row.best, str)
    return f"is {number(row.label)}; before {number(row.plain)}, after {number(row.best)}"


def _said(answer: str | float, right: float, label: str) -> str:
    """The commonest answer, and how often it was right where trainings differ."""
    share = "" if right in (0.0, 1.0) else f" ({right:.0%} right)"
    return f"{one_line(str(answer) if right <= 0.5 or answer == label else label, 40)}{share}"


def turned_titles(content: Content) -> tuple[str, str]:
    if content.result.task.classes:
        return "Wrong before, right after", "Right before, wrong after"
    return "Much closer after", "Further off after"


def span(one: SizeOfTarget) -> str:
    """`12 to 34`, or `12` where all targets are the same."""
    return number(one.low) if one.low == one.high else f"{number(one.low)} to {number(one.high)}"


def _largest(content: Content) -> list[str]:
    """Where the errors are largest, and where they shrank."""
    found = content.result.sizes
    worst = max(found, key=lambda one: one.plain)
    share = worst.plain * worst.rows / max(1e-300, sum(one.plain * one.rows for one in found))
    lines = [
        f"The plain model is furthest off where the target is {span(worst)}: {number(worst.plain)} on average, "
        f"{share:.0%} of the whole error on {worst.rows / sum(one.rows for one in found):.0%} of the rows."
    ]
    if not content.plain_won:
        closer = [span(one) for one in found if one.change is not None and one.change.low > 0]
        further = [span(one) for one in found if one.change is not None and one.change.high < 0]
        for word, spans in (("closer", closer), ("further off", further)):
            if spans:
                lines.append(f"The best recipe is {word} where the target is {'; '.join(spans)}.")
    return lines
