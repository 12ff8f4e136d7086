"""A Task made by a function of the user's: `module:function`."""

from __future__ import annotations

from gapless.data.task import Task
from gapless.errors import DataError
from gapless.functions import blame, current_folder_first, described, find, folder_kept


def load_function(source: str) -> Task:
    """Imports the module from the current folder or the environment, calls the function and returns its Task.

    This runs the user's code. Whatever it raises comes back as a DataError with the type, the message and the line.
    """
    function = find(source, "a gapless.Task")
    with current_folder_first(), folder_kept():
        try:
            task = function()
        # The user's code may raise anything, and end the process on a whim.
        except (Exception, SystemExit) as error:
            blame(source, error)
    if not isinstance(task, Task):
        raise DataError(f"{source} must return a gapless.Task, got {described(task)}")
    return task
