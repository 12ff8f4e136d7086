"""What the user brings, as a Task."""

from gapless.data.task import Rows, Skipped, Task

__all__ = ["Rows", "Skipped", "Task"]
