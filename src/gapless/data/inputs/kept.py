"""The reader of a Task's rows, and readers from their facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from gapless.data.inputs.asked import Inputs
from gapless.data.inputs.pictures import PictureInputs
from gapless.data.inputs.tables import ArrayInputs, TableInputs
from gapless.data.inputs.texts import TextInputs
from gapless.data.task import Task
from gapless.errors import DataError

_READERS = {"table": TableInputs, "array": ArrayInputs, "text": TextInputs, "picture": PictureInputs}


def inputs_of(task: Task) -> Inputs:
    """What reads further rows of a task: what its source decided, else whatever its rows look like."""
    if task.inputs is not None:
        return task.inputs
    if task.kind == "image":
        channels, height, width = task.shape
        return PictureInputs(height, width, channels)
    return TextInputs() if task.kind == "text" else ArrayInputs(task.shape[0])


def inputs_from(facts: Mapping[str, Any]) -> Inputs:
    """A reader from what its `facts` gave.

    Raises:
        DataError: they are not those of a reader.
    """
    try:
        return _READERS[facts["kind"]].of(facts)
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"what is needed to read its rows is damaged ({said})") from error
