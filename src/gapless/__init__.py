"""gapless closes the generalization gap.

The public names are imported when they are first used: `import gapless` alone loads neither torch nor numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gapless import augment, batchnorm, decay, dropout
    from gapless.data import Rows, Task
    from gapless.errors import DataError, GaplessError, UsageError
    from gapless.recipe import Recipe

__version__ = "0.1.0"

_HOME = {
    "DataError": "gapless.errors",
    "GaplessError": "gapless.errors",
    "Recipe": "gapless.recipe",
    "Rows": "gapless.data",
    "Task": "gapless.data",
    "UsageError": "gapless.errors",
}
_PILLARS = ("augment", "batchnorm", "decay", "dropout")

__all__ = [
    "DataError",
    "GaplessError",
    "Recipe",
    "Rows",
    "Task",
    "UsageError",
    "__version__",
    "augment",
    "batchnorm",
    "decay",
    "dropout",
]


def __getattr__(name: str) -> Any:
    if name in _PILLARS:
        return import_module(f"gapless.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'gapless' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
