"""What gapless works on: rows for development, rows for the verdict, and how to build the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gapless.data.inputs.asked import Inputs
from gapless.data.tables.account import ColumnAccount
from gapless.errors import DataError, UsageError
from gapless.metrics import Metric, chosen
from gapless.models.choose import BUILTIN, ModelOptions, choose

if TYPE_CHECKING:
    from torch import nn

    from gapless.augment.text import Resources
    from gapless.augment.text.resources import Paraphrases

Kind = Literal["image", "table", "text"]
Array = NDArray[np.generic]


@dataclass(frozen=True)
class Rows:
    """Inputs and their labels, row by row.

    x: images uint8 (N, H, W, C) with 1, 3 or 4 channels, or tables float32 (N, F), finite, or texts: an array of
        objects (N,), each a str that is not empty, such as np.array(texts, dtype=object).
    y: class numbers int64 (N,) from 0, or float32 (N,) for a regression.
    group: int64 (N,): rows that belong together, as the pictures of one patient do, have the same number; None where
        each row is a case of its own. The numbers mean the same in all rows of a task.
    time: float64 (N,): when each row is from, in any unit; None where that plays no part.
    origin: uint64 (N,): a hash of what each row was before it was encoded by what develop holds; None where x is that.
    maybe: by name, int64 (N,): groups that were noticed in the source and not asked for, such as those of a column of
        patients. Nothing is divided by them; a diagnosis looks into them.
    """

    x: Array
    y: Array
    group: NDArray[np.int64] | None = None
    time: NDArray[np.float64] | None = None
    origin: NDArray[np.uint64] | None = None
    maybe: Mapping[str, NDArray[np.int64]] = field(default_factory=dict[str, "NDArray[np.int64]"])

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: NDArray[np.int64]) -> Rows:
        group, time, origin = (
            None if found is None else found[index] for found in (self.group, self.time, self.origin)
        )
        maybe = {name: numbers[index] for name, numbers in self.maybe.items()}
        return Rows(self.x[index], self.y[index], group, time, origin, maybe)  # pyright: ignore[reportArgumentType]

    def __reduce__(self) -> tuple[Callable[..., Rows], tuple[Any, ...]]:
        """A mapped file is sent to another process by its name, not by its bytes."""
        x, others = self.x, (self.y, self.group, self.time, self.origin, self.maybe)
        if isinstance(x, np.memmap) and isinstance(x.base, mmap):
            return _reopened, (Path(str(x.filename)), *others)
        return _reopened, (x, *others)


def _reopened(
    x: Array | Path,
    y: Array,
    group: NDArray[np.int64] | None,
    time: NDArray[np.float64] | None,
    origin: NDArray[np.uint64] | None,
    maybe: Mapping[str, NDArray[np.int64]],
) -> Rows:
    return Rows(np.load(x, mmap_mode="c") if isinstance(x, Path) else x, y, group, time, origin, maybe)


@dataclass(frozen=True)
class Skipped:
    """A row or file that was left out, and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Task:
    """Data in two parts and a model to train on it; `gapless tune` splits `develop` into train and select.

    Args:
        name: what the run is called.
        develop: the rows to train on and to choose with.
        confirm: the rows for the verdict, opened once; None has a stratified share of `develop` put aside.
        classes: the names of the classes in the order of their numbers; empty for a regression.
        model: a function without arguments that returns a new, randomly initialised module; None takes the built-in
            model for this kind of data. The module maps (B, C, H, W) or (B, F) float32 to (B, classes), or (B, 1) for
            a regression. A function at the top level of a module can be sent to worker processes; a lambda cannot.
            A module for texts also has a method `encode(texts)`: it takes a sequence of str and returns what `forward`
            takes for them: a tensor (B, ...), or a dict of tensors by the names of forward's arguments (`input_ids` and
            `attention_mask` are understood by word dropout and mixup). It may have `learn(texts)`, which is called once
            with the texts it will be trained on, before training; and `unknown_id` and `special_ids`, the id of an
            unknown word and those that are never replaced by it (padding, ends), without which it gets no word dropout.
        categories: tables only: for each column the number of its categories, 0 for a numeric column. A categorical
            column holds whole numbers from 0.
        features: tables only: the names of the columns.
        model_name: how the model is called in reports.
        notes: what the user should know about the data, a sentence each (duplicates, constant columns ...).
        skipped: what was left out, and why.
        account: tables: what was made of each column of the source, and why.
        also: further test rows by name, of the same classes; scored once at the end, apart from the verdict.
        inputs: what reads further rows as these were read, for a trained model; None takes rows as they stand here.
        paraphrases: texts only: what operations that put in another text pick from, as in `augment.text.Resources`:
            the operation's name (`back_translate`, `contextual`) -> text -> its paraphrases, or none. Every text of
            `develop` must be known. Without any, `gapless tune` leaves the operation out of its search.
        group, time: what the rows' groups and moments are, such as the name of a column.
        metric: the name of one of `gapless.metrics`, for this kind of target. Empty: `accuracy` (share of rows that are
            right) for classes, `r2` (1 - squared error / variance of the target) for a regression.

    Raises:
        DataError: rows that cannot be right. UsageError: a metric that does not suit the target.
    """

    name: str
    develop: Rows
    confirm: Rows | None = None
    classes: tuple[str, ...] = ()
    model: Callable[[], nn.Module] | None = None
    categories: tuple[int, ...] = ()
    features: tuple[str, ...] = ()
    model_name: str = ""
    notes: tuple[str, ...] = field(default=(), compare=False)
    skipped: tuple[Skipped, ...] = field(default=(), compare=False)
    account: tuple[ColumnAccount, ...] = field(default=(), compare=False)
    also: tuple[tuple[str, Rows], ...] = ()
    inputs: Inputs | None = field(default=None, compare=False, repr=False)
    paraphrases: Mapping[str, Paraphrases] = field(default_factory=dict[str, "Paraphrases"], compare=False, repr=False)
    group: str = "group"
    time: str = "time"
    metric: str = ""

    def __post_init__(self) -> None:
        _check_rows(f"{self.name}: develop", self.develop, len(self.classes))
        parts = (("confirm", self.confirm), *self.also)
        for part, rows in parts:
            if rows is None:
                continue
            _check_rows(f"{self.name}: {part}", rows, len(self.classes))
            if (rows.x.dtype, rows.x.shape[1:]) != (self.develop.x.dtype, self.develop.x.shape[1:]):
                raise DataError(
                    f"{self.name}: {part} rows have shape {rows.x.shape[1:]}, "
                    f"develop rows {self.develop.x.shape[1:]}; they must be alike"
                )
            if (rows.group is None) != (self.develop.group is None):
                given, without = ("develop", part) if rows.group is None else (part, "develop")
                raise DataError(
                    f"{self.name}: {given} rows have groups, {without} rows have none; give both or neither"
                )
        for name, rows in self.also:
            if len(rows) < 2:
                raise DataError(f"{self.name}: {name} must have two rows or more for an interval, got {len(rows)}")
        if self.kind == "table" and self.categories and len(self.categories) != self.develop.x.shape[1]:
            raise DataError(
                f"{self.name}: categories must name every column: {self.develop.x.shape[1]} columns, "
                f"got {len(self.categories)} entries"
            )
        if self.paraphrases:
            _check_paraphrases(self)
        object.__setattr__(self, "metric", self.judged_by.name)

    @property
    def kind(self) -> Kind:
        kinds: dict[int, Kind] = {4: "image", 2: "table", 1: "text"}
        return kinds[self.develop.x.ndim]

    @property
    def shape(self) -> tuple[int, ...]:
        """What one row looks like to the model: (C, H, W) or (F,); () for a text."""
        if self.kind == "image":
            height, width, channels = self.develop.x.shape[1:]
            return (channels, height, width)
        return self.develop.x.shape[1:]

    @property
    def outputs(self) -> int:
        return max(1, len(self.classes))

    @property
    def judged_by(self) -> Metric:
        """The metric that is called `metric`."""
        return chosen(self.metric, len(self.classes), self.name)

    @property
    def resources(self) -> Resources:
        """What operations on its texts read besides the text."""
        from gapless.augment.text import Resources

        return Resources(paraphrases=self.paraphrases)

    @property
    def categorical(self) -> Sequence[int]:
        """The numbers of the categorical columns."""
        return [i for i, n in enumerate(self.categories) if n]


