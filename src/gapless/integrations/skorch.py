"""skorch: `NeuralNetClassifier(..., callbacks=[("gapless", Gapless("recipe.toml"))])`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from skorch.callbacks import Callback
from skorch.dataset import unpack_data
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from gapless.errors import UsageError
from gapless.integrations.batches import Fields, Place, Shown
from gapless.integrations.fold import fold_in_place
from gapless.integrations.gap import answers_in, score_rows
from gapless.integrations.groups import regularize
from gapless.integrations.watch import Watch
from gapless.recipe import Recipe

if TYPE_CHECKING:
    from skorch import NeuralNet

    from gapless.integrations.clean import Scored
    from gapless.surgery import Change


class Gapless(Callback):
    """A recipe in a skorch training; without one it only watches. Put it before other callbacks.

    Before the first epoch the recipe is attached to `module_` and `optimizer_` decays what it says, whatever optimizer
    the net has; training batches are varied; after each epoch the gap stands in the history, and so in the table that
    skorch prints: `gap`, with `gap_low` and `gap_high`. Validation and prediction see the data as they are.

    Arguments are parameters in scikit-learn's sense, so a grid can go over recipes: `callbacks__gapless__recipe`.

    Args:
        recipe: a Recipe or the path of its TOML; None changes nothing.
        classes: how many classes there are, where the recipe mixes or smooths class labels. The loss must then be
            CrossEntropyLoss with a module that gives logits, or skorch's usual NLLLoss with one that gives shares.
        mean, std: what your data are normalised by; without them pictures must be in [0, 1] if the recipe has
            operations on pictures.
        categorical: tables: the numbers of the columns that hold categories.
        seed: of the augmentation; draws are keyed by it, the epoch's place in the history, batch and row.
        at_end: "fold" folds inserted batch norm into the weights after `fit` and takes dropout out; "keep" does not.
        rows: how many training rows and new rows the gap is measured on; 0 measures none.
        every: epochs between two measurements.
        clean: a loader of training rows without random transforms; where the training data set has some.
        score: how to score a batch that the usual way does not fit: (module, batch) to (B,) losses.

    Raises:
        UsageError: when the training begins: the recipe cannot be read or does not fit the module or the loss.
    """

    def __init__(
        self,
        recipe: Recipe | str | Path | None,
        classes: int | None = None,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        categorical: Sequence[int] = (),
        seed: int = 0,
        at_end: Literal["keep", "fold"] = "keep",
        rows: int = 1000,
        every: int = 1,
        clean: Any = None,
        score: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> None:
        self.recipe = recipe
        self.classes = classes
        self.mean, self.std, self.categorical = mean, std, categorical
        self.seed = seed
        self.at_end = at_end
        self.rows, self.every, self.clean, self.score = rows, every, clean, score

    @classmethod
    def watch(
        cls,
        rows: int = 1000,
        every: int = 1,
        clean: Any = None,
        score: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> Gapless:
        """Changes nothing and only measures: the gap each epoch; at the end it says when overfitting began, what is
        switched on, and what to try. Arguments as of the class."""
        return cls(None, rows=rows, every=every, clean=clean, score=score)

    def initialize(self) -> Gapless:
        """Called by skorch."""
        self.change_: Change | None = None
        self.watched_: Watch | None = None
        self.batch_ = 0
        given = self.recipe
        self.used_ = given if given is None or isinstance(given, Recipe) else Recipe.load(given)
        shape = tuple(self.mean), tuple(self.std), tuple(self.categorical)
        self.shown_ = Shown(self.used_ or Recipe(), self.seed, self.classes, Fields(0, 1), *shape)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """A pickled net has the model with its recipe; attaching that again changes nothing. It leaves the data out."""
        return {name: value for name, value in vars(self).items() if name not in ("change_", "watched_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, **({"change_": None, "watched_": None} if "used_" in state else {}))

    # ── the module, the optimizer, the batch ──

    def on_train_begin(self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Called by skorch."""
        if self.used_ is None:
            return
        before = {id(p) for p in net.module_.parameters()}
        if self.change_ is None or self.change_.model is not net.module_:
            self.change_ = self.used_.attach(net.module_)
        new = [p for p in net.module_.parameters() if id(p) not in before]
        schedulers = [getattr(callback, "lr_scheduler_", None) for _, callback in net.callbacks_]
        holding = [s for s in schedulers if isinstance(s, LRScheduler)]
        regularize(net.optimizer_, self.used_.decay, net.module_, holding, new)
        if self.used_.augment.active:
            self._check_loss(net)
            net.train_step_single = partial(self._varied, net, net.train_step_single)
            net.get_loss = partial(_loss, net, net.get_loss)

    def _check_loss(self, net: NeuralNet) -> None:
        loss = net.criterion_
        if not self.shown_.soft or not isinstance(loss, nn.NLLLoss):
            return
        if loss.weight is not None or loss.reduction != "mean":
            raise UsageError(
                "this recipe mixes or smooths labels, which NLLLoss with weights or without a mean cannot take; use "
                "criterion=torch.nn.CrossEntropyLoss with a module that gives logits"
            )

    def _varied(self, net: NeuralNet, step: Callable[..., Any], batch: Any, **fit_params: Any) -> Any:
        x, y = unpack_data(batch)
        place = Place(len(net.history) - 1, self.batch_)
        with self.shown_.shown(net.module_, (_tensor(x, net), _tensor(y, net)), place) as shown:
            return step(shown, **fit_params)

    def on_epoch_begin(self, net: NeuralNet, dataset_train: Any = None, dataset_valid: Any = None, **kw: Any) -> None:
        """Called by skorch."""
        self.batch_ = 0
        if self.watched_ is None and self.rows and dataset_valid is not None:
            train = net.get_iterator(dataset_train, training=False) if self.clean is None else self.clean
            self.watched_ = Watch(train, net.get_iterator(dataset_valid, training=False), self.rows)
            self.watched_.try_out(net.module_, partial(self._scored, net))

    def on_batch_end(self, net: NeuralNet, batch: Any = None, training: bool | None = None, **kwargs: Any) -> None:
        """Called by skorch."""
        self.batch_ += bool(training)

    # ── the gap ──

    def on_epoch_end(self, net: NeuralNet, dataset_train: Any = None, dataset_valid: Any = None, **kw: Any) -> None:
        """Called by skorch."""
        epoch = len(net.history) - 1
        if self.watched_ is None or (epoch + 1) % self.every:
            return
        gap = self.watched_.measure(net.module_, epoch, partial(self._scored, net)).main
        for name, value in (("gap", gap.gap), ("gap_low", gap.low), ("gap_high", gap.high)):
            net.history.record(name, value)

    def _scored(self, net: NeuralNet, batch: Any) -> Scored:
        if self.score is not None:
            return self.score(net.module_, batch), None
        x, y = unpack_data(batch)
        return score_rows(answers_in(net.infer(x)), _tensor(y, net))

    # ── the end ──

    def on_train_end(self, net: NeuralNet, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Called by skorch."""
        for name in ("train_step_single", "get_loss"):
            vars(net).pop(name, None)
        if self.watched_ is not None and self.watched_.history and net.verbose:
            print(self.watched_.report(net.module_, [net.optimizer_], self.used_))
        if self.at_end == "fold" and self.change_ is not None:
            fold_in_place(self.change_)
            self.change_ = None


def _loss(
    net: NeuralNet, original: Callable[..., Tensor], y_pred: Any, y_true: Any, *args: Any, **kwargs: Any
) -> Tensor:
    """NLLLoss of shares of classes, which torch's own does not take."""
    soft = isinstance(y_true, Tensor) and y_true.is_floating_point() and y_true.ndim == 2
    if not soft or not isinstance(net.criterion_, nn.NLLLoss):
        return original(y_pred, y_true, *args, **kwargs)
    shares = y_pred[0] if isinstance(y_pred, tuple) else y_pred
    logs = torch.log(shares + torch.finfo(shares.dtype).eps) if _classifies(net) else shares
    return -(logs * y_true).sum(1).mean()


def _classifies(net: NeuralNet) -> bool:
    """Whether the net takes the logarithm itself, as NeuralNetClassifier does."""
    from skorch import NeuralNetClassifier

    return isinstance(net, NeuralNetClassifier)


def _tensor(value: Any, net: NeuralNet) -> Any:
    return value.to(net.device or "cpu") if isinstance(value, Tensor) else value
