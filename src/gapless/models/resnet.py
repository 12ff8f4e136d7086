"""A residual network for small pictures, plain: the normalization is left to the recipe."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """x + second(relu(first(x))), then ReLU; the short cut is a 1x1 convolution where the shape changes.

    The second convolution starts at zero, so that a deep network without normalization begins as the identity
    (Zhang et al., Fixup Initialization, ICLR 2019, section 3).
    """

    def __init__(self, wide_in: int, wide: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(wide_in, wide, 3, stride, padding=1)
        self.second = nn.Conv2d(wide, wide, 3, padding=1)
        self.short = nn.Conv2d(wide_in, wide, 1, stride) if stride > 1 or wide_in != wide else nn.Identity()
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.short(x) + self.second(torch.relu(self.first(x))))


class ResNet(nn.Module):
    """A stem, three stages of residual blocks, global average pool and a linear head.

    Args:
        channels, outputs: of the pictures, and of the head.
        size: the shorter side of the pictures in pixels; from 64 on the stem halves them, from 128 on twice.
        width: channels of the first stage; doubled at each further one.
        depth: residual blocks in a stage.

    Shape: (B, channels, H, W) -> (B, outputs). He et al., Deep Residual Learning, CVPR 2016, section 4.2, without its
    batch norm.
    """

    def __init__(self, channels: int, outputs: int, size: int = 32, width: int = 16, depth: int = 1):
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.shrink = 4 if size >= 128 else 2 if size >= 64 else 1
        wide = [width, width, 2 * width, 4 * width]
        self.stages = nn.ModuleList(
            nn.Sequential(
                *[
                    Block(wide[stage] if i == 0 else wide[stage + 1], wide[stage + 1], 2 if stage and i == 0 else 1)
                    for i in range(depth)
                ]
            )
            for stage in range(3)
        )
        self.head = nn.Linear(wide[3], outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        if self.shrink > 1:
            x = functional.max_pool2d(x, self.shrink)
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean((2, 3)))
