"""Quick models of scikit-learn on the same rows: what a network has to beat before anything it gained is worth having.

Everything here runs on one thread, and one model after the other within one time limit. No model is begun that is
expected not to end in time; it is named with the reason instead.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from gapless import draws
from gapless.data.splits import select_of, select_split
from gapless.errors import DataError

if TYPE_CHECKING:
    from gapless.data import Rows, Task

SIDE = 32
"""Pictures are averaged down to at most so many pixels a side."""
_BOOSTED = 1024
"""Numbers of a row, at most, for boosting, which looks at every one of them for every split."""
_CHOOSE, _CHARACTERS = 4000, 4_000_000
"""Rows, and characters of their texts, at most, on which a strength is chosen."""
_WEIGHTS = 4_000_000
"""Weights of a linear model on texts, at most: the commonest words and pieces of words are kept."""
_ROUNDS, _FEW = 100, 2000
"""Rounds of boosting, and rows on which one is timed first."""
_LEAST = 1e-15
"""The least probability of a class: a logarithm is taken of it."""
_CATEGORIES = 255
"""Categories of a column, at most, that boosting treats as such."""


@dataclass(frozen=True)
class Rival:
    """A quick model and what it is worth.

    score: the task's metric; None where it was skipped, and why. each: (N,) what every row adds to it, as in `Scores`.
    seconds: that it took, also where it was skipped. answers: (N,) class numbers, or on the scale of the target.
    """

    name: str
    score: float | None
    each: NDArray[np.float32] | None
    seconds: float
    skipped: str = ""
    answers: NDArray[Any] | None = None


class _Skip(Exception):
    """Why a rival is left out."""


@dataclass(frozen=True)
class _Known:
    """What a rival learns from and what it is to answer; targets are class numbers, or standardised."""

    task: Task
    learned: Rows
    questions: Rows
    y: NDArray[Any]
    seed: int
    ends: float

    def require(self, seconds: float, what: str) -> None:
        """Raises _Skip where `seconds` more are too many."""
        left = self.ends - time.perf_counter()
        if seconds > left:
            raise _Skip(f"{what} takes about {seconds:.2g} s, {max(0.0, left):.2g} s were left")

    @cached_property
    def x(self) -> Any:
        """What scikit-learn takes: a list of texts, or numbers (N, F)."""
        return self._inputs(self.learned)

    @cached_property
    def asked(self) -> Any:
        """The same of the rows to answer."""
        return self._inputs(self.questions)

    def _inputs(self, rows: Rows) -> Any:
        if self.task.kind == "text":
            return rows.x.tolist()
        if self.task.kind == "table":
            return rows.x
        begun, some = time.perf_counter(), rows.x[:64]
        pixels(some, SIDE)
        self.require((time.perf_counter() - begun) * len(rows) / len(some), "averaging the pictures down")
        return pixels(rows.x, SIDE)

    def some(self, index: NDArray[np.int64]) -> Any:
        """The inputs of some of the rows to learn from."""
        return [self.x[i] for i in index.tolist()] if isinstance(self.x, list) else self.x[index]


def rivals(task: Task, seconds: float = 30, rows: Rows | None = None, seed: int = 0) -> tuple[Rival, ...]:
    """The quick models for this kind of data, the commonest class (or the mean) first.

    Logistic regression (ridge for a regression) on standardised columns or pixels, on TF-IDF of words, pairs of words
    and pieces of words for texts; histogram gradient boosting (scikit-learn's, after Ke et al., LightGBM, NeurIPS 2017)
    for tables and small pictures. The strength of the penalty is chosen on a fifth of the rows trained on.

    Args:
        seconds: for all of them together. A model that would take longer than what is left is skipped; the estimate
            comes from its beginning, and may be too low by a little.
        rows: None trains on the first train part of `develop` and scores its select part, as `select_split` with this
            seed has them. Others, such as `task.confirm`, are scored after training on all of `develop`.
        seed: of the split and of the rows on which a strength is chosen.
    """
    ends = time.perf_counter() + seconds
    develop = task.develop
    if rows is None:
        train, select = select_of(develop, 0, seed)
        learned, asked = develop.take(train), develop.take(select)
    else:
        learned, asked = develop, rows
    y, labels = (rows.y if task.classes else rows.y.astype(np.float64) for rows in (learned, asked))
    centre, spread = (0, 1) if task.classes else (y.mean(), max(y.std(), 1e-12))
    y: Any = y if task.classes else (y - centre) / spread
    known = _Known(task, learned, asked, y, seed, ends)

    def judged(name: str, answers: Callable[[_Known], Any]) -> Rival:
        begun = time.perf_counter()
        try:
            found = torch.from_numpy(np.asarray(answers(known), dtype=np.float64) * spread + centre)
        except _Skip as reason:
            return Rival(name, None, None, time.perf_counter() - begun, str(reason))
        each = task.judged_by.rows(found, torch.from_numpy(labels)).numpy()
        said = found.argmax(1) if task.classes else found
        seconds = time.perf_counter() - begun
        return Rival(name, float(each.mean(dtype=np.float64)), each, seconds, "", said.numpy())

    with threadpool_limits(1):
        return tuple(judged(name, answers) for name, answers in _of(task))


def _of(task: Task) -> Iterator[tuple[str, Callable[[_Known], Any]]]:
    """The rivals for this kind of data: a name, and what answers the rows asked for: log probabilities (N, C), or
    standardised numbers (N,)."""
    yield ("commonest class" if task.classes else "mean"), _floor
    linear = "logistic regression" if task.classes else "ridge regression"
    name = f"tf-idf + {linear}" if task.kind == "text" else linear
    yield name, _linear
    if task.kind != "text":
        yield "gradient boosting", _boosted


def _floor(known: _Known) -> Any:
    if not known.task.classes:
        return np.full(len(known.questions), known.y.mean())
    shares = np.bincount(known.y, minlength=len(known.task.classes)) / len(known.y)
    return np.tile(np.log(np.maximum(shares, _LEAST)), (len(known.questions), 1))


# ── linear models ──


@dataclass(frozen=True)
class _Penalised:
    """A linear model by the strength of its penalty; strengths from strong to weak."""

    strengths: tuple[float, ...]
    build: Callable[[float], Any]


def _penalised(task: Task) -> _Penalised:
    text = task.kind == "text"
    if task.classes:
        # C multiplies the sum of the losses. TF-IDF rows have length 1, standardised ones the root of their columns.
        strengths = (1.0, 10.0, 100.0) if text else (1e-3, 1e-2, 1e-1, 1.0, 10.0)
        return _Penalised(strengths, lambda c: LogisticRegression(C=c, max_iter=200, tol=1e-3))
    strengths = (10.0, 1.0, 0.1) if text else (1e4, 1e3, 1e2, 10.0, 1.0)
    return _Penalised(strengths, lambda alpha: Ridge(alpha=alpha, solver="lsqr", tol=1e-4, max_iter=200))


def _prepared(task: Task) -> Callable[[], Any]:
    """What makes columns for a linear model of the inputs, not fitted yet."""
    if task.kind == "text":
        vectorizer: Any = TfidfVectorizer
        most = max(1, _WEIGHTS // max(1, len(task.classes)) // 2)
        return lambda: make_union(
            # an apostrophe stays inside of its word, and words of one letter count
            vectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+(?:['’]\w+)*|[^\w\s]+",
                            max_features=most, dtype=np.float32),
            vectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, max_features=most,
                            dtype=np.float32),
        )  # fmt: skip
    places = list(task.categorical)
    numeric = [i for i in range(len(task.categories)) if i not in set(places)]
    if not places:
        return StandardScaler
    return lambda: make_column_transformer(
        (StandardScaler(), numeric), (OneHotEncoder(handle_unknown="ignore"), places)
    )


def _linear(known: _Known) -> Any:
    """Answers of a linear model whose penalty did best on a fifth of the rows."""
    if len(np.unique(known.y)) < 2:
        raise _Skip("the rows to learn from all have the same label")
    prepared, penalised = _prepared(known.task), _penalised(known.task)
    strength, seconds = _chosen(known, prepared, penalised)
    known.require(seconds * len(known.y), "training on all rows")
    columns = prepared()
    model = _fitted(penalised.build(strength), columns.fit_transform(known.x), known.y)
    return _answers(model, columns.transform(known.asked), known)


def _chosen(known: _Known, prepared: Callable[[], Any], penalised: _Penalised) -> tuple[float, float]:
    """The strength that does best on a held-out fifth of some rows, and the seconds a row takes with it."""
    some = draws.stream(known.seed, "rivals").permutation(len(known.y))[:_CHOOSE]
    if isinstance(known.x, list):
        sizes = np.cumsum([len(known.x[row]) for row in some.tolist()])
        some = some[: max(2, int(np.searchsorted(sizes, _CHARACTERS)))]
    middle = penalised.strengths[len(penalised.strengths) // 2]
    if len(some) < 10 or len(np.unique(known.y[some])) < 2:
        return middle, 0.0
    group = known.learned.group
    try:
        parts = select_split(known.y[some], 0, known.seed, group=None if group is None else group[some])
    except DataError:  # the groups among these rows cannot be divided
        return middle, 0.0
    train, held = (some[part] for part in parts)
    begun = time.perf_counter()
    columns = prepared()
    x, asked = columns.fit_transform(known.some(train)), columns.transform(known.some(held))
    preparing = time.perf_counter() - begun
    found: list[tuple[float, float, float]] = []
    for strength in penalised.strengths:
        begun = time.perf_counter()
        model = _fitted(penalised.build(strength), x, known.y[train])
        fitting = time.perf_counter() - begun
        found.append((float(model.score(asked, known.y[held])), strength, fitting))
        known.require(fitting, "choosing the penalty")
    _, strength, fitting = max(found, key=lambda one: one[0])
    return strength, (preparing + fitting) / len(train)


def _fitted(model: Any, x: Any, y: NDArray[Any]) -> Any:
    """A fitted model; one that has not converged by its last iteration is as good as one that has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)


