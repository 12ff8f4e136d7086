"""What the user brings, as a Task, and the loaders that give it out in augmented batches.

The loaders are imported when they are first used, for they bring torch and the image engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gapless.data.tables.account import ColumnAccount
from gapless.data.task import Rows, Skipped, Task

if TYPE_CHECKING:
    from gapless.data.loader.dataloader import Collate, Indexed, Order
    from gapless.data.loader.loader import Loader
    from gapless.data.loader.sources import Files, class_folders

_HOME = {
    "Collate": "gapless.data.loader.dataloader",
    "Files": "gapless.data.loader.sources",
    "Indexed": "gapless.data.loader.dataloader",
    "Loader": "gapless.data.loader.loader",
    "Order": "gapless.data.loader.dataloader",
    "class_folders": "gapless.data.loader.sources",
}

__all__ = [
    "Collate",
    "ColumnAccount",
    "Files",
    "Indexed",
    "Loader",
    "Order",
    "Rows",
    "Skipped",
    "Task",
    "class_folders",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'gapless.data' has no attribute {name!r}")
