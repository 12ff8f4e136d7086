"""The models that recipes are tried on."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gapless.models import CNN, MLP, ResNet
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Recipe


class Mixed(nn.Module):
    """Dropouts of its own, one part in eval mode, one frozen, a hook of the user's."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Dropout2d(0.05), nn.Conv2d(4, 4, 3), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.05), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10))
        self.features[3].eval()
        self.features[0].requires_grad_(False)
        self.calls = 0
        self.head[1].register_forward_hook(self._count)

    def _count(self, module: nn.Module, args: Any, output: Any) -> None:
        self.calls += 1

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "cnn": lambda: CNN(1, 10, 8),
    "resnet": lambda: ResNet(1, 10, 8),
    "mlp": lambda: MLP((1, 8, 8), 10),
    "mlp with embeddings": lambda: MLP((4,), 3, (0, 3, 0, 5)),
    "mixed": Mixed,
}
FULL = Recipe(
    dropout=Dropout(hidden=0.3, channel=0.2, input=0.1),
    batchnorm=BatchNorm(insert=True),
    decay=Decay(strength=0.1),
    augment=Augment(mixup=0.2),
)


def built(name: str) -> nn.Module:
    torch.manual_seed(3)
    return MODELS[name]()
