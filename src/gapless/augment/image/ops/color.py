"""Operations on levels: colours, tables, neighbours and noise."""

from __future__ import annotations

import numpy as np
from numba import njit

from gapless.augment.image.algebra import (
    BLUR_RADIUS,
    LUMA,
    Blur,
    Color,
    Floats,
    Histogram,
    Hue,
    Jpeg,
    Kernel,
    Lut,
    Noise,
)
from gapless.augment.image.ops.declare import Declared
from gapless.augment.image.ops.geometry import factor
from gapless.augment.prior import Prior
from gapless.native.kept import KEPT

COLOUR = Declared()

_AUTOAUGMENT = "AutoAugment, Cubuk et al., arXiv 1805.09501, table 6"
_ROBUST = "Hendrycks and Dietterich, arXiv 1903.12261, section 3"


def _color(own: Floats, gray: Floats | None = None, mean_gray: Floats | None = None) -> Color:
    """out = own * v + gray * luma(v) + mean_gray * luma(mean) for every channel."""
    nothing = np.zeros(len(own))
    out = np.empty((len(own), 3, 7))
    _fill(own, nothing if gray is None else gray, nothing if mean_gray is None else mean_gray, out)
    return Color(out)


@njit(cache=KEPT, nogil=True)
def _fill(own: Floats, gray: Floats, mean_gray: Floats, out: Floats) -> None:
    for b in range(len(out)):
        for i in range(3):
            for j in range(3):
                out[b, i, j], out[b, i, 3 + j] = gray[b] * LUMA[j], mean_gray[b] * LUMA[j]
            out[b, i, i] += own[b]
            out[b, i, 6] = 0


@COLOUR.op(
    1,
    "share",
    signed=True,
    source=_AUTOAUGMENT,
    torchvision=lambda r: f"ColorJitter(brightness={r.shares})",
    albumentations=lambda r: f"ColorJitter({r.shares}, (1, 1), (1, 1), (0, 0))",
    prior=Prior("brightness", 0.05, 0.5, 0.2),
)
def brightness(share: Floats) -> Color:
    """Multiplies every level by 1 + share."""
    return _color(1 + share)


@COLOUR.op(
    1,
    "share",
    signed=True,
    source=_AUTOAUGMENT,
    torchvision=lambda r: f"ColorJitter(contrast={r.shares})",
    albumentations=lambda r: f"ColorJitter((1, 1), {r.shares}, (1, 1), (0, 0))",
    prior=Prior("contrast", 0.05, 0.6, 0.2),
)
def contrast(share: Floats) -> Color:
    """Moves every level away from the picture's mean gray by this share, as Pillow does."""
    return _color(1 + share, mean_gray=-share)


@COLOUR.op(
    1,
    "share",
    signed=True,
    source=_AUTOAUGMENT + " (there called Color)",
    torchvision=lambda r: f"ColorJitter(saturation={r.shares})",
    albumentations=lambda r: f"ColorJitter((1, 1), (1, 1), {r.shares}, (0, 0))",
)
def saturation(share: Floats) -> Color:
    """Moves every pixel away from its own gray by this share."""
    return _color(1 + share, gray=-share)


@COLOUR.op(
    1,
    "on",
    law="switch",
    source="SimCLR, Chen et al., arXiv 2002.05709, appendix A",
    torchvision=lambda _: "Grayscale(3)",
    albumentations=lambda _: "ToGray()",
)
def grayscale(on: Floats) -> Color:
    """Takes the colour away: every channel becomes the pixel's gray."""
    return _color(1 - on, gray=on)


@COLOUR.op(
    1,
    "on",
    law="switch",
    source=_AUTOAUGMENT,
    torchvision=lambda _: "RandomInvert(1)",
    albumentations=lambda _: "InvertImg()",
)
def invert(on: Floats) -> Color:
    """Makes the negative: every level becomes 1 - level."""
    out = _color(1 - 2 * on)
    out.data[:, :, 6] = on[:, None]
    return out


_ORDERS = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])


