"""The data sets that are known by a name: `digits` and `fashion-mnist`."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gapless.data.readers.idx import read_idx
from gapless.data.task import Rows, Task
from gapless.errors import DataError

NAMES = ("digits", "fashion-mnist")

_DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_FASHION_CLASSES = (
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def digits() -> Task:
    """scikit-learn's handwritten digits: 1,797 gray pictures of 8x8; its values 0 to 16 become 0 to 255."""
    from sklearn.datasets import load_digits

    x, y = cast("tuple[NDArray[np.float64], NDArray[np.int64]]", load_digits(return_X_y=True))
    pixels = np.round(x * 255 / 16).astype(np.uint8).reshape(-1, 8, 8, 1)
    return Task("digits", Rows(pixels, y.astype(np.int64)), classes=tuple("0123456789"))


def fashion_mnist(data_dir: Path | None = None) -> Task:
    """Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 60,000 develop and 10,000 confirm pictures, gray, 28x28.

    Reads the four IDX files, gzipped or plain, in `data_dir` or, without it, where Debian's package puts them.
    """
    folder = _DEBIAN_FOLDER if data_dir is None else data_dir
    if not folder.is_dir():
        raise DataError(f"fashion-mnist: there is no folder {folder}; {_HOW_TO_GET}")
    return Task(
        "fashion-mnist",
        develop=_idx_rows(folder, "train"),
        confirm=_idx_rows(folder, "t10k"),
        classes=_FASHION_CLASSES,
    )


_HOW_TO_GET = (
    "either install Debian's package (apt install dataset-fashion-mnist), or download the four files of the data set "
    "({train,t10k}-images-idx3-ubyte.gz, {train,t10k}-labels-idx1-ubyte.gz) and give their folder with --data-dir"
)


def _idx_rows(folder: Path, part: str) -> Rows:
    images = read_idx(_find(folder, f"{part}-images", "idx3-ubyte"), dimensions=3)
    path = _find(folder, f"{part}-labels", "idx1-ubyte")
    labels = read_idx(path, dimensions=1)
    if len(images) != len(labels):
        raise DataError(f"{path}: {len(labels):,} labels for {len(images):,} pictures; fetch both files again")
    if len(labels) and labels.max() >= len(_FASHION_CLASSES):
        raise DataError(f"{path}: labels must be 0 to {len(_FASHION_CLASSES) - 1}, got {labels.max()}")
    return Rows(images[..., None], labels.astype(np.int64))


def _find(folder: Path, stem: str, ending: str) -> Path:
    """The file under the names it is spread by: with a dash or a dot before idx, with or without .gz."""
    for name in (f"{stem}-{ending}.gz", f"{stem}-{ending}", f"{stem}.{ending}.gz", f"{stem}.{ending}"):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"fashion-mnist: {folder} has no file {stem}-{ending}(.gz); {_HOW_TO_GET}")
