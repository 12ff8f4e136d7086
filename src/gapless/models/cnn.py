"""Three convolutions and a global average pool."""

import torch
from torch import Tensor, nn


class CNN(nn.Module):
    """Convolution, ReLU and halving, three times, then the mean over the picture and a linear head.

    Args:
        channels: channels of the pictures.
        outputs: number of classes, or 1.
        size: the shorter side of the pictures in pixels; larger pictures are halved more often before the last
            convolution, so that its maps are about 8 pixels wide at any size.
        width: channels of the first convolution; the others have twice and four times as many.

    Shape: (B, channels, H, W) -> (B, outputs).
    """

    def __init__(self, channels: int, outputs: int, size: int = 32, width: int = 16):
        super().__init__()
        wide = (width, 2 * width, 4 * width)
        self.conv1 = nn.Conv2d(channels, wide[0], 3, padding=1)
        self.conv2 = nn.Conv2d(wide[0], wide[1], 3, padding=1)
        self.conv3 = nn.Conv2d(wide[1], wide[2], 3, padding=1)
        self.head = nn.Linear(wide[2], outputs)
        self.pool1, self.pool2 = halvings(size)

    def forward(self, x: Tensor) -> Tensor:
        x = _halve(torch.relu(self.conv1(x)), self.pool1)
        x = _halve(torch.relu(self.conv2(x)), self.pool2)
        x = torch.relu(self.conv3(x))
        return self.head(x.mean((2, 3)))


def halvings(size: int) -> tuple[int, int]:
    """How often to halve after the first and second convolution: once each up to 47 pixels, then down to about 8."""
    total = 2
    while size >> total > 11:
        total += 1
    return (total + 1) // 2, total // 2


def _halve(x: Tensor, times: int) -> Tensor:
    return nn.functional.max_pool2d(x, 2**times) if min(x.shape[2:]) >= 2**times else x
