"""Every random draw of a training, keyed by what it is for: no global generator is read or written."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray


def key(seed: int, purpose: str, *counters: int) -> int:
    """64 bits that depend on the seed, the purpose and the counters, and on nothing else."""
    text = ":".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A numpy generator (Philox, counter-based) of its own for one purpose."""
    return np.random.Generator(np.random.Philox(key(seed, purpose, *counters)))


def torch_stream(device: torch.device, seed: int, purpose: str, *counters: int) -> torch.Generator:
    """A torch generator of its own for one purpose."""
    return torch.Generator(device).manual_seed(key(seed, purpose, *counters) >> 1)


def order(seed: int, epoch: int, rows: int) -> NDArray[np.int64]:
    """The order in which an epoch goes through its rows."""
    return stream(seed, "order", epoch).permutation(rows)


def uniforms(seed: int, purpose: str, epoch: int, rows: int, columns: int) -> NDArray[np.float64]:
    """One row of uniform numbers for each row of data: the same row gets the same draw at any batch size."""
    return stream(seed, purpose, epoch).random((rows, columns))
