"""What the user brings, as a Task, and the loaders that give it out in augmented batches.

The loaders are imported when they are first used, for they bring torch and the image engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gapless.data.task import Rows, Skipped, Task

if TYPE_CHECKING:
    from gapless.data.loader import Loader
    from gapless.data.loader_sources import Files, class_folders
    from gapless.data.loader_torch import Collate, Indexed, Order

_HOME = {
    "Collate": "gapless.data.loader_torch",
    "Files": "gapless.data.loader_sources",
    "Indexed": "gapless.data.loader_torch",
    "Loader": "gapless.data.loader",
    "Order": "gapless.data.loader_torch",
    "class_folders": "gapless.data.loader_sources",
}

__all__ = ["Collate", "Files", "Indexed", "Loader", "Order", "Rows", "Skipped", "Task", "class_folders"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'gapless.data' has no attribute {name!r}")
