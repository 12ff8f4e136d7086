"""What a step holds in memory is counted: weights, the optimizer's state, and what waits for the backward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_tasks import pictures, table, texts

from gapless.recipe import BatchNorm, Dropout, Recipe
from gapless.train.cost import step_memory
from gapless.train.loop import Plan, Trainer


@pytest.mark.parametrize("make", [pictures, table, texts])
def test_weights_and_state_are_those_of_the_model(make) -> None:
    task = make()
    found = step_memory(task, Recipe(), 1e-3, Plan(1, 16), 0)
    model = task.model()
    if task.kind == "text":
        model.learn(task.develop.x.tolist())
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    buffers = sum(b.numel() * b.element_size() for b in model.buffers())
    assert found.weights == size + buffers
    assert found.optimizer == pytest.approx(3 * size, rel=0.01), "a gradient and two moments, and the counts of steps"
    assert found.total == found.weights + found.optimizer + found.kept


def test_what_is_kept_grows_with_the_batch_and_with_the_recipe() -> None:
    task = pictures()
    small, large = (step_memory(task, Recipe(), 1e-3, Plan(1, size), 0).kept for size in (8, 32))
    assert 3 * small < large < 5 * small
    more = Recipe(dropout=Dropout(hidden=0.2, channel=0.1), batchnorm=BatchNorm(insert=True))
    assert step_memory(task, more, 1e-3, Plan(1, 32), 0).kept > large


def test_a_linear_layer_keeps_its_input() -> None:
    """By hand: rows (B, F) into one layer, and a loss: the input is kept, and the log-probabilities."""
    from dataclasses import replace

    task = replace(table(), model=lambda: torch.nn.Linear(4, 3), model_name="linear")
    found = step_memory(task, Recipe(), 1e-3, Plan(1, 30), 0)
    labels = 30 * 8
    assert found.kept == pytest.approx(30 * 4 * 4 + 30 * 3 * 4 + labels, rel=0.1)


def test_averaged_weights_are_counted_and_nothing_global_is_drawn() -> None:
    task, state = pictures(), torch.get_rng_state()
    once, twice = (step_memory(task, Recipe(), 1e-3, Plan(1, 16, ema=ema), 0).weights for ema in (0.0, 0.9))
    assert 2 * once <= twice <= 2 * once + 64
    assert torch.equal(torch.get_rng_state(), state)


def test_a_step_apart_is_the_first_step_of_a_training() -> None:
    """What is measured is what trains: the first batch of the first epoch."""
    task = pictures()
    rows = np.arange(16)
    apart, whole = (Trainer(task, rows, Recipe(), 1e-2, 0, Plan(1, 16), task.develop) for _ in range(2))
    apart.step()
    whole.run_to(1)
    for one, other in zip(apart.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert apart.epoch == 0