# ── boosting ──


def _boosted(known: _Known) -> Any:
    """Answers after a hundred rounds of a tree a class; the first ones say how long the others take."""
    task = known.task
    if known.x.shape[1] > _BOOSTED:
        raise _Skip(f"rows of {known.x.shape[1]:,} numbers are too wide for boosting; it takes up to {_BOOSTED:,}")
    if task.classes and len(np.unique(known.y)) < 2:
        raise _Skip("the rows to learn from all have the same label")
    categorical = [i for i in task.categorical if task.categories[i] <= _CATEGORIES]
    kind: Any = HistGradientBoostingClassifier if task.classes else HistGradientBoostingRegressor
    model: Any = kind(
        categorical_features=categorical or None,
        early_stopping=False,
        warm_start=True,
        random_state=draws.key(known.seed, "rivals") >> 32,
    )
    few = np.unique([*draws.stream(known.seed, "rivals").permutation(len(known.y))[:_FEW], *_one_each(known)])
    first = _timed(kind(**{**model.get_params(), "max_iter": 1}), known.some(few), known.y[few])
    known.require(first * _ROUNDS, f"{_ROUNDS} rounds of boosting")
    known.require(first * len(known.y) / len(few), "a round of boosting")
    done = 0
    for rounds in (1, _ROUNDS // 10, _ROUNDS):
        seconds = _timed(model.set_params(max_iter=rounds), known.x, known.y)
        known.require(seconds / (rounds - done) * (_ROUNDS - rounds), f"{_ROUNDS} rounds of boosting")
        done = rounds
    return _answers(model, known.asked, known)


def _answers(model: Any, asked: Any, known: _Known) -> NDArray[np.float64]:
    """What a fitted model says: numbers, or log probabilities of all classes, those it has not seen included."""
    if not known.task.classes:
        return model.predict(asked)
    found = np.full((len(known.questions), len(known.task.classes)), _LEAST)
    found[:, model.classes_] = np.maximum(model.predict_proba(asked), _LEAST)
    return np.log(found)


def _one_each(known: _Known) -> NDArray[np.int64]:
    """A row of each class: a model must see them all."""
    return np.unique(known.y, return_index=True)[1] if known.task.classes else np.arange(0)


def _timed(model: Any, x: Any, y: NDArray[Any]) -> float:
    begun = time.perf_counter()
    model.fit(x, y)
    return time.perf_counter() - begun


# ── pictures ──


def pixels(images: NDArray[Any], side: int) -> NDArray[np.float32]:
    """Pictures (N, H, W) or (N, H, W, C) as rows (N, features), averaged over square blocks to at most `side` a side.

    The last rows and columns fill a smaller block. A few pictures at a time: a file that is mapped stays on the disk.
    """
    images = np.asarray(images)
    at_once = max(1, 2**24 // math.prod(images.shape[1:]))
    return np.concatenate([_pixels(images[start : start + at_once], side) for start in range(0, len(images), at_once)])


def _pixels(images: NDArray[Any], side: int) -> NDArray[np.float32]:
    found = images.astype(np.float32)
    for axis in (1, 2):
        block = -(-found.shape[axis] // side)
        starts = np.arange(0, found.shape[axis], block)
        sizes = np.diff([*starts, found.shape[axis]])
        shape = [1] * found.ndim
        shape[axis] = len(sizes)
        found = (np.add.reduceat(found, starts, axis=axis) / sizes.reshape(shape)).astype(np.float32)
    return found.reshape(len(found), -1)
