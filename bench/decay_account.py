"""What the account of weight decay costs: an optimizer built by a recipe, for models of several kinds and sizes.

python bench/decay_account.py    prints milliseconds, the best of five, for a model of its kind built anew each time
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gapless.recipe import Decay, Recipe

RECIPE = Recipe(decay=Decay(strength=0.1))


class OwnNorm(nn.Module):
    """A norm of a class that nobody knows, as every library of language models has one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * x.square().mean(-1, keepdim=True).add(1e-6).rsqrt()


def text_bag() -> nn.Module:
    return nn.Sequential(nn.EmbeddingBag(20_000, 64, mode="mean", padding_idx=0), nn.Linear(64, 2))


def transformer() -> nn.Module:
    with torch.device("cpu"):
        blocks = [nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True) for _ in range(14)]
    return nn.Sequential(*blocks)


def own_norms() -> nn.Module:
    return nn.Sequential(*(layer for _ in range(48) for layer in (nn.Linear(256, 256), OwnNorm(256))))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "bag of words, 20,000 x 64": text_bag,
    "48 linear layers, each with a norm of an unknown class": own_norms,
    "transformer, 100 million parameters": transformer,
}


def main() -> None:
    RECIPE.optimizer(nn.Linear(2, 2), lr=1e-3)  # what torch imports for its first optimizer
    for name, build in MODELS.items():
        model = build()
        times: list[float] = []
        for _ in range(5):
            start = time.perf_counter()
            RECIPE.optimizer(model, lr=1e-3)
            times.append(1000 * (time.perf_counter() - start))
        size = sum(p.numel() for p in model.parameters()) / 1e6
        print(f"{name:56} {size:6.1f} M  first {times[0]:8.2f} ms  best {min(times):8.2f} ms")


if __name__ == "__main__":
    main()
