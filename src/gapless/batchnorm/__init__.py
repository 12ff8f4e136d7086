"""Normalise by batch statistics: insert it, learn with it, fold it away."""

from gapless.batchnorm.fold import fold
from gapless.batchnorm.insert import Inserted, Placement, insert, remove

__all__ = ["Inserted", "Placement", "fold", "insert", "remove"]
