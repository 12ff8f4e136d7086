"""The lines of a label check."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gapless.data import Rows, Task
from gapless.diagnose.label_check import SHARES, check
from gapless.diagnose.label_estimates import Estimate
from gapless.diagnose.labels import Collision, Edge, Row, Table
from gapless.errors import UsageError
from gapless.report.labels import check_lines, finding

NONE = Estimate(0.0, -0.004, 0.004)
SOME = Estimate(0.1, 0.05, 0.15)


def row(changed: Estimate | None, lost: Estimate | None, op: str = "swap", strength: float = 1.0, **more: Any) -> Row:
    given: dict[str, Any] = {"collisions": (), "edge": ()} | more
    return Row(op, strength, Estimate(0.9, 0.88, 0.92), changed, lost, **given)


@pytest.mark.parametrize(
    ("changed", "lost", "said"),
    [
        (NONE, NONE, "keeps the labels"),
        (SOME, SOME, "loses labels, 5.0 % at least"),
        (NONE, SOME, "loses labels, 5.0 % at least"),
        (SOME, NONE, "looks strange; labels can be learned"),
        (SOME, Estimate(0.01, 0.0002, 0.02), "looks strange; labels can be learned"),
        (Estimate(0.02, -0.01, 0.05), NONE, "no change seen; up to 5.0 % possible"),
        (None, None, "cannot tell: the judge is too weak"),
    ],
)
def test_what_a_row_says(changed: Estimate | None, lost: Estimate | None, said: str) -> None:
    assert finding(row(changed, lost)) == said


def test_the_lines() -> None:
    edge = Edge(12, 0, "good\x1b[31m", "bad", 0.91, 0.05, "not bad\nat all", "bad at all " + "x" * 300)
    picture = Edge(7, 3, "6", "9", 0.9, 0.1, "", "")
    collision = Collision("good\x1b[31m", "bad", SOME, 0.001, SOME, True)
    strange = Collision("bad", "good\x1b[31m", SOME, 0.001, NONE, False)
    table = Table(
        ("bad", "good\x1b[31m"),
        1234,
        5,
        1,
        Estimate(0.12, 0.1, 0.14),
        (),
        (
            row(NONE, NONE, strength=0.5),
            row(SOME, SOME, collisions=(collision, strange), edge=(edge,)),
            row(None, None, op="turn", edge=(picture,)),
        ),
    )
    lines = check_lines(table, "texts")
    assert not any(c in line for line in lines for c in "\x1b\n")
    assert lines[0] == (
        "1,234 texts of 2 classes, judged by classifiers that have not learned them (5 folds), which are wrong on "
        "12.0 % (10.0 to 14.0) of the originals."
    )
    heads = ["operation", "strength", "judged as before", "labels changed", "lost though learned"]
    places = [lines[2].index(head) for head in heads]
    assert lines[4].startswith("swap") and lines[4].index("100 %") == places[1]
    assert lines[4].index("10.0 % (5.0 to 15.0)") == places[3]
    assert lines[3].endswith("keeps the labels") and "50 %" in lines[3]
    assert lines[5].startswith("turn") and lines[5].count("unknown") == 2
    text = "\n".join(lines)
    assert (
        "swap: good\\x1b[31m is taken for bad in 10.0 % (5.0 to 15.0) more than before, 10.0 % (5.0 to 15.0) once"
        in text
    )
    assert "bad is taken for good\\x1b[31m in 10.0 % (5.0 to 15.0) more than before, not once learned" in text
    assert (
        "  row 12: good\\x1b[31m looks like bad (its own probability 0.91, then 0.05)\n    - not bad at all\n" in text
    )
    assert "  row 7, seed 3: 6 looks like 9" in text
    assert max(len(line) for line in lines if line.startswith("    +")) <= 170


def test_nothing_that_collides_is_said() -> None:
    table = Table(("a", "b"), 10, 5, 1, NONE, ("b\x00",), (row(NONE, NONE),))
    lines = check_lines(table)
    assert lines[-1] == "No two classes collide."
    assert lines[1] == "They cannot tell these classes from the others, which do not count below: b\\x00."


def task(texts: Sequence[str], labels: Sequence[int], classes: tuple[str, ...]) -> Task:
    return Task("words", Rows(np.array(texts, dtype=object), np.array(labels, dtype=np.int64)), classes=classes)


def test_a_task_is_checked_on_rows_of_its_own() -> None:
    words = [f"{('dull', 'warm')[n % 2]} film {n}" for n in range(300)]
    asked: list[int] = []

    def turn(share: float, texts: Any, seed: int) -> list[str]:
        asked.append(len(texts))
        return [text.replace("dull", "warm") if share == 1 else text for text in texts]

    told: list[tuple[int, int]] = []
    table = check(
        task(words, [n % 2 for n in range(300)], ("no", "yes")),
        {"turn": turn},
        rows=120,
        progress=lambda done, of, left: told.append((done, of)),
    )
    assert asked == [120] * len(SHARES) and told[-1] == (25, 25)
    assert table.examples == 120 and table.classes == ("no", "yes")
    last = table.rows[-1]
    assert last.strength == 1 and last.changed is not None and 0.3 < last.changed.mean < 0.7
    assert [(c.label, c.becomes, c.stays) for c in last.collisions] == [("no", "yes", True)]
    for edge in last.edge:
        assert words[edge.index] == edge.original, "rows are those of the task, not of the sample"


def test_what_cannot_be_checked() -> None:
    ops = {"same": lambda share, examples, seed: examples}
    table = Task("t", Rows(np.zeros((9, 2), np.float32), np.zeros(9, np.int64)), classes=("a", "b"))
    with pytest.raises(UsageError, match="t: labels are checked for classes of pictures or texts"):
        check(table, ops)
    words = task(["a", "b"] * 5, [0, 1] * 5, ("no", "yes"))
    with pytest.raises(UsageError, match="leaves everything as it is"):
        check(words, {})
    with pytest.raises(UsageError, match="rows must be at least 1, got 0"):
        check(words, ops, rows=0)
    with pytest.raises(UsageError, match="class no has 1 examples, fewer than the 5 folds"):
        check(task(["a", "b", "c"], [0, 1, 1], ("no", "yes")), ops)