def with_model(
    task: Task, model: str | Callable[[], nn.Module] | None = None, size: ModelOptions | None = None
) -> Task:
    """The task with its model and the model's name.

    Args:
        model: a built-in name, `module:function`, or a function that builds the model. None: the task's own, or the
            built-in one for this kind of data.
        size: of a built-in model.

    Raises:
        UsageError: a model that does not take this kind of data, or a size that it does not take.
        DataError: a `module:function` that cannot be imported.
    """
    size = size or ModelOptions()
    if callable(model) or (model is None and task.model is not None):
        if size != ModelOptions():
            raise UsageError(f"--width and --depth are for built-in models; {task.name} brings a model of its own")
        name = getattr(model, "__name__", None) or task.model_name or "the task's own"
        return replace(task, model=model or task.model, model_name=name)
    name, build = choose(model, task.kind, task.shape, task.outputs, task.categories, size)
    task = replace(task, model=build, model_name=name)
    if task.kind == "text" and name in BUILTIN:
        from gapless.models.text import notes_on

        task = replace(task, notes=(*task.notes, *notes_on(task.develop.x.tolist())))
    return task


def _check_rows(where: str, rows: Rows, classes: int) -> None:
    x, y = rows.x, rows.y
    if (x.ndim, x.dtype) not in ((4, np.uint8), (2, np.float32), (1, np.object_)):
        raise DataError(
            f"{where}: x must be pictures, uint8 (N, H, W, C), a table, float32 (N, F), or texts, an array of str "
            f"objects (N,): np.array(texts, dtype=object); got {x.dtype} {x.shape}"
        )
    if x.ndim == 4 and x.shape[3] not in (1, 3, 4):
        raise DataError(f"{where}: images must have 1, 3 or 4 channels last, got {x.shape[3]} in {x.shape}")
    if y.shape != (len(x),):
        raise DataError(f"{where}: y must have one label for each of the {len(x)} rows, got shape {y.shape}")
    if not len(x):
        raise DataError(f"{where}: there are no rows")
    for name, found, kind in (("group", rows.group, "i"), ("time", rows.time, "f")):
        if found is not None and (found.shape != y.shape or found.dtype.kind != kind or not np.isfinite(found).all()):
            numbers = "whole numbers (int64)" if kind == "i" else "finite numbers (float64)"
            raise DataError(f"{where}: {name} must be {numbers}, one a row: {y.shape}, got {found.dtype} {found.shape}")
    if x.ndim == 1:
        _check_texts(where, x)
    if x.ndim == 2 and not np.isfinite(x).all():
        raise DataError(f"{where}: x holds NaN or infinite values; fill or remove them first")
    if classes == 1:
        raise DataError(f"{where}: there is only one class, so there is nothing to learn; two or more are needed")
    if classes:
        if y.dtype != np.int64 or y.min() < 0 or y.max() >= classes:
            raise DataError(
                f"{where}: y must hold int64 class numbers from 0 to {classes - 1}, "
                f"got {y.dtype} from {y.min()} to {y.max()}"
            )
    elif y.dtype != np.float32 or not np.isfinite(y).all():
        raise DataError(f"{where}: the target of a regression must be finite float32, got {y.dtype}")


def _check_texts(where: str, x: Array) -> None:
    for row, text in enumerate(x.tolist()):
        if not isinstance(text, str) or not text.strip():
            got = "an empty text" if isinstance(text, str) else f"a {type(text).__name__}"
            raise DataError(f"{where}: every text must be a str with something in it, got {got} in row {row}")


def _check_paraphrases(task: Task) -> None:
    from gapless.augment.text import OPS

    known = [name for name, op in OPS.items() if op.whole_text]
    if task.kind != "text":
        raise DataError(f"{task.name}: paraphrases are for texts; leave them out")
    for name, found in task.paraphrases.items():
        if name not in known:
            raise DataError(f"{task.name}: paraphrases must be for one of {', '.join(known)}, got {name!r}")
        for row, text in enumerate(task.develop.x.tolist()):
            if text not in found:
                raise DataError(
                    f"{task.name}: paraphrases for {name}: row {row} of develop is not among the texts; make them for "
                    "every text, an empty tuple where there are none"
                )
            if isinstance(found[text], str):
                raise DataError(
                    f"{task.name}: paraphrases for {name}: row {row} of develop has a str; give a sequence of str, "
                    "such as a tuple of one"
                )
