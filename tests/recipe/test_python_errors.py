"""What is built in Python is refused in the words that a recipe file gets."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gapless import batchnorm, decay, dropout
from gapless.errors import UsageError
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Op, Recipe

WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Dropout(hiden=0.3), "Dropout: there is no 'hiden' in Dropout. Did you mean 'hidden'?"),  # pyright: ignore
    (lambda: Dropout(hidden=1.0), "Dropout: hidden should be less than 1, got 1.0"),
    (lambda: Decay(on="wieghts"), "Decay: on should be 'weights' or 'everything', got 'wieghts'"),  # pyright: ignore
    (lambda: BatchNorm(insert=1), "BatchNorm: insert should be a valid boolean, got 1"),  # pyright: ignore
    (lambda: Recipe(droput=Dropout()), "Recipe: there is no 'droput' in a recipe. Did you mean 'dropout'?"),  # pyright: ignore
    (lambda: Recipe(decay={"strenth": 1.0}), "there is no 'decay.strenth' in a recipe. Did you mean 'strength'?"),  # pyright: ignore
    (lambda: Op(op="rotat", strength=1.0), "Op: there is no operation 'rotat'. Did you mean 'rotate'?"),
    (lambda: Op(op="rotate"), "Op: strength is missing"),  # pyright: ignore
    (
        lambda: Augment(ops=({"op": "rotate", "strngth": 1.0},)),
        "no 'ops.0.strngth' in Augment. Did you mean 'strength'",
    ),  # pyright: ignore
    (lambda: dropout.Dropout(1.5), "Dropout: p must be in"),
    (lambda: dropout.attach(nn.Linear(2, 2), hidden=2.0), "attach: hidden must be in"),
    (lambda: batchnorm.insert(nn.Linear(2, 2), momentum=2.0), "momentum must be in"),
    (lambda: batchnorm.GhostBatchNorm(4, ghost_size=0), "ghost_size"),
    (lambda: decay.groups(nn.Linear(2, 2), -1.0), "weight_decay must be a finite number >= 0, got -1.0"),
    (lambda: decay.MaxNorm(0.0), "limit must be a finite number > 0"),
    (lambda: decay.decouple(torch.optim.SGD([torch.ones(1)]), "decopled"), "Did you mean 'decoupled'"),  # pyright: ignore
]


@pytest.mark.parametrize(("build", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_wrong_arguments_are_usage_errors(build: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        build()
    assert said in str(caught.value)
    assert "pydantic" not in str(caught.value)
