"""Pictures without labels, brought to the size that the model was trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from gapless.data.decode import ENDINGS, Pixels, UnusableError, decode, quiet_decoders, square_of, widened
from gapless.data.inputs.arrays import inputs_array, pixels_of
from gapless.data.inputs.asked import Asked, numbered
from gapless.errors import DataError

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns colours to gray


@dataclass(frozen=True)
class PictureInputs:
    """Pictures of one size: files become it by their centre square, arrays must have it."""

    height: int
    width: int
    channels: int
    target: str = ""

    def read(self, data: Any) -> Asked:
        """A picture file, a folder of them at any depth, paths or pictures of Pillow, an array, or a .npz with x."""
        if isinstance(data, str | Path):
            path = Path(data).expanduser()
            if path.suffix.lower() not in (".npz", ".npy"):
                files = _files(path)
                names = [file.relative_to(path).as_posix() if path.is_dir() else file.name for file in files]
                return self._of_files(files, names)
        elif isinstance(data, list | tuple) and data:
            several = cast(Sequence[Any], data)
            if all(isinstance(one, str | Path) for one in several):
                return self._of_files([Path(one).expanduser() for one in several], [str(one) for one in several])
            if all(isinstance(one, Image.Image) for one in several):
                return self._of_pictures(several)
        return self._of_array(data)

    def _of_array(self, data: Any) -> Asked:
        x = inputs_array(data)
        pixels, notes = pixels_of(x, "the pictures")
        if pixels.shape[1:3] != (self.height, self.width):
            raise DataError(
                f"the model takes pictures of {self.height}x{self.width} pixels, got an array {x.shape}; resize them, "
                "or give the files"
            )
        try:
            rows = np.stack([self._fitting(picture)[0] for picture in pixels.astype(np.uint8, copy=False)])
        except UnusableError as error:
            raise DataError(f"the pictures {error}") from error
        return Asked(rows, numbered(len(rows)), "row", notes)

    def _of_files(self, files: Sequence[Path], names: Sequence[str]) -> Asked:
        self._require_square()
        read = partial(decode, side=self.height)
        with quiet_decoders(), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return self._gathered(list(pool.map(partial(self._tried, read), files)), names, "file")

    def _of_pictures(self, pictures: Sequence[Image.Image]) -> Asked:
        self._require_square()
        read = partial(square_of, side=self.height)
        return self._gathered([self._tried(read, one) for one in pictures], numbered(len(pictures)), "row")

    def _tried(self, read: Any, picture: Any) -> tuple[Pixels, bool] | str:
        """The pixels and whether channels were given up, or the reason why there are none."""
        try:
            return self._fitting(read(picture))
        except UnusableError as error:
            return str(error)

    def _fitting(self, pixels: Pixels) -> tuple[Pixels, bool]:
        """The picture with the model's channels: transparency is left out, colours become gray, gray becomes colour."""
        more = pixels.shape[2] > self.channels
        if more:
            pixels = pixels[..., :3]
        if self.channels == 1 and pixels.shape[2] == 3:
            pixels = np.round(pixels @ np.array(_LUMINANCE))[..., None].astype(np.uint8)
        return widened(pixels, self.channels), more

    def _gathered(self, found: Sequence[tuple[Pixels, bool] | str], names: Sequence[str], named: str) -> Asked:
        usable = [(name, one) for name, one in zip(names, found, strict=True) if not isinstance(one, str)]
        left_out = tuple((name, one) for name, one in zip(names, found, strict=True) if isinstance(one, str))
        if not usable:
            first = f": {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
            raise DataError(f"there is no picture that can be used{first}")
        given_up = sum(more for _, (_, more) in usable)
        notes: tuple[str, ...] = ()
        if given_up:
            what = "colours" if self.channels == 1 else "transparency"
            have = "1 picture has" if given_up == 1 else f"{given_up:,} pictures have"
            notes = (f"{have} {what}, which those of the training had not; it was left out.",)
        x = np.stack([pixels for _, (pixels, _) in usable])
        return Asked(x, tuple(name for name, _ in usable), named, notes, left_out)

    def _require_square(self) -> None:
        if self.height != self.width:
            raise DataError(
                f"the model takes pictures of {self.height}x{self.width} pixels, which files are not cut to; give an "
                f"array (N, {self.height}, {self.width}, {self.channels}) of uint8"
            )

    def facts(self) -> dict[str, Any]:
        shape = {"height": self.height, "width": self.width, "channels": self.channels}
        return {"kind": "picture", **shape, "files": "centre square"}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> PictureInputs:
        return cls(int(facts["height"]), int(facts["width"]), int(facts["channels"]))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"there is no file or folder {path}; the model takes pictures: files, a folder of them, a .npz")
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not found:
        raise DataError(f"{path}: holds no picture ({', '.join(ENDINGS)})")
    return found
