"""Whether augmentation keeps the labels: measured with classifiers that have never seen what they judge.

The originals are cut into K folds. A classifier trained on K - 1 of them judges the originals of the fold left out and
every variant of them (cross-fitting), so neither an original nor a variant of it is judged by a classifier that has
learned it. Where variants are taken for another class than their label more often than the originals are, the operation
has changed labels, or has only made the examples look strange. A second set of classifiers tells the two apart: they
learn the variants of their own folds too, and what is strange to them no longer is (a 4 upside down), but what has
become another class still is taken for it (a 6 upside down).

    table = measure(texts, labels, text_classifier, {"delete": delete}, strengths=(0.1, 0.3))

The estimates hold for these examples and this classifier; the folds' classifiers share most of their training data,
and no interval accounts for another training set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from gapless.data.splits import units
from gapless.diagnose.label_estimates import (
    LEAST_SKILL,
    Estimate,
    agreement,
    changed_share,
    collision_tests,
    drawn,
    skills,
    taken_share,
)
from gapless.errors import DataError, UsageError

Examples = Sequence[Any] | NDArray[Any]
Op = Callable[[float, Examples, int], Examples]
"""(strength, examples, seed) -> one variant for each example, drawn by the seed alone."""
Progress = Callable[[int, int, float | None], None]
"""Hears how many pieces of work are done, of how many, and how many seconds are left."""


class Classifier(Protocol):
    """As in scikit-learn. Labels are whole numbers from 0 to K - 1, and all of them occur in what it is fitted on."""

    def fit(self, examples: Any, labels: Any, /) -> Any: ...

    def predict_proba(self, examples: Any, /) -> Any:
        """Probabilities (N, K)."""
        ...


@dataclass(frozen=True)
class Collision:
    """A class that an operation turns into another.

    share: of the class's variants, how many more than of its originals are taken for the other, with its interval; p:
    of `guard_estimates.collision_tests`; both by classifiers that know originals only. lost: the same share by those
    that have learned variants; stays: whether the test finds it there, too.
    """

    label: str
    becomes: str
    share: Estimate
    p: float
    lost: Estimate
    stays: bool


@dataclass(frozen=True)
class Edge:
    """An example whose original is judged right and whose variant looks most like another class.

    index: of the example; seed: the one that the operation was given. before, after: the probability of the label.
    original, variant: the texts themselves; empty for what is no text.
    """

    index: int
    seed: int
    label: str
    becomes: str
    before: float
    after: float
    original: str
    variant: str


@dataclass(frozen=True)
class Row:
    """One operation at one strength.

    agreement: how many variants are judged as their original is, right or wrong. changed: the share of labels changed,
    see `guard_estimates.changed_share`, judged by classifiers that know originals only; lost: the same, judged by
    those that have learned such variants beside the originals, against others that have learned the originals twice. It
    is less where variants were only strange; where two classes become alike it is about half of `changed`, because one
    of the two is still named right. Both are None where the classifier is too weak to tell. collisions: those that stay
    first, then the largest. edge: by those that have learned variants.
    """

    op: str
    strength: float
    agreement: Estimate
    changed: Estimate | None
    lost: Estimate | None
    collisions: tuple[Collision, ...]
    edge: tuple[Edge, ...]


@dataclass(frozen=True)
class Table:
    """What the guard found.

    error: how often the classifier is wrong on originals it has not learned. unjudged: classes that it cannot tell
    from the others; their examples do not count in `changed`.
    """

    classes: tuple[str, ...]
    examples: int
    folds: int
    draws: int
    error: Estimate
    unjudged: tuple[str, ...]
    rows: tuple[Row, ...]
    schema: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def at(self, places: Sequence[int]) -> Table:
        """The same table where example i stands at places[i] of a larger set."""
        rows = (
            replace(row, edge=tuple(replace(edge, index=places[edge.index]) for edge in row.edge)) for row in self.rows
        )
        return replace(self, rows=tuple(rows))


def measure(
    examples: Examples,
    labels: Sequence[Any] | NDArray[Any],
    classifier: Callable[[int], Classifier],
    ops: Mapping[str, Op],
    strengths: Sequence[float],
    *,
    folds: int = 5,
    draws: int = 1,
    worst: int = 5,
    seed: int = 0,
    groups: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> Table:
    """How well each operation keeps the labels at each strength.

    Args:
        examples: N texts, or an array whose first axis is the examples.
        labels: N classes, numbers or words; each class at least `folds` times.
        classifier: builds a new one from a seed, such as `text_classifier`.
        ops: name -> operation.
        strengths: what each operation is given; every one gets all of them.
        folds: K.
        draws: variants of each example, at each strength.
        worst: how many examples to keep for reading, for each operation and strength.
        seed: decides the folds, the classifiers and the draws.
        groups: (N,) the number of each example's group, where examples belong together: a group is in one fold, and is
            what intervals count.
        progress: hears of every classifier trained and every operation judged.

    Raises:
        UsageError: lengths that differ, fewer than two classes, a class with fewer examples, or groups, than folds.
        DataError: an operation or the classifier returns something else than it should.
    """
    names, y = _classes(examples, labels, folds, draws)
    apart = _folds_of(y, names, folds, seed, groups)
    work = _Work(progress, folds * (2 + len(ops) * len(strengths)))
    judges = _Judges(y, len(names), classifier, apart, seed, work.step)
    plain = judges.fit([examples])
    before = judges.judge(plain, examples)
    # what learning variants does is held against learning the originals twice: as much to learn, nothing new in it
    twice = judges.judge(judges.fit([examples, examples]), examples)
    rows: list[Row] = []
    for name, op in ops.items():
        for strength in strengths:
            variants = [_variants(name, op, strength, examples, seed + draw) for draw in range(draws)]
            learned = judges.fit([examples, variants[0]])
            unknown = np.stack([judges.judge(plain, each) for each in variants])
            known = np.stack([judges.judge(learned, each) for each in variants])
            edge = _edges(examples, variants, names, y, twice, known, worst, seed)
            rows.append(_row(name, strength, names, y, (before, unknown), (twice, known), edge, groups))
    was = before.argmax(1)
    wrong = Estimate.of_share(float((was != y).mean()), drawn(len(y), groups))
    unjudged = tuple(names[k] for k in np.flatnonzero(skills(y, was, len(names)) < LEAST_SKILL))
    return Table(names, len(y), folds, draws, wrong, unjudged, tuple(rows))


def _classes(
    examples: Examples, labels: Sequence[Any] | NDArray[Any], folds: int, draws: int
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The classes' names, and the class of each example by its number."""
    if len(examples) != len(labels):
        raise UsageError(f"the guard needs one label for each example, got {len(examples)} and {len(labels)}")
    if folds < 2 or draws < 1:
        raise UsageError(f"the guard needs at least 2 folds and 1 draw, got {folds} and {draws}")
    found, y, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    if len(found) < 2:
        raise UsageError(f"the guard needs at least two classes, got {len(found)}")
    if counts.min() < folds:
        rare = found[counts.argmin()]
        raise UsageError(
            f"class {rare!s} has {counts.min()} examples, fewer than the {folds} folds; leave it out or take fewer"
        )
    return tuple(str(name) for name in found), y.astype(np.int64)


