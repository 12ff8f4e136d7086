"""gapless closes the generalization gap.

The public names are imported when they are first used: `import gapless` alone loads neither torch nor numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gapless import augment, batchnorm, decay, dropout
    from gapless.api import LearnedPolicy, Tuned, learn_policy, load_result, tune
    from gapless.data import Rows, Task
    from gapless.data.door import load
    from gapless.diagnose import diagnose
    from gapless.errors import DataError, GaplessError, UsageError
    from gapless.lint import lint
    from gapless.recipe import Recipe
    from gapless.train.trained import TrainedModel, load_model

__version__ = "0.1.0"

_HOME = {
    "DataError": "gapless.errors",
    "GaplessError": "gapless.errors",
    "LearnedPolicy": "gapless.api",
    "Recipe": "gapless.recipe",
    "Rows": "gapless.data",
    "Task": "gapless.data",
    "TrainedModel": "gapless.train.trained",
    "Tuned": "gapless.api",
    "UsageError": "gapless.errors",
    "learn_policy": "gapless.api",
    "load": "gapless.data.door",
    "load_model": "gapless.train.trained",
    "load_result": "gapless.api",
    "tune": "gapless.api",
}
_PILLARS = ("augment", "batchnorm", "decay", "dropout")
_CALLABLE = ("diagnose", "lint")
"""Modules that are called themselves."""

__all__ = [
    "DataError",
    "GaplessError",
    "LearnedPolicy",
    "Recipe",
    "Rows",
    "Task",
    "TrainedModel",
    "Tuned",
    "UsageError",
    "__version__",
    "augment",
    "batchnorm",
    "decay",
    "diagnose",
    "dropout",
    "learn_policy",
    "lint",
    "load",
    "load_model",
    "load_result",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in (*_PILLARS, *_CALLABLE):
        return import_module(f"gapless.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'gapless' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
