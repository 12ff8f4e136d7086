"""What stands in a picture moves with it: masks, boxes and points, by the same matrices as the pixels.

Places are in pixels, x first; the first pixel covers 0 to 1, so its centre is at 0.5. Points and boxes are float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapless.augment.image.algebra import Floats, Warp
from gapless.augment.image.program import Program
from gapless.augment.image.torch.warp import centers, exact, numbers
from gapless.errors import DataError

Bools = NDArray[np.bool_]


def passes(program: Program) -> list[Floats]:
    """For each warp, in order, (B, 3, 3): where each place after it comes from, both in half sides."""
    stages: list[Floats] = []
    for group in program.groups:
        if isinstance(group.element, Warp):
            stage = np.repeat(np.eye(3)[None], program.batch, axis=0)
            stage[slice(None) if group.rows is None else group.rows] = group.element.data
            stages.append(stage)
    return stages


def move_masks(program: Program, masks: Tensor | Sequence[Tensor], outside: int = 0) -> Tensor:
    """Segmentation masks after the program: the label of the nearest pixel.

    Args:
        program: for as many pictures of the masks' sizes.
        masks: (B, H, W) labels of any dtype; or for pictures of different sizes a list of B masks (H, W).
        outside: the label where the picture is filled black or gray; loss functions ignore -100 or 255 by custom.

    Returns:
        (B, H', W') of the same dtype, on the same device.
    """
    heights, widths = (np.broadcast_to(side, program.batch) for side in (program.height, program.width))
    sizes = list(zip(heights.tolist(), widths.tolist(), strict=True))
    got = [tuple(mask.shape) for mask in masks]
    if got != sizes:
        raise DataError(f"masks must have the sizes that the program was made for, {_few(sizes)}, got {_few(got)}")
    if isinstance(masks, Tensor):
        return _moved_masks(program, masks, outside)
    if not masks:
        raise DataError("a list of masks must hold at least one")
    moved = [_moved_masks(program.part(b, b + 1), mask[None], outside) for b, mask in enumerate(masks)]
    return torch.cat(moved)


def _few(sizes: Sequence[tuple[int, ...]]) -> str:
    """How many of which size."""
    kinds = sorted(set(sizes))
    named = " or ".join(str(size) for size in kinds[:2]) + (" or others" if len(kinds) > 2 else "")
    return f"{len(sizes)} of {named}" if sizes else "none"


def _moved_masks(program: Program, masks: Tensor, outside: int) -> Tensor:
    with exact(masks.device):
        return _read_masks(program, masks, outside)


def _read_masks(program: Program, masks: Tensor, outside: int) -> Tensor:
    height, width = masks.shape[-2:]
    y, x = torch.meshgrid(*(centers(side, masks.device) for side in program.size), indexing="ij")
    places = torch.stack((x, y)).expand(len(masks), -1, -1, -1)
    inside = torch.ones_like(places[:, 0], dtype=torch.bool)
    for stage in reversed(passes(program)):
        lifted = torch.cat((places, torch.ones_like(places[:, :1])), dim=1)
        moved = torch.einsum("bij,bjyx->biyx", numbers(stage, masks), lifted)
        places = moved[:, :2] / moved[:, 2:]
        if program.fill == "reflect":
            places = (places + 1).remainder(4)
            places = torch.minimum(places, 4 - places) - 1
        inside &= (places.abs() <= 1).all(dim=1)
        places = places.clamp(-1, 1)
    # A place on the edge between two pixels belongs to the right one; float32 must not say otherwise.
    columns, rows = (((places[:, axis] + 1) * (side / 2) + 1e-4).long() for axis, side in enumerate((width, height)))
    flat = rows.clamp_(max=height - 1) * width + columns.clamp_(max=width - 1)
    labels = masks.flatten(1).gather(1, flat.flatten(1)).view(flat.shape)
    if program.fill in ("edge", "reflect"):
        return labels
    return torch.where(inside, labels, torch.full((), outside, dtype=masks.dtype, device=masks.device))


def move_points(program: Program, points: Sequence[Floats]) -> list[tuple[Floats, Bools]]:
    """Key points after the program, and which of them are still inside the picture.

    Args:
        points: for each picture (n, 2) places in pixels.

    Returns:
        for each picture (n, 2) places in the result and (n,) whether they are inside it and were never lost.
    """
    target = np.array(program.size[::-1], np.float64)
    inverses = [np.linalg.inv(stage) for stage in passes(program)]
    out: list[tuple[Floats, Bools]] = []
    checked = _checked(points, "points", 2)
    for number, (size, places) in enumerate(zip(_sizes(program, points), checked, strict=True)):
        moved = places * 2 / size - 1
        inside = _within(moved)
        for inverse in inverses:
            moved = _project(inverse[number], moved)
            inside &= _within(moved)
        out.append(((moved + 1) * target / 2, inside))
    return out


def _within(places: Floats) -> Bools:
    return np.abs(places).max(axis=1, initial=0) <= 1


def move_boxes(program: Program, boxes: Sequence[Floats], visible: float = 0.1) -> list[tuple[Floats, Bools]]:
    """Boxes after the program: upright around what they held, cut at the picture, and which of them are still seen.

    Args:
        boxes: for each picture (n, 4) left, top, right, bottom in pixels.
        visible: boxes are dropped when less than this share of their moved area is inside the picture.

    Returns:
        for each picture (n, 4) boxes in the result and (n,) which to keep.
    """
    if not 0 <= visible <= 1:
        raise DataError(f"visible must be in [0, 1], got {visible!r}")
    checked = _checked(boxes, "boxes", 4)
    for number, box in enumerate(checked):
        turned = (box[:, :2] > box[:, 2:]).any(axis=1)
        if turned.any():
            raise DataError(f"boxes must be left, top, right, bottom; picture {number} has {box[turned][0].tolist()}")
    corners = [box[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2) for box in checked]
    limit = np.array(program.size[::-1], np.float64)
    out: list[tuple[Floats, Bools]] = []
    for moved, _ in move_points(program, corners):
        places = moved.reshape(-1, 4, 2)
        low, high = places.min(axis=1), places.max(axis=1)
        seen_low, seen_high = np.clip(low, 0, limit), np.clip(high, 0, limit)
        whole, seen = (high - low).prod(axis=1), (seen_high - seen_low).prod(axis=1)
        out.append((np.concatenate([seen_low, seen_high], axis=1), (seen > 0) & (seen >= visible * whole)))
    return out


def _checked(places: Sequence[Floats], what: str, columns: int) -> list[Floats]:
    """As float64, each (n, columns) and finite."""
    arrays = [np.asarray(array, np.float64) for array in places]
    for number, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1] != columns:
            raise DataError(f"{what} of picture {number} must have shape (n, {columns}), got {array.shape}")
        if not np.isfinite(array).all():
            raise DataError(f"{what} of picture {number} must be finite, got {array[~np.isfinite(array)][0]}")
    return arrays


def _project(matrix: Floats, places: Floats) -> Floats:
    lifted = np.concatenate([places, np.ones((len(places), 1))], axis=1) @ matrix.T
    return lifted[:, :2] / lifted[:, 2:]


def _sizes(program: Program, per_picture: Sequence[Floats]) -> Floats:
    """(B, 2) width and height of each picture."""
    if len(per_picture) != program.batch:
        raise DataError(f"the program is for {program.batch} pictures, got places for {len(per_picture)}")
    sides = [np.broadcast_to(side, program.batch) for side in (program.width, program.height)]
    return np.stack(sides, axis=1).astype(np.float64)
