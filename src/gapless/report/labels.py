"""What the label guard found, in lines of text: each operation's share of changed labels, and examples to read."""

from __future__ import annotations

from gapless.diagnose.label_estimates import Estimate
from gapless.diagnose.labels import Edge, Row, Table
from gapless.report.figures import count, one_line

HARMLESS = 0.02
"""A share of changed labels that is surely below this is called none: safe operations keep 98 % of the labels."""
_HEADS = ("operation", "strength", "judged as before", "labels changed", "lost though learned", "")
_WIDTH = 160


def check_lines(table: Table, rows_are: str = "examples") -> list[str]:
    """The lines of a check: the judge, a line for each operation and strength, what collides, what to read.

    Args:
        rows_are: texts, pictures.
    """
    judge = (
        f"{count(table.examples, rows_are)} of {count(len(table.classes), 'classes')}, judged by classifiers that have "
        f"not learned them ({table.folds} folds), which are wrong on {_share(table.error)} of the originals."
    )
    lines = [judge]
    if table.unjudged:
        named = ", ".join(one_line(name, 40) for name in table.unjudged[:8])
        more = f" and {len(table.unjudged) - 8} more" if len(table.unjudged) > 8 else ""
        lines.append(f"They cannot tell these classes from the others, which do not count below: {named}{more}.")
    cells = [_HEADS, *(_cells(row) for row in table.rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADS))]
    lines += ["", *("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells)]
    lines += [
        "",
        "labels changed: by classifiers that know originals only, so what merely looks strange counts as well.",
        "lost though learned: by classifiers that have learned such variants, too. 95 % intervals in brackets:",
        "of 40 lines without any effect, one is called a change by chance.",
    ]
    lines += _collisions(table)
    for row in _strongest(table):
        lines += _to_read(row)
    return lines


def finding(row: Row) -> str:
    """What a row says, in a few words."""
    if row.changed is None or row.lost is None:
        return "cannot tell: the judge is too weak"
    least = _percent(row.lost.low)
    if row.lost.low > 0 and least != _percent(0):
        return f"loses labels, {least} at least"
    if row.changed.high <= HARMLESS:
        return "keeps the labels"
    if row.changed.low > 0:
        return "looks strange; labels can be learned"
    return f"no change seen; up to {_percent(row.changed.high)} possible"


def _cells(row: Row) -> tuple[str, ...]:
    changed, lost = (_share(each) if each else "unknown" for each in (row.changed, row.lost))
    return (
        one_line(row.op, 40),
        f"{row.strength:.0%}".replace("%", " %"),
        _share(row.agreement),
        changed,
        lost,
        finding(row),
    )


def _share(estimate: Estimate) -> str:
    """`3.1 % (2.0 to 4.2)`"""
    return f"{_percent(estimate.mean)} ({_number(estimate.low)} to {_number(estimate.high)})"


def _percent(value: float) -> str:
    return f"{_number(value)} %"


def _number(value: float) -> str:
    """Per cent, with one digit; what rounds to nothing has no sign."""
    return f"{round(100 * value, 1) + 0.0:.1f}"


def _collisions(table: Table) -> list[str]:
    lines: list[str] = []
    for row in _strongest(table):
        for one in row.collisions[:5]:
            classes = f"{one_line(one.label, 40)} is taken for {one_line(one.becomes, 40)}"
            learned = f"{_share(one.lost)} once learned" if one.stays else "not once learned"
            lines.append(f"  {one_line(row.op, 40)}: {classes} in {_share(one.share)} more than before, {learned}")
        if len(row.collisions) > 5:
            lines.append(f"  {one_line(row.op, 40)}: and {count(len(row.collisions) - 5, 'further pairs')}")
    return ["", "Classes that collide:", *lines] if lines else ["", "No two classes collide."]


def _strongest(table: Table) -> list[Row]:
    """The row of each operation at its greatest strength."""
    return list({row.op: row for row in sorted(table.rows, key=lambda row: row.strength)}.values())


def _to_read(row: Row) -> list[str]:
    if not row.edge:
        return []
    lines = ["", f"{one_line(row.op, 40)}, the worst to read:"]
    for edge in row.edge:
        place = f"row {edge.index}" if edge.original else f"row {edge.index}, seed {edge.seed}"
        lines.append(f"  {place}: {one_line(edge.label, 40)} looks like {one_line(edge.becomes, 40)} ({_fall(edge)})")
        if edge.original:
            lines += [f"    - {one_line(edge.original, _WIDTH)}", f"    + {one_line(edge.variant, _WIDTH)}"]
    return lines


def _fall(edge: Edge) -> str:
    return f"its own probability {edge.before:.2f}, then {edge.after:.2f}"
