"""Operations that move pixels. A matrix takes a place in the output to its place in the input, so it is the inverse of
what is seen.
"""

from __future__ import annotations

import numpy as np

from gapless.augment.image.algebra import Floats, Warp, rows
from gapless.augment.image.ops.declare import Declared, Range, Size
from gapless.augment.prior import Prior

GEOMETRY = Declared()

_AUTOAUGMENT = "AutoAugment, Cubuk et al., arXiv 1805.09501, table 6"
_ALEXNET = "Krizhevsky et al., NIPS 2012, section 4.1"


def factor(share: Floats) -> Floats:
    """A factor for a signed share: 0.25 is 1.25, -0.25 is 1 / 1.25, so that both signs are equally strong."""
    return np.where(share < 0, 1 / (1 + np.abs(share)), 1 + np.abs(share))


def _whole_range(r: Range) -> str:
    return f"range({r.low:.0f}, {r.high + 1:.0f})"


def _straight(x: Floats | float, y: Floats | float, dx: Floats | float = 0.0, dy: Floats | float = 0.0) -> Warp:
    return Warp(rows((x, 0, dx), (0, y, dy), (0, 0, 1)), straight=True)


@GEOMETRY.op(
    180,
    "deg",
    signed=True,
    sized=True,
    source=_AUTOAUGMENT,
    torchvision=lambda r: f"RandomRotation({r.plain}{r.constant})",
    albumentations=lambda r: f"Affine(rotate={r.plain}{r.border})",
    prior=Prior("rotate", 2.0, 30.0, 15.0),
)
def rotate(angle: Floats, size: Size) -> Warp:
    """Turns the picture about its centre, counter-clockwise for a positive angle."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return Warp(rows((c, -s / size.aspect, 0), (s * size.aspect, c, 0), (0, 0, 1)))


@GEOMETRY.op(
    3,
    "turns",
    law="whole",
    sized=True,
    source="Cohen and Welling, arXiv 1602.07576",
    torchvision=lambda r: f"RandomChoice([v2.RandomRotation((90 * n, 90 * n){r.constant}) for n in {_whole_range(r)}])",
    albumentations=lambda r: f"OneOf([A.Affine(rotate=(90 * n, 90 * n){r.border}, p=1) for n in {_whole_range(r)}])",
)
def quarter_turn(turns: Floats, size: Size) -> Warp:
    """Turns the picture by right angles, exactly; a picture that is not square is cut or filled as by any rotation."""
    c, s = (np.array([values[int(n) % 4] for n in turns], np.float64) for values in ((1, 0, -1, 0), (0, 1, 0, -1)))
    return Warp(rows((c, -s / size.aspect, 0), (s * size.aspect, c, 0), (0, 0, 1)))


@GEOMETRY.op(
    0.9,
    "share",
    signed=True,
    source="Simard et al., ICDAR 2003",
    torchvision=lambda r: f"RandomAffine(0, scale={r.shares}{r.constant})",
    albumentations=lambda r: f"Affine(scale={r.shares}{r.border})",
    prior=Prior("scale", 0.02, 0.3, 0.15),
)
def scale(share: Floats) -> Warp:
    """Makes the picture larger about its centre by this share of its sides, or smaller for a negative one."""
    f = 1 / (1 + share)
    return _straight(f, f)


@GEOMETRY.op(
    3,
    "share",
    source="Simonyan and Zisserman, arXiv 1409.1556, section 3.1",
    torchvision=lambda r: f"RandomAffine(0, scale={r.shares}{r.constant})",
    albumentations=lambda r: f"Affine(scale={r.shares}{r.border})",
)
def zoom(share: Floats) -> Warp:
    """Makes the picture larger by this share about its centre, never smaller, so that nothing has to be filled."""
    f = 1 / (1 + share)
    return _straight(f, f)


@GEOMETRY.op(1, "share", signed=True, source="Szegedy et al., arXiv 1409.4842, section 6")
def aspect(share: Floats) -> Warp:
    """Makes the picture wider than high by this share, or higher than wide, at the same area."""
    f = np.sqrt(factor(share))
    return _straight(1 / f, f)


@GEOMETRY.op(
    1,
    "share",
    signed=True,
    source=_AUTOAUGMENT,
    torchvision=lambda r: f"RandomAffine(0, translate=({r.high:g}, 0){r.constant})" if r.low == -r.high else None,
    albumentations=lambda r: f"Affine(translate_percent={{'x': {r.plain}, 'y': 0}}{r.border})",
    prior=Prior("translate", 0.02, 0.25, 0.1),
)
def translate_x(share: Floats) -> Warp:
    """Moves the picture to the right by a share of its width."""
    return _straight(1, 1, dx=-2 * share)


@GEOMETRY.op(
    1,
    "share",
    signed=True,
    source=_AUTOAUGMENT,
    torchvision=lambda r: f"RandomAffine(0, translate=(0, {r.high:g}){r.constant})" if r.low == -r.high else None,
    albumentations=lambda r: f"Affine(translate_percent={{'x': 0, 'y': {r.plain}}}{r.border})",
    prior=Prior("translate", 0.02, 0.25, 0.1),
)
def translate_y(share: Floats) -> Warp:
    """Moves the picture down by a share of its height."""
    return _straight(1, 1, dy=-2 * share)


@GEOMETRY.op(
    64,
    "px",
    signed=True,
    law="whole",
    sized=True,
    source="He et al., arXiv 1512.03385, section 4.2",
    albumentations=lambda r: f"Affine(translate_px={{'x': {r.whole}, 'y': 0}}{r.border})",
)
def shift_x(pixels: Floats, size: Size) -> Warp:
    """Moves the picture to the right by whole pixels."""
    return _straight(1, 1, dx=-2 * pixels / size.width)


@GEOMETRY.op(
    64,
    "px",
    signed=True,
    law="whole",
    sized=True,
    source="He et al., arXiv 1512.03385, section 4.2",
    albumentations=lambda r: f"Affine(translate_px={{'x': 0, 'y': {r.whole}}}{r.border})",
)
def shift_y(pixels: Floats, size: Size) -> Warp:
    """Moves the picture down by whole pixels."""
    return _straight(1, 1, dy=-2 * pixels / size.height)


@GEOMETRY.op(
    64,
    "px",
    law="fixed",
    draws=2,
    sized=True,
    source="He et al., arXiv 1512.03385, section 4.2",
    torchvision=lambda r: f"RandomCrop({r.size}, padding={r.high:.0f}{_padding(r.fill)})" if r.size else None,
    albumentations=lambda r: f"Affine(translate_px={{'x': {_both(r)}, 'y': {_both(r)}}}{r.border})",
)
def pad_crop(pixels: Floats, x: Floats, y: Floats, size: Size) -> Warp:
    """Pads every side by this many pixels and crops the old size anywhere in it: a move by whole pixels."""
    left, up = (np.floor(u * (2 * pixels + 1)) - pixels for u in (x, y))
    return _straight(1, 1, dx=2 * left / size.width, dy=2 * up / size.height)


def _padding(fill: str) -> str:
    """torchvision's names; there, reflecting doubles the edge under the name `symmetric`."""
    modes = {"black": "", "gray": ", fill=128", "edge": ", padding_mode='edge'"}
    return modes.get(fill, ", padding_mode='symmetric'")