def _folds_of(
    y: NDArray[np.int64], names: tuple[str, ...], folds: int, seed: int, groups: NDArray[np.int64] | None
) -> list[NDArray[np.int64]]:
    """The examples of each fold; each class is dealt out evenly, groups are dealt out whole."""
    if groups is not None:
        held = {name: len(np.unique(groups[y == k])) for k, name in enumerate(names)}
        rare = min(names, key=lambda name: held[name])
        if held[rare] < folds:
            raise UsageError(
                f"class {rare} stands in {held[rare]} groups, fewer than the {folds} folds; leave it out or take fewer"
            )

        def draws(turn: int) -> np.random.Generator:
            return np.random.Generator(np.random.Philox(key=[seed, 0x6A7D + 1 + turn]))

        return [np.flatnonzero(units.fold(y, True, groups, k, folds, draws)) for k in range(folds)]
    rng = np.random.Generator(np.random.Philox(key=[seed, 0x6A7D]))
    place = np.empty(len(y), dtype=np.int64)
    for label in range(len(names)):
        rows = rng.permutation(np.flatnonzero(y == label))
        place[rows] = (np.arange(len(rows)) + rng.integers(folds)) % folds
    return [np.flatnonzero(place == k) for k in range(folds)]


def _variants(name: str, op: Op, strength: float, examples: Examples, seed: int) -> Examples:
    variants = op(strength, examples, seed)
    if len(variants) != len(examples):
        raise DataError(f"{name}: {len(examples)} examples went in and {len(variants)} variants came back")
    return variants


