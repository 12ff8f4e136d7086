"""Normalise by batch statistics: insert it, learn with it, look after its statistics, fold it away."""

from gapless.batchnorm.convert import (
    Converted,
    freeze,
    to_batch_norm,
    to_ghost,
    to_group_norm,
    to_renorm,
    to_split,
    to_sync,
)
from gapless.batchnorm.fold import fold
from gapless.batchnorm.insert import insert, remove
from gapless.batchnorm.layers import BatchNorm, BatchRenorm, FrozenBatchNorm, GhostBatchNorm, SplitBatchNorm
from gapless.batchnorm.statistics import Drift, DropoutShift, Reestimated, adapt, drift, dropout_shift, reestimate

__all__ = [
    "BatchNorm",
    "BatchRenorm",
    "Converted",
    "Drift",
    "DropoutShift",
    "FrozenBatchNorm",
    "GhostBatchNorm",
    "Reestimated",
    "SplitBatchNorm",
    "adapt",
    "drift",
    "dropout_shift",
    "fold",
    "freeze",
    "insert",
    "reestimate",
    "remove",
    "to_batch_norm",
    "to_ghost",
    "to_group_norm",
    "to_renorm",
    "to_split",
    "to_sync",
]
