"""accelerate: the recipe before or after `Accelerator.prepare`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import Tensor, nn

from gapless.integrations import loop
from gapless.integrations.batches import Key
from gapless.recipe import Recipe


class Gapless(loop.Gapless):
    """As `gapless.integrations.loop.Gapless`, in a loop of accelerate's.

        gapless = Gapless("recipe.toml", model, accelerator, classes=10)
        model, optimizer, loader = accelerator.prepare(model, gapless.optimizer(optimizer), loader)
        for inputs, targets in gapless.batches(loader, epoch):
            ...

    After `prepare` it works as well where that leaves the module as it is: with one process and without compiling;
    else it raises and says what to do first. Wrapped optimizers and schedulers are understood. What was measured is
    saved and loaded with the accelerator's state. Draws are keyed by batch: processes that take whole batches in turn
    see what one process would see.

    Args:
        accelerator: saves and loads what was measured with its state.
        recipe, model, others: as there.
    """

    def __init__(
        self,
        recipe: Recipe | str | Path | None,
        model: nn.Module,
        accelerator: Accelerator,
        *,
        classes: int | None = None,
        inputs: Key | None = None,
        labels: Key | None = None,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        categorical: Sequence[int] = (),
        seed: int = 0,
        rows: int = 1000,
        score: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> None:
        super().__init__(
            recipe,
            model,
            classes=classes,
            inputs=inputs,
            labels=labels,
            mean=mean,
            std=std,
            categorical=categorical,
            seed=seed,
            rows=rows,
            score=score,
        )
        self.dealt = False
        accelerator.register_for_checkpointing(self)