def _both(r: Range) -> str:
    return f"({-r.high:.0f}, {r.high:.0f})"


@GEOMETRY.op(0.9, "share", draws=2, source=_ALEXNET)
def crop(left_out: Floats, x: Floats, y: Floats) -> Warp:
    """Shows a part of the picture, anywhere, that leaves out this share of each side, enlarged to the old size."""
    side = 1 - left_out
    return _straight(side, side, left_out * (2 * x - 1), left_out * (2 * y - 1))


@GEOMETRY.op(
    60,
    "deg",
    signed=True,
    sized=True,
    source=_AUTOAUGMENT,
    torchvision=lambda r: f"RandomAffine(0, shear=({r.low:g}, {r.high:g}, 0, 0){r.constant})",
    albumentations=lambda r: f"Affine(shear={{'x': {r.plain}, 'y': 0}}{r.border})",
    prior=Prior("shear", 2.0, 20.0, 10.0),
)
def shear_x(angle: Floats, size: Size) -> Warp:
    """Slants the picture sideways about its centre, its upper half to the right for a positive angle."""
    return Warp(rows((1, np.tan(np.deg2rad(angle)) / size.aspect, 0), (0, 1, 0), (0, 0, 1)))


@GEOMETRY.op(
    60,
    "deg",
    signed=True,
    sized=True,
    source=_AUTOAUGMENT,
    torchvision=lambda r: f"RandomAffine(0, shear=(0, 0, {r.low:g}, {r.high:g}){r.constant})",
    albumentations=lambda r: f"Affine(shear={{'x': 0, 'y': {r.plain}}}{r.border})",
    prior=Prior("shear", 2.0, 20.0, 10.0),
)
def shear_y(angle: Floats, size: Size) -> Warp:
    """Slants the picture up and down about its centre, its left half downwards for a positive angle."""
    return Warp(rows((1, 0, 0), (np.tan(np.deg2rad(angle)) * size.aspect, 1, 0), (0, 0, 1)))


