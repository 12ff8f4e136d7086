"""The one table of text operations: each is declared once, in the file of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gapless.augment.text.ops.declare import Op
from gapless.augment.text.ops.eda import EDA
from gapless.augment.text.ops.noise import NOISE
from gapless.augment.text.ops.order import ORDER
from gapless.augment.text.ops.synonyms import SYNONYMS
from gapless.errors import UsageError, did_you_mean

__all__ = ["OPS", "Op", "find"]

OPS: Mapping[str, Op] = MappingProxyType({**SYNONYMS, **EDA, **NOISE, **ORDER})


def find(name: str) -> Op:
    """The operation of this name, or an error that names the nearest one."""
    if name not in OPS:
        raise UsageError(f"there is no text operation {name!r}.{did_you_mean(name, OPS)}")
    return OPS[name]
