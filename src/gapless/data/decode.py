"""One picture file: what its header says, and its pixels at the size that is wanted."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib")

_TOO_MANY_PIXELS = 100_000_000
_LEAST_SIDE = 2
_GRAY_MODES = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")

Pixels = NDArray[np.uint8]


class UnusableError(Exception):
    """A picture that is left out; the message is the reason."""


@dataclass(frozen=True)
class Header:
    """What a file says about its picture before it is decoded: the shorter side, the most channels it can need."""

    side: int
    channels: int


@contextmanager
def quiet_decoders() -> Generator[None]:
    """Within, the decoders' warnings (large pictures, odd EXIF) stay silent in every thread.

    Entered once around the threads: the filters of `warnings` belong to the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path) -> Header:
    """Reads no pixels; UnusableError when the picture is too large, too small or not one of the formats."""
    with _opened(path) as picture:
        if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
            channels = 4
        else:
            channels = 1 if picture.mode in _GRAY_MODES else 3
        return Header(min(picture.size), channels)


def decode(path: Path, side: int) -> Pixels:
    """The centre square of the picture, upright, as (side, side, C), antialiased.

    C is the least that holds what is there: 1 when it is gray, 4 when it has transparency, else 3. Of an animation
    the first frame counts. 16 bits are scaled to 8.
    """
    with _opened(path) as picture:
        # A JPEG can be decoded at an eighth of its size; twice the wanted side leaves the filter its work.
        picture.draft(None, (2 * side, 2 * side))
        return square_of(picture, side)


def square_of(picture: Image.Image, side: int) -> Pixels:
    """The centre square of an open picture, as `decode` has it."""
    upright = _in_bytes(ImageOps.exif_transpose(picture))
    width, height = upright.size
    left, top = (width - min(upright.size)) / 2, (height - min(upright.size)) / 2
    square = (left, top, width - left, height - top)
    resized = upright.resize((side, side), Image.Resampling.BILINEAR, box=square)
    return _narrowed(np.asarray(resized).reshape(side, side, -1))


def decode_whole(path: Path, channels: int) -> Pixels:
    """The picture, upright, as (height, width, channels) with 1 (gray), 3 or 4 channels.

    Of an animation the first frame counts. 16 bits are scaled to 8.
    """
    with _opened(path) as picture:
        ImageOps.exif_transpose(picture, in_place=True)
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
        whole = picture if picture.mode == mode else _in_bytes(picture).convert(mode)
        return np.asarray(whole).reshape(whole.height, whole.width, channels)


def widened(pixels: Pixels, channels: int) -> Pixels:
    """The same picture with 1, 3 or 4 channels, not fewer than it has."""
    if pixels.shape[2] > channels:
        raise UnusableError(f"has {pixels.shape[2]} channels where {channels} were expected")
    if pixels.shape[2] == channels:
        return pixels
    wide = np.full((*pixels.shape[:2], channels), 255, dtype=np.uint8)
    wide[..., :3] = pixels
    return wide


@contextmanager
def _opened(path: Path) -> Generator[Image.Image]:
    """The open picture; whatever a decoder raises within becomes an UnusableError."""
    try:
        if path.stat().st_size == 0:
            raise UnusableError("empty file, 0 bytes")
        with Image.open(path, formats=FORMATS) as picture:
            require_size(*picture.size)
            yield picture
    except (UnusableError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise UnusableError("100 megapixels or more") from error
    except UnidentifiedImageError as error:
        raise UnusableError("not a PNG, JPEG, WebP, GIF or BMP picture") from error
    # A decoder fed with a broken file may raise anything: OSError, SyntaxError, struct.error, IndexError ...
    except Exception as error:
        raise UnusableError(f"broken: {error or type(error).__name__}") from error


def require_size(width: int, height: int) -> None:
    if width * height >= _TOO_MANY_PIXELS:
        raise UnusableError(f"100 megapixels or more: {width} x {height}")
    if min(width, height) < _LEAST_SIDE:
        raise UnusableError(f"too small: {width} x {height}")


def _in_bytes(picture: Image.Image) -> Image.Image:
    """The picture in mode L, RGB or RGBA."""
    if picture.mode.startswith("I"):
        return _from_16_bits(picture)
    if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode in _GRAY_MODES else "RGB")


def _from_16_bits(picture: Image.Image) -> Image.Image:
    # Pillow's own conversion cuts everything above 255 off.
    values = np.asarray(picture).astype(np.int64)
    gray = Image.fromarray(((np.clip(values, 0, 65_535) + 128) // 257).astype(np.uint8))
    transparent = picture.info.get("transparency")
    if transparent is None:
        return gray
    rgba = gray.convert("RGBA")
    rgba.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return rgba


def _narrowed(pixels: Pixels) -> Pixels:
    if pixels.shape[2] == 4:
        if pixels[..., 3].min() < 255:
            return pixels
        pixels = pixels[..., :3]
    if pixels.shape[2] == 3 and (pixels[..., :1] == pixels[..., 1:]).all():
        return pixels[..., :1]
    return pixels