@COLOUR.op(
    1,
    "on",
    law="switch",
    draws=1,
    source="imgaug ChannelShuffle",
    torchvision=lambda _: "RandomChannelPermutation()",
    albumentations=lambda _: "ChannelShuffle()",
)
def channel_shuffle(on: Floats, order: Floats) -> Color:
    """Puts red, green and blue into one of their six orders, all equally likely."""
    picked = _ORDERS[np.floor(order * len(_ORDERS)).astype(np.intp)]
    shuffled = np.eye(3, 7)[picked]
    return Color(np.where(on[:, None, None] > 0, shuffled, Color.identity))


_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


@COLOUR.op(180, "deg", signed=True, source="Foley et al., Computer Graphics, 1990, section 13.3 (NTSC)")
def hue_matrix(angle: Floats) -> Color:
    """Turns colours about the gray axis of YIQ: near to `hue`, and one matrix with the other colour operations."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    turn = np.zeros((len(angle), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = c
    turn[:, 1, 2], turn[:, 2, 1] = -s, s
    out = np.zeros((len(angle), 3, 7))
    out[:, :, :3] = np.linalg.inv(_YIQ) @ turn @ _YIQ
    return Color(np.where((angle == 0)[:, None, None], Color.identity, out))


@COLOUR.op(
    180,
    "deg",
    signed=True,
    source="Smith, SIGGRAPH 1978 (HSV)",
    torchvision=lambda r: f"ColorJitter(hue=({r.low / 360:g}, {r.high / 360:g}))",
    albumentations=lambda r: f"ColorJitter((1, 1), (1, 1), (1, 1), ({r.low / 360:g}, {r.high / 360:g}))",
)
def hue(angle: Floats) -> Hue:
    """Turns colours about the hue circle of HSV, as Pillow and torchvision do; saturation and value stay."""
    return Hue(angle[:, None] / 360)


_LEVELS = np.arange(256, dtype=np.uint8)
_WIDE = _LEVELS.astype(np.int16)


def _lut(table: Floats) -> Lut:
    """The table (B, 256), rounded and cut to the levels there are."""
    return Lut(np.clip(np.rint(table), 0, 255).astype(np.uint8))


def _percent(share: float) -> float:
    """The exponent of `gamma`, times 100."""
    return 100 * (1 - share) if share < 0 else 100 / (1 + share)


@COLOUR.op(
    2,
    "share",
    signed=True,
    source="Poynton, Digital Video and HD, 2003, chapter 23",
    albumentations=lambda r: f"RandomGamma(({_percent(r.high):g}, {_percent(r.low):g}))",
)
def gamma(share: Floats) -> Lut:
    """Raises levels to a power: brighter middle tones for a positive share, darker ones for a negative."""
    return _lut(255 * (_LEVELS / 255) ** (1 / factor(share))[:, None])


@COLOUR.op(
    7,
    "bits",
    law="whole",
    source=_AUTOAUGMENT,
    torchvision=lambda r: r.only(f"RandomPosterize({8 - r.high:.0f}, 1)"),
    albumentations=lambda r: f"Posterize(({8 - r.high:.0f}, {8 - r.low:.0f}))",
)
def posterize(bits: Floats) -> Lut:
    """Sets this many of the lowest of a level's eight bits to zero."""
    kept = (256 - 2**bits).astype(np.uint8)
    return Lut(_LEVELS & kept[:, None])


@COLOUR.op(
    256,
    "level",
    source=_AUTOAUGMENT,
    torchvision=lambda r: r.only(f"RandomSolarize({256 - r.high:g}, 1)"),
    albumentations=lambda r: f"Solarize(({1 - r.high / 256:g}, {1 - r.low / 256:g}))",
)
def solarize(level: Floats) -> Lut:
    """Inverts the levels from 256 - level upwards."""
    first = np.ceil(256 - level).astype(np.int16)[:, None]
    inverted = -(first <= _WIDE).view(np.uint8)  # 255 or 0: four times as fast as numpy's `where`
    return Lut(_LEVELS ^ inverted)


