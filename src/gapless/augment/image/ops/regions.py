"""Operations that paint parts of the picture over."""

from __future__ import annotations

import numpy as np

from gapless.augment.image.algebra import Box, Floats, Grid
from gapless.augment.image.ops.declare import Declared, Size
from gapless.augment.image.ops.geometry import area_sides
from gapless.augment.prior import Prior

REGIONS = Declared()

_GRAY = 0.5


def _box(x: Floats, y: Floats, width: Floats, height: Floats, level: Floats | float) -> Box:
    """Boxes with their centre (x, y) in half sides and shares of the sides; no box where a share is 0."""
    box = np.stack([x - width, y - height, x + width, y + height, np.broadcast_to(level, x.shape)], axis=1)
    return Box(np.where((width * height > 0)[:, None], box, 0.0))


@REGIONS.op(
    1,
    "share",
    draws=2,
    source="Cutout, DeVries and Taylor, arXiv 1708.04552",
    prior=Prior("erase", 0.05, 0.4, 0.2),
)
def erase(side: Floats, x: Floats, y: Floats) -> Box:
    """Paints a box gray that has this share of each side; its centre is anywhere, so parts of it may be outside."""
    return _box(2 * x - 1, 2 * y - 1, side, side, _GRAY)


@REGIONS.op(
    0.9,
    "share",
    draws=4,
    sized=True,
    source="Random Erasing, Zhong et al., arXiv 1708.04896",
)
def erase_area(area: Floats, ratio: Floats, x: Floats, y: Floats, level: Floats, size: Size) -> Box:
    """Paints a box of this share of the area in one random level, width / height 0.3 to 3.3, wholly inside."""
    width, height = area_sides(np.maximum(area, 1e-9), ratio, 0.3, 1 / 0.3, size)
    box = _box((1 - width) * (2 * x - 1), (1 - height) * (2 * y - 1), width, height, level)
    return box.where(area > 0)


@REGIONS.op(0.9, "share", draws=3, source="GridMask, Chen et al., arXiv 2001.04086")
def grid_mask(hidden: Floats, period: Floats, x: Floats, y: Floats) -> Grid:
    """Paints a grid of boxes gray, each this share of the period wide and high; periods 0.43 to 1 of the sides."""
    period = 2 * (0.43 + 0.57 * period)
    gray = np.full_like(period, _GRAY)
    return Grid(np.stack([period, period, hidden, x * period, y * period, gray], axis=1))
