"""What the compiled loop reads beside the chains: where pictures are, how to finish, and memory to use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

AFFINE, HOMOGRAPHY, MOVE = range(3)
"""What a warp turns out to be; MOVE goes by whole pixels."""


class Pictures(NamedTuple):
    """Where the source bytes are: one entry for each picture (B,)."""

    address: NDArray[np.int64]
    pitch: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]


class Finish(NamedTuple):
    """How the result is written: levels 0 to 255 times scale plus offset, for each channel; and the fill of warps.

    repeat: places outside are moved to the nearest edge pixel, after being mirrored if `reflect`. fill: the level that
    is seen outside otherwise. nearest: warps take the nearest pixel.
    """

    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    repeat: bool
    reflect: bool
    fill: float
    nearest: bool


class Scratch(NamedTuple):
    """Memory for one thread: all for the taking."""

    packed: NDArray[np.uint32]
    squares: NDArray[np.uint32]
    xs: NDArray[np.float32]
    ys: NDArray[np.float32]
    planes: NDArray[np.float32]
    work: NDArray[np.float32]
    table: NDArray[np.float32]
    starts_x: NDArray[np.int64]
    starts_y: NDArray[np.int64]
    weights_x: NDArray[np.uint32]
    weights_y: NDArray[np.uint32]
    color: NDArray[np.float32]
    line: NDArray[np.float32]
    means: NDArray[np.float32]
    matrix: NDArray[np.float32]
    blocks: NDArray[np.float32]
    counts: NDArray[np.uint32]
    row: NDArray[np.uint32]
