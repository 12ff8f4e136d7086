"""What is wrong with values handed to a pydantic model, as one sentence with the nearest right key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from gapless.errors import did_you_mean

Place = Sequence[int | str]
"""Where a value stands: keys and positions, from the outside in."""


def first_problem(model: type[BaseModel], error: ValidationError) -> tuple[Place, str]:
    """Where the first problem is, and a sentence about it; a misspelled key comes before the one it leaves missing."""
    first = min(error.errors(), key=lambda e: e["type"] == "missing")
    return first["loc"], _sentence(model, first["loc"], first)


def _sentence(model: type[BaseModel], place: Place, error: Any) -> str:
    name = ".".join(str(p) for p in place)
    if error["type"] == "extra_forbidden":
        home = _model_at(model, place[:-1])
        return f"there is no {name!r} in {_called(model)}.{did_you_mean(str(place[-1]), home.model_fields)}"
    if error["type"] == "value_error":
        return f"{name}: {error['ctx']['error']}" if name else str(error["ctx"]["error"])
    if error["type"] == "missing":
        return f"{name} is missing"
    wanted = {
        "model_type": "should be a table",
        "tuple_type": f"should be a list of {'tables' if place[-1:] == ('ops',) else 'patterns'}",
    }.get(error["type"])
    said = wanted or re.sub("^Input should", "should", error["msg"])
    return f"{name or _called(model)} {said}, got {error['input']!r}"


def _called(model: type[BaseModel]) -> str:
    return model.__name__ if model.__name__ != "Recipe" else "a recipe"


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model whose values stand at `place`: through fields, and through tuples of models."""
    for name in (p for p in place if isinstance(p, str)):
        annotation: Any = model.model_fields[name].annotation
        while not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            annotation = get_args(annotation)[0]
        model = annotation
    return model
