"""How pictures lie in memory: narrow networks survive their training."""

import numpy as np
import pytest
import torch
from small_tasks import pictures
from torch import nn

from gapless.recipe import Recipe
from gapless.train.loop import Plan, Trainer
from gapless.train.memory import picture_format


@pytest.mark.parametrize(
    ("layer", "format"),
    [
        (nn.Conv2d(4, 8, 1, 2), torch.contiguous_format),
        (nn.Conv2d(2, 8, 1, (1, 2)), torch.contiguous_format),
        (nn.Conv2d(4, 8, 1), torch.channels_last),
        (nn.Conv2d(4, 8, 3, 2, padding=1), torch.channels_last),
        (nn.Conv2d(8, 8, 1, 2), torch.channels_last),
        (nn.Conv2d(1, 8, 1, 2), torch.channels_last),
        (nn.Conv2d(4, 8, 1, 2, groups=2), torch.channels_last),
    ],
    ids=str,
)
def test_format_of_pictures(layer: nn.Module, format: torch.memory_format) -> None:
    assert picture_format(nn.Sequential(nn.Conv2d(3, 4, 3), layer)) == format


@pytest.mark.parametrize("width", [4, 8])
def test_weights_and_pictures_lie_alike(width: int) -> None:
    """The narrow one ends the process in channels_last, on a processor without AVX-512."""
    task = pictures(60, word="resnet", width=width)
    trainer = Trainer(task, np.arange(60), Recipe(), 0.01, 0, Plan(4, 16), task.develop)
    trainer.run_to(4)
    assert trainer.memory == (torch.contiguous_format if width == 4 else torch.channels_last)
    seen = trainer.feed.inputs(torch.arange(4))
    assert seen.is_contiguous(memory_format=trainer.memory)
    assert (seen.stride(1) == 1) == (width == 8)  # what torch tells the format of one channel by
    assert all(p.is_contiguous(memory_format=trainer.memory) for p in trainer.model.parameters() if p.ndim == 4)
