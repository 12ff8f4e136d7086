"""The IDX file format of MNIST and its kin: a magic number, sizes, then bytes. Read strictly."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gapless.errors import DataError

_UBYTE = 8  # the type code of unsigned bytes, the only type these sets use


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file, plain or gzipped; DataError where anything is not as declared.

    Layout: two zero bytes, the type code, the number of dimensions, each size as a big-endian 32-bit number, the data.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            magic, right = stream.read(4), bytes((0, 0, _UBYTE, dimensions))
            if magic != right:
                raise DataError(
                    f"{path}: an IDX file of {dimensions}-d unsigned bytes starts with {right.hex()}, "
                    f"got {magic.hex() or 'an empty file'}"
                )
            header = stream.read(4 * dimensions)
            if len(header) < 4 * dimensions:
                raise DataError(f"{path}: the file ends within its header; fetch it again")
            shape = tuple(int(size) for size in np.frombuffer(header, dtype=">u4"))
            expected = prod(shape)
            # Deflate cannot shrink more than 1032 times: sizes beyond that are false, and too big to ask memory for.
            if expected > path.stat().st_size * (1032 if path.suffix == ".gz" else 1):
                raise DataError(f"{path}: sizes {shape} need more data than the file can hold; fetch it again")
            # One byte more than declared shows a file that is too long.
            data = stream.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from error
    if len(data) != expected:
        got = f"only {len(data):,}" if len(data) < expected else "more"
        raise DataError(f"{path}: sizes {shape} need {expected:,} bytes of data, there are {got}; fetch it again")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape).copy()
