"""Arrays as they come: out of a .npz file, of tensors and of lists, and as pictures."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gapless.data.tables.frames import cells_of
from gapless.errors import DataError

Array = NDArray[np.generic]
_CHANNELS = (1, 3, 4)


def array_of(values: Any) -> NDArray[Any]:
    """An array of an array, a tensor on any device, a column of a frame, or a list of numbers, tensors or words."""
    if isinstance(values, list | tuple):
        rows = [array_of(value) if hasattr(value, "shape") else value for value in cast(Sequence[Any], values)]
        found = np.array(rows)
    else:
        found = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if found.dtype == object and found.ndim == 1:  # words of pandas
        cells = cells_of(found)
        found = np.array(cells, dtype=str) if isinstance(cells, list) else cells
    return found


def inputs_array(data: Any) -> NDArray[Any]:
    """Inputs without labels: x of a .npz file, the array of a .npy file, or what `array_of` takes."""
    if not isinstance(data, str | Path):
        return array_of(data)
    path = Path(data).expanduser()
    if not path.is_file():
        raise DataError(
            f"there is no file {path}; the model takes an array, a .npz file with an array x, or a .npy file"
        )
    if path.suffix.lower() == ".npz":
        return read_npz(path, {"x": ("x_train", "x_test", "x")}, ("x",))["x"]
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path}: is no array that can be read ({error}); save it with np.savez(path, x=...)"
        ) from error


def read_npz(path: Path, names: Mapping[str, Sequence[str]], needed: Sequence[str]) -> dict[str, Array]:
    """Arrays of a .npz file, read without pickle.

    Args:
        names: what each array may be called. needed: those that must be there.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: is not a .npz file (a zip of arrays); save with np.savez(path, {_saved(needed)})")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            found = {name: members[one] for name, spelled in names.items() for one in spelled if one in members}
            for name in needed:
                if name not in found:
                    there = ", ".join(sorted(members)) or "none"
                    raise DataError(
                        f"{path}: needs an array {name!r}, its arrays are: {there}; "
                        f"save with np.savez(path, {_saved(needed)})"
                    )
            _require_memory(path, sum(info.file_size for info in found.values()))
            return {name: _read_member(path, archive, info) for name, info in found.items()}
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); save it again") from error


def _saved(needed: Sequence[str]) -> str:
    return ", ".join(f"{name}=..." for name in needed)


def _read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    """One array, after its header was found to be plain numbers or text and to declare the bytes that are there."""
    with archive.open(info) as stream:
        try:
            version = npy.read_magic(stream)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(stream)
        except ValueError as error:
            raise DataError(f"{path}: {info.filename} is not a numpy array ({error})") from error
        if dtype.hasobject:
            raise DataError(
                f"{path}: {info.filename} holds Python objects, which can run code when read, so it is refused; "
                "store numbers or strings: np.array(values.tolist())"
            )
        declared, there = prod(shape) * dtype.itemsize, info.file_size - stream.tell()
        if declared != there:
            raise DataError(f"{path}: {info.filename} declares {declared:,} bytes and has {there:,}; save it again")
    with archive.open(info) as stream:
        return npy.read_array(stream, allow_pickle=False)


def _require_memory(path: Path, needed: int) -> None:
    if not hasattr(os, "sysconf"):  # Windows does not tell so: the read itself will
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise DataError(
            f"{path}: its arrays need {needed / 1e9:.1f} GB of memory, this machine has {memory / 1e9:.1f}; "
            "store images as uint8, or as a folder of class folders, which is mapped from disk"
        )


def pixels_of(x: Array, where: str) -> tuple[Array, tuple[str, ...]]:
    """Images as uint8 (N, H, W, C), and what was done to get there."""
    shape = x.shape
    if x.ndim == 5:
        raise DataError(
            f"{where}: x {x.shape} looks like videos, for which gapless has no model; give pictures, one frame of each "
            "(x[:, 0]), or module:function returning a gapless.Task with a model of your own"
        )
    if x.ndim not in (3, 4) or x.dtype.kind not in "iuf":
        raise DataError(
            f"{where}: x must be images (N, H, W), (N, H, W, C) or (N, C, H, W), or a table (N, F), "
            f"got {x.dtype} {x.shape}"
        )
    notes: list[str] = []
    if x.ndim == 3:
        x = x[..., None]
    elif x.shape[3] not in _CHANNELS and x.shape[1] in _CHANNELS:
        x = x.transpose(0, 2, 3, 1)
        notes.append(f"The pictures stand channels first, {shape}; they were turned to channels last.")
    if x.shape[3] not in _CHANNELS:
        raise DataError(f"{where}: images must have 1, 3 or 4 channels, got shape {shape}")
    if min(x.shape[1:3]) < 2:
        raise DataError(f"{where}: images must be at least 2x2, got shape {shape}")
    if x.dtype != np.uint8 and x.size:
        x, note = _as_bytes(x, where)
        notes.append(note)
    return np.ascontiguousarray(x), tuple(notes)


def _as_bytes(x: Array, where: str) -> tuple[Array, str]:
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise DataError(f"{where}: images must not hold NaN or infinite values, there are {bad:,}; remove those rows")
    low, high = float(x.min()), float(x.max())
    if x.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.round(np.multiply(x, 255, dtype=np.float64)).astype(
            np.uint8
        ), "The pictures are floats in [0, 1]; they were taken times 255 as uint8."
    if low >= 0 and high <= 255 and bool((x == np.floor(x)).all()):
        return x.astype(
            np.uint8
        ), f"The pictures are whole numbers up to {high:g} in {x.dtype}; they were taken as uint8."
    raise DataError(
        f"{where}: images must be uint8, or floats in [0, 1], got {x.dtype} from {low:g} to {high:g}; "
        "undo a standardisation, or scale the values to 0 .. 255 and store uint8. Time series (rows, steps, values) "
        "have no model here: give a table of what sums each up, such as mean, spread and slope, x (N, F)"
    )