class _Judges:
    """The folds, and the classifiers of each, asked only about the fold that they have not seen."""

    def __init__(
        self,
        y: NDArray[np.int64],
        classes: int,
        build: Callable[[int], Classifier],
        folds: list[NDArray[np.int64]],
        seed: int,
        step: Callable[[], None],
    ):
        self._y, self._classes, self._build, self._seed, self._step = y, classes, build, seed, step
        self._folds = folds

    def fit(self, views: Sequence[Examples]) -> list[Classifier]:
        """A classifier for each fold, trained on the other folds of all views (the originals, variants of them)."""
        judges: list[Classifier] = []
        for number, fold in enumerate(self._folds):
            rows = np.setdiff1d(np.arange(len(self._y)), fold)
            judge = self._build(self._seed + number)
            judge.fit(_joined([_take(view, rows) for view in views]), np.tile(self._y[rows], len(views)))
            judges.append(judge)
            self._step()
        return judges

    def judge(self, judges: list[Classifier], view: Examples) -> NDArray[np.float64]:
        """Probabilities (N, K) for the examples of a view, in their order."""
        found = np.empty((len(self._y), self._classes))
        for fold, judge in zip(self._folds, judges, strict=True):
            said = np.asarray(judge.predict_proba(_take(view, fold)), dtype=np.float64)
            if said.shape != (len(fold), self._classes) or not np.isfinite(said).all():
                raise DataError(
                    f"the classifier must give finite probabilities of shape {(len(fold), self._classes)}, got "
                    f"{said.shape}{'' if np.isfinite(said).all() else ' with values that are not finite'}"
                )
            found[fold] = said
        return found


def _take(examples: Examples, rows: NDArray[np.int64]) -> Examples:
    return examples[rows] if isinstance(examples, np.ndarray) else [examples[row] for row in rows]


def _joined(views: Sequence[Examples]) -> Examples:
    if all(isinstance(view, np.ndarray) for view in views):
        return np.concatenate(cast(Any, views))
    return [example for view in views for example in view]


Said = tuple[NDArray[np.float64], NDArray[np.float64]]
"""What judges say of the originals (N, K), and of their variants (draws, N, K)."""


def _row(
    op: str,
    strength: float,
    names: tuple[str, ...],
    y: NDArray[np.int64],
    plain: Said,
    learned: Said,
    edge: tuple[Edge, ...],
    groups: NDArray[np.int64] | None,
) -> Row:
    """From what is said by judges that know originals only, and by those that have learned variants."""
    views = [(before.argmax(1), after.argmax(2)) for before, after in (plain, learned)]
    changed, lost = (changed_share(y, was, now, len(names), groups) for was, now in views)
    (taken, still) = (collision_tests(y, was, now, len(names), groups) for was, now in views)
    stay = {(label, other) for label, other, _ in still}
    collisions: list[Collision] = []
    for label, other, p in taken:
        shares = [taken_share(y, was, now, label, other, groups) for was, now in views]
        collisions.append(Collision(names[label], names[other], shares[0], p, shares[1], (label, other) in stay))
    collisions.sort(key=lambda one: (not one.stays, -one.share.mean))
    return Row(op, strength, agreement(*views[0], groups), changed, lost, tuple(collisions), edge)


def _edges(
    examples: Examples,
    variants: Sequence[Examples],
    names: tuple[str, ...],
    y: NDArray[np.int64],
    before: NDArray[np.float64],
    known: NDArray[np.float64],
    worst: int,
    seed: int,
) -> tuple[Edge, ...]:
    """Of those judged right as originals and wrong as variants, the ones whose label lost most probability.

    One variant of an example, and no text twice.
    """
    rows = np.arange(len(y))
    p, q = before[rows, y], known[:, rows, y]
    draw = q.argmin(0)
    q, becomes = q[draw, rows], known.argmax(2)[draw, rows]
    turned = np.flatnonzero((before.argmax(1) == y) & (becomes != y))
    found: dict[tuple[object, ...], Edge] = {}
    for row in (int(n) for n in turned[np.argsort((q - p)[turned], kind="stable")]):
        if len(found) == worst:
            break
        sides = (cast(object, examples[row]), cast(object, variants[draw[row]][row]))
        original, variant = (side if isinstance(side, str) else "" for side in sides)
        edge = Edge(
            row,
            seed + int(draw[row]),
            names[y[row]],
            names[becomes[row]],
            float(p[row]),
            float(q[row]),
            original,
            variant,
        )
        found.setdefault((original, variant) if original else (row,), edge)
    return tuple(found.values())


class _Work:
    """Counts pieces of work and tells the time left."""

    def __init__(self, progress: Progress | None, total: int):
        self._progress, self._total, self._done, self._begun = progress, total, 0, time.monotonic()

    def step(self) -> None:
        self._done += 1
        if self._progress is not None:
            left = (time.monotonic() - self._begun) / self._done * (self._total - self._done)
            self._progress(self._done, self._total, left)
