"""The label guard as ranges: how strong each operation may be before it changes labels on this data.

Each operation is tried at strengths from weak to strong, always at the full strength, until labels are lost: until one
class surely turns into another, or too many labels are lost, as judged by classifiers that have learned such variants
(see `gapless.diagnose.labels`). The last strength before that ends its range. An operation by itself is what is judged;
two in a row may go further together than each alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapless.augment import image, text
from gapless.augment.policies.space import Fill, Range
from gapless.data import Task
from gapless.diagnose import labels
from gapless.diagnose.label_judges import image_classifier, text_classifier
from gapless.diagnose.label_ops import image_ops, text_ops
from gapless.diagnose.labels import Examples, Row
from gapless.errors import DataError, UsageError

SHARES = (0.05, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0)
"""Strengths that are tried, as shares of the greatest one that the operation accepts."""
SURELY, LIKELY = 0.1, 0.25
"""Shares of labels lost that end a range: surely more than the first, or the second by the best guess. A judge with few
rows to learn from also loses what has only become hard to tell, so smaller shares prove nothing."""
ROWS = 600
"""Rows that are judged, at most."""
FOLDS = 5


@dataclass(frozen=True)
class Point:
    """What one strength does: shares with their 95 % intervals. lost: None where the judge is too weak to tell."""

    strength: float
    agreement: tuple[float, float, float]
    lost: tuple[float, float, float] | None
    collisions: tuple[str, ...]
    broken: bool


@dataclass(frozen=True)
class Guarded:
    """The range of an operation: up to `high` labels survive; 0: at no strength that was tried. why: it is left out
    for another reason."""

    op: str
    high: float
    unit: str
    points: tuple[Point, ...] = ()
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Guarded:
        points = tuple(
            Point(
                p["strength"],
                _triple(p["agreement"]),
                p["lost"] and _triple(p["lost"]),
                tuple(p["collisions"]),
                p["broken"],
            )
            for p in facts["points"]
        )
        return cls(facts["op"], facts["high"], facts["unit"], points, facts["why"])


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    return (values[0], values[1], values[2])


def usual_ops(task: Task) -> tuple[str, ...]:
    """Pictures: those of AutoAugment's table 6, and those that `gapless tune` tries; texts: those that it tries."""
    if task.kind == "image":
        return tuple(o.name for o in image.OPS.values() if o.prior or "AutoAugment" in o.source)
    return tuple(o.name for o in text.OPS.values() if o.prior and (not o.whole_text or o.name in task.paraphrases))


def fill_of(task: Task) -> Fill:
    """Black where the pictures' rims are, as on scans of digits; else the picture itself, reflected."""
    if task.kind != "image":
        return "black"
    some = np.asarray(task.develop.x[:256], np.float32)
    rim = np.concatenate([some[:, [0, -1]].reshape(len(some), -1), some[:, :, [0, -1]].reshape(len(some), -1)], axis=1)
    return "black" if float(np.median(rim)) <= 16 else "reflect"


def widest(task: Task, names: Sequence[str], fill: Fill) -> list[Guarded]:
    """Operations at their greatest strength, without a look at labels; what changes nothing here is left out.

    Raises:
        UsageError: an unknown operation, or one for another kind of data.
    """
    found: list[Guarded] = []
    for name in names:
        record = Range(name, 1e-9).record
        kind = "image" if name in image.OPS else "text"
        if kind != task.kind:
            raise UsageError(
                f"{name} is an operation on {'pictures' if kind == 'image' else 'texts'}, not on {task.name}"
            )
        if isinstance(record, image.Op) and record.law == "fixed":
            raise UsageError(f"{name} has one fixed strength and no range to learn; leave it out")
        some = task.develop.x[:32] if kind == "image" else task.develop.x[:64].tolist()
        op = _op(task, name, record.strong, fill)
        same = all(np.array_equal(a, b) for seed in range(2) for a, b in zip(op(1.0, some, seed), some, strict=True))
        found.append(
            Guarded(name, 0.0 if same else record.strong, record.unit, why="changes nothing here" if same else "")
        )
    return found


