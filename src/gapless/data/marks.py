"""Pictures with masks, boxes or points on them: a .npz file, read without pickle.

x: pictures, uint8 (N, H, W) or (N, H, W, C) with 1, 3 or 4 channels. masks: (N, H, W) whole numbers, 0 the ground.
boxes: (N, n, 4) with left, top, right, bottom in pixels. points: (N, m, 2). Rows of NaN fill up where a picture has
fewer boxes or points.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image.preview import Marks
from gapless.errors import DataError

KINDS = ("masks", "boxes", "points")


@dataclass(frozen=True)
class Marked:
    """Pictures and what stands in each."""

    pictures: tuple[NDArray[np.uint8], ...]
    marks: tuple[Marks, ...]


def has_marks(path: Path) -> bool:
    """Whether a file is a .npz with masks, boxes or points in it."""
    if path.suffix.lower() != ".npz" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(f"{kind}.npy" in archive.namelist() for kind in KINDS)


def load_marked(path: Path, rows: Sequence[int]) -> Marked:
    """Some pictures of a .npz file with what stands in them; DataError says what is wrong with it."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, NDArray[Any]] = {name: file[name] for name in ("x", *KINDS) if name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error}); save it with np.savez(path, x=..., masks=...)") from error
    if "x" not in arrays:
        raise DataError(f"{path}: needs an array 'x' of pictures besides {', '.join(arrays)}")
    x = arrays["x"]
    if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3, 4)):
        raise DataError(
            f"{path}: x must be pictures, uint8 (N, H, W) or (N, H, W, C) with 1, 3 or 4 channels, "
            f"got {x.dtype} {x.shape}"
        )
    x = x if x.ndim == 4 else x[..., None]
    _check(path, arrays, x.shape[:3])
    rows = [row for row in rows if row < len(x)]
    if not rows:
        raise DataError(f"{path}: there are no pictures")
    return Marked(tuple(x[row] for row in rows), tuple(_marks(arrays, row) for row in rows))


def _check(path: Path, arrays: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> None:
    masks = arrays.get("masks")
    if masks is not None and (masks.shape != shape or masks.dtype.kind not in "iub"):
        raise DataError(
            f"{path}: masks must be whole numbers {shape} like the pictures, got {masks.dtype} {masks.shape}"
        )
    for name, columns in (("boxes", 4), ("points", 2)):
        places = arrays.get(name)
        if places is None:
            continue
        if places.ndim != 3 or len(places) != shape[0] or places.shape[2] != columns or places.dtype.kind not in "iuf":
            raise DataError(
                f"{path}: {name} must be numbers ({shape[0]}, n, {columns}), got {places.dtype} {places.shape}"
            )


def _marks(arrays: dict[str, NDArray[Any]], row: int) -> Marks:
    marks = {"mask": arrays["masks"][row]} if "masks" in arrays else {}
    for name in ("boxes", "points"):
        if name in arrays:
            places = arrays[name][row].astype(np.float64)
            marks[name] = places[~np.isnan(places).all(axis=1)]
    return Marks(**marks)