@GEOMETRY.op(
    1,
    "on",
    law="switch",
    source=_ALEXNET,
    torchvision=lambda _: "RandomHorizontalFlip(1)",
    albumentations=lambda _: "HorizontalFlip()",
    prior=Prior("flip", 0.2, 0.5, 0.5, chance=True),
)
def flip_x(on: Floats) -> Warp:
    """Mirrors the picture left to right."""
    return _straight(1 - 2 * on, 1)


@GEOMETRY.op(
    1,
    "on",
    law="switch",
    source=_ALEXNET,
    torchvision=lambda _: "RandomVerticalFlip(1)",
    albumentations=lambda _: "VerticalFlip()",
)
def flip_y(on: Floats) -> Warp:
    """Mirrors the picture top to bottom."""
    return _straight(1, 1 - 2 * on)


_CORNERS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])


@GEOMETRY.op(
    0.8,
    "share",
    draws=8,
    source="torchvision RandomPerspective",
    torchvision=lambda r: r.only(f"RandomPerspective({r.high:g}, p=1{r.constant})"),
)
def perspective(share: Floats, *inward: Floats) -> Warp:
    """Moves each corner inwards by up to this share of half the sides, as if the picture were seen from aside."""
    moved = _CORNERS * (1 - share[:, None, None] * np.stack(inward, axis=1).reshape(-1, 4, 2))
    system = np.zeros((len(share), 8, 8))
    x, y = moved[:, :, 0], moved[:, :, 1]
    for axis in range(2):
        line = system[:, axis::2]
        line[:, :, 3 * axis : 3 * axis + 3] = np.stack([x, y, np.ones_like(x)], axis=2)
        line[:, :, 6] = -x * _CORNERS[:, axis]
        line[:, :, 7] = -y * _CORNERS[:, axis]
    entries = np.linalg.solve(system, np.broadcast_to(_CORNERS.reshape(8, 1), (len(share), 8, 1)))[:, :, 0]
    matrices = np.concatenate([entries, np.ones((len(share), 1))], axis=1).reshape(-1, 3, 3)
    return Warp(np.where((share == 0)[:, None, None], Warp.identity, matrices))


def area_sides(area: Floats, u: Floats, low: float, high: float, size: Size) -> tuple[Floats, Floats]:
    """Shares of width and height of a box of this share of the area, its width / height in pixels log-uniform.

    Ratios for which the box would not fit into the picture are left out of the range, down to the nearest that fits;
    torchvision draws area and ratio again instead.
    """
    smallest = np.clip(np.maximum(low, area * size.aspect), None, size.aspect / area)
    largest = np.clip(np.minimum(high, size.aspect / area), area * size.aspect, None)
    ratio = smallest * (np.maximum(largest, smallest) / smallest) ** u
    return np.minimum(np.sqrt(area * ratio / size.aspect), 1), np.minimum(np.sqrt(area * size.aspect / ratio), 1)


@GEOMETRY.op(
    0.99,
    "share",
    draws=3,
    sized=True,
    source="Szegedy et al., arXiv 1409.4842, section 6",
    torchvision=lambda r: f"RandomResizedCrop({r.size}, scale=({1 - r.high:g}, {1 - r.low:g}))" if r.size else None,
    albumentations=lambda r: (
        f"RandomResizedCrop({r.size}, scale=({1 - r.high:g}, {1 - r.low:g}), area_for_downscale='image')"
        if r.size
        else None
    ),
)
def resized_crop(left_out: Floats, ratio: Floats, x: Floats, y: Floats, size: Size) -> Warp:
    """Shows a box anywhere, leaving out this share of the area, its width / height from 3/4 to 4/3; antialiased."""
    width, height = area_sides(1 - left_out, ratio, 3 / 4, 4 / 3, size)
    inside = _straight(width, height, (1 - width) * (2 * x - 1), (1 - height) * (2 * y - 1))
    return Warp(np.where((left_out == 0)[:, None, None], Warp.identity, inside.data), straight=True, smooth=True)
