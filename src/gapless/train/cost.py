"""What one step of a training keeps in memory: counted, not guessed from what a process happens to hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from gapless.train.loop import Plan, Trainer

if TYPE_CHECKING:
    from torch import Tensor

    from gapless.data import Task
    from gapless.recipe import Recipe

_ROWS = 2000
"""Rows at most that a step's model learns from; a model for texts takes its words from them."""


@dataclass(frozen=True)
class StepMemory:
    """Bytes. weights: of the model, its buffers, and their averages where they are kept; optimizer: its state and the
    gradients; kept: what the forward pass of one batch leaves for the backward pass."""

    weights: int
    optimizer: int
    kept: int

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.kept


def step_memory(task: Task, recipe: Recipe, lr: float, plan: Plan, seed: int) -> StepMemory:
    """What a training with this recipe holds during a step, on the CPU, in one step of a fresh model.

    Tensors are counted once however many views of them are kept. The copies that an operation makes for a moment are
    not counted, nor is the data.
    """
    rows = np.arange(min(len(task.develop), _ROWS), dtype=np.int64)
    trainer = Trainer(task, rows, recipe, lr, seed, replace(plan, epochs=1, device="cpu"), task.develop)
    own = {_place(t) for t in (*trainer.model.parameters(), *trainer.model.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if (place := _place(tensor)) not in own:
            kept[place] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        trainer.step()
    models = [trainer.model] if trainer.average is None else [trainer.model, trainer.average]
    weights = sum(_bytes(t) for m in models for t in (*m.parameters(), *m.buffers()))
    states = [t for state in trainer.optimizer.state.values() for t in state.values() if isinstance(t, torch.Tensor)]
    gradients = sum(_bytes(p.grad) for p in trainer.model.parameters() if p.grad is not None)
    return StepMemory(weights, sum(map(_bytes, states)) + gradients, sum(kept.values()))


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