@COLOUR.op(128, "level", source="RandAugment, Cubuk et al., arXiv 1909.13719, reference code")
def solarize_add(level: Floats) -> Lut:
    """Adds to the levels below 128."""
    return _lut(np.where(_LEVELS < 128, _LEVELS + level[:, None], _LEVELS))


@COLOUR.op(
    1,
    "on",
    law="switch",
    source=_AUTOAUGMENT,
    torchvision=lambda _: "RandomAutocontrast(1)",
    albumentations=lambda _: "AutoContrast(method='pil')",
)
def autocontrast(on: Floats) -> Histogram:
    """Stretches the levels of each channel so that the darkest is 0 and the brightest 1."""
    return Histogram(on[:, None] * 1.0)


@COLOUR.op(
    1,
    "on",
    law="switch",
    source=_AUTOAUGMENT,
    torchvision=lambda _: "RandomEqualize(1)",
    albumentations=lambda _: "Equalize(mode='pil')",
)
def equalize(on: Floats) -> Histogram:
    """Makes the levels of each channel as equally frequent as Pillow does."""
    return Histogram(on[:, None] * 2.0)


_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


@COLOUR.op(
    1,
    "share",
    signed=True,
    source=_AUTOAUGMENT,
    torchvision=lambda r: r.only(f"RandomAdjustSharpness({1 + r.high:g}, 1)"),
)
def sharpness(share: Floats) -> Kernel:
    """Moves every pixel away from a smoothed copy of the picture by this share, as Pillow does."""
    share = share[:, None, None]
    return Kernel((1 + share) * Kernel.identity - share * _SMOOTH)


@COLOUR.op(
    5,
    "px",
    source="SimCLR, Chen et al., arXiv 2002.05709, appendix A",
    torchvision=lambda r: f"GaussianBlur(31, ({max(r.low, 0.01):g}, {r.high:g}))",
    albumentations=lambda r: f"GaussianBlur(sigma_limit=({max(r.low, 0.01):g}, {r.high:g}))",
)
def blur(deviation: Floats) -> Blur:
    """Blurs by a Gaussian of this standard deviation in pixels, cut off at three deviations."""
    places = np.arange(BLUR_RADIUS + 1)
    deviation = np.maximum(deviation, 1e-9)[:, None]
    weights = np.where(places <= np.ceil(3 * deviation), np.exp(-0.5 * (places / deviation) ** 2), 0)
    return Blur(weights / (2 * weights.sum(axis=1, keepdims=True) - weights[:, :1]))


@COLOUR.op(
    95,
    "quality",
    source=_ROBUST,
    torchvision=lambda r: f"JPEG(({100 - r.high:.0f}, {100 - r.low:.0f}))",
    albumentations=lambda r: f"ImageCompression(quality_range=({100 - r.high:.0f}, {100 - r.low:.0f}))",
)
def jpeg(loss: Floats) -> Jpeg:
    """Leaves what JPEG leaves of the picture at quality 100 - loss, colours at half the resolution."""
    return Jpeg(np.where(loss > 0, np.clip(np.rint(100 - loss), 1, 100), 0)[:, None])


def _key(u: Floats) -> Floats:
    return np.floor(u * 2.0**32)


@COLOUR.op(
    0.5,
    "share",
    draws=1,
    source=_ROBUST,
    torchvision=lambda r: r.only(f"GaussianNoise(0, {r.high:g})"),
    albumentations=lambda r: f"GaussNoise({r.plain})",
)
def noise(deviation: Floats, key: Floats) -> Noise:
    """Adds independent normal numbers of this standard deviation (1 is from black to white) to all levels."""
    return Noise(np.stack([deviation, np.zeros_like(key), _key(key)], axis=1))


@COLOUR.op(0.5, "share", draws=1, source=_ROBUST, albumentations=lambda r: f"SaltAndPepper({r.plain}, (0.5, 0.5))")
def salt_pepper(share: Floats, key: Floats) -> Noise:
    """Turns this share of the pixels black or white, half each."""
    return Noise(np.stack([np.zeros_like(key), share, _key(key)], axis=1))