def _op(task: Task, name: str, strength: float, fill: Fill) -> labels.Op:
    """The operation at one strength, applied to every example."""
    if task.kind == "image":
        return image_ops(image.Policy((image.Step(name, strength, 1.0, "full"),), fill=fill))[name]
    return text_ops(text.Policy((text.Step(name, strength),)), task.resources)[name]


def guard(
    task: Task, wide: Sequence[Guarded], fill: Fill, seed: int, seconds: float, told: Callable[[float], None]
) -> list[Guarded]:
    """The range of each operation in which labels survive.

    Args:
        wide: of `widest`. seconds: after which no further strength is begun; ranges then end where they were seen to
            hold.
        told: hears of the share that is done.

    Raises:
        DataError: a class has too few rows to judge.
    """
    rows, folds = _judged(task, seed)
    examples: Examples = task.develop.x[rows].tolist() if task.kind == "text" else task.develop.x[rows]
    names = [task.classes[int(label)] for label in task.develop.y[rows].tolist()]
    judge = text_classifier if task.kind == "text" else image_classifier
    ends, alive = time.monotonic() + seconds, {one.op: one for one in wide if one.high > 0}
    points: dict[str, list[Point]] = {name: [] for name in alive}
    for number, share in enumerate(SHARES):
        ops = {
            name: _op(task, name, s, fill) for name, one in alive.items() if (s := _strength(one, share, points[name]))
        }
        if not ops:
            continue
        if time.monotonic() > ends:
            break
        found = labels.measure(examples, names, judge, ops, (1.0,), folds=folds, worst=0, seed=seed)
        for row in found.rows:
            strength = _strength(alive[row.op], share, points[row.op])
            points[row.op].append(_point(row, strength, Range(row.op, strength)))
            if points[row.op][-1].broken:
                del alive[row.op]
        told((number + 1) / len(SHARES))
    return [_range(one, points.get(one.op, [])) for one in wide]


def _judged(task: Task, seed: int) -> tuple[NDArray[np.int64], int]:
    """The rows that are judged, as many of each class as there are, and the folds that they allow."""
    y = task.develop.y
    order = np.random.Generator(np.random.Philox(seed)).permutation(len(y))
    turn = np.zeros(len(y), np.int64)
    for label in np.unique(y):
        turn[y[order] == label] = np.arange(int((y == label).sum()))
    rows = np.sort(order[np.lexsort((y[order], turn))[:ROWS]])
    fewest = int(np.bincount(y[rows].astype(np.int64), minlength=len(task.classes)).min())
    if fewest < 2:
        raise DataError(
            f"{task.name}: a class has {fewest} rows, too few to judge labels; give more rows or --no-guard"
        )
    return rows, min(FOLDS, fewest)


def _strength(one: Guarded, share: float, seen: Sequence[Point]) -> float:
    """The next strength to try; 0 where a share is none of its own, as for switches and whole numbers."""
    record = Range(one.op, one.high).record
    if record.law in ("uniform", "share"):
        return one.high * share
    strength = float(round(one.high * share))
    return strength if strength > max((p.strength for p in seen), default=0.0) else 0.0


def _point(row: Row, strength: float, within: Range) -> Point:
    stay = tuple(f"{c.label} is taken for {c.becomes}" for c in row.collisions if c.stays)
    agreement = (row.agreement.mean, row.agreement.low, row.agreement.high)
    if row.lost is None:  # nobody can tell: no further than a person would go
        prior = within.record.prior
        return Point(strength, agreement, None, stay, prior is None or strength > prior.high)
    lost = (row.lost.mean, row.lost.low, row.lost.high)
    broken = bool(stay) or lost[0] > LIKELY or lost[1] > SURELY
    return Point(strength, agreement, lost, stay, broken)


def _range(one: Guarded, points: Sequence[Point]) -> Guarded:
    if one.why:
        return one
    held = [p.strength for p in points if not p.broken]
    return Guarded(one.op, max(held, default=0.0), one.unit, tuple(points))
