"""The one table of image operations: each is declared once, in the file of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gapless.augment.image.ops.color import COLOUR
from gapless.augment.image.ops.declare import Op, Size
from gapless.augment.image.ops.geometry import GEOMETRY
from gapless.augment.image.ops.regions import REGIONS
from gapless.errors import UsageError, did_you_mean

__all__ = ["OPS", "Op", "Size", "find"]

OPS: Mapping[str, Op] = MappingProxyType({**GEOMETRY, **COLOUR, **REGIONS})


def find(name: str) -> Op:
    """The operation of this name, or an error that names the nearest one."""
    if name not in OPS:
        raise UsageError(f"there is no image operation {name!r}.{did_you_mean(name, OPS)}")
    return OPS[name]
