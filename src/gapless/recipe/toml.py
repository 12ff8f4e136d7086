"""Recipes as TOML: errors name the file, the line and the nearest right key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from gapless.errors import UsageError, did_you_mean
from gapless.recipe.recipe import Augment, BatchNorm, Decay, Dropout, Op, Recipe

SCHEMA = 1
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")  # TOML has no place for them
_PARTS: dict[str, type[BaseModel]] = {
    "dropout": Dropout,
    "batchnorm": BatchNorm,
    "decay": Decay,
    "augment": Augment,
    "ops": Op,
}


def loads(text: str, where: str) -> Recipe:
    """The recipe in a TOML text. See `Recipe.from_toml`."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{where}: not a recipe: its brackets are nested too deep") from error
    schema = values.pop("schema", None)
    if type(schema) is not int or schema != SCHEMA:
        raise UsageError(
            f"{where}: schema must be {SCHEMA}, got {schema!r}; the first line must be `schema = {SCHEMA}`"
        )
    return validated(values, where, text)


def validated(values: dict[str, Any], where: str, text: str | None) -> Recipe:
    """The recipe in plain values; with their TOML text, errors name the line."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = min(error.errors(), key=lambda e: e["type"] == "missing")  # a misspelled key is missing, too
        place = first["loc"]
        line = _line(text, place) if text is not None else None
        at = f"{where} line {line}" if line else where
        raise UsageError(f"{at}: {_sentence(place, first)}") from error


def _sentence(place: Sequence[int | str], error: Any) -> str:
    name = ".".join(str(p) for p in place)
    if error["type"] == "extra_forbidden":
        parent = next((p for p in reversed(place[:-1]) if isinstance(p, str)), None)
        known = list(_PARTS[parent].model_fields) if parent in _PARTS else [p for p in _PARTS if p != "ops"]
        return f"there is no {name!r} in a recipe.{did_you_mean(str(place[-1]), known)}"
    if error["type"] == "value_error":
        return f"{name}: {error['ctx']['error']}"
    if error["type"] == "missing":
        return f"{name} is missing"
    wanted = {"model_type": "should be a table", "tuple_type": "should be a list of tables"}.get(error["type"])
    said = wanted or re.sub("^Input should", "should", error["msg"])
    return f"{name or 'a recipe'} {said}, got {error['input']!r}"


_KEY = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_KEYS = rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*"
_HEADER, _ENTRY = re.compile(rf"\s*(\[\[?){_KEYS}\]"), re.compile(rf"{_KEYS}=")


def _line(text: str, place: Sequence[int | str]) -> int | None:
    """The line (from 1) where the value at `place` stands, or else the innermost table or value that holds it."""
    names = [p for p in place if isinstance(p, str)]
    number = next((p for p in place if isinstance(p, int)), 0)
    table: list[str] = []
    seen: dict[str, int] = {}
    turn: int | None = None  # the number of this [[table]] among those of its name; None outside of them
    found, depth = None, 0
    for n, line in enumerate(text.split("\n"), 1):
        if head := _HEADER.match(line):
            path = table = _names(head[2])
            turn = seen.get(head[2], -1) + 1 if head[1] == "[[" else None
            seen[head[2]] = turn or 0
        elif entry := _ENTRY.match(line):
            path = table + _names(entry[1])
        else:
            continue
        if turn in (None, number) and len(path) > depth and path == names[: len(path)]:
            found, depth = n, len(path)
    return found


def _names(keys: str) -> list[str]:
    return [key.strip("\"'") for key in re.findall(_KEY, keys)]


def dumps(recipe: Recipe, comment: str = "") -> str:
    """The recipe as TOML, only what is switched on; every line of `comment` stands above it behind a #."""
    lines = [f"# {_CONTROL.sub(' ', line)}".rstrip() for line in comment.splitlines()]
    lines.append(f"schema = {SCHEMA}")
    values = recipe.to_dict()
    for part, entries in values.items():
        ops = entries.pop("ops", ())
        if entries or not ops:
            lines += ["", f"[{part}]", *(f"{key} = {_value(value)}" for key, value in entries.items())]
        for op in ops:
            lines += ["", f"[[{part}.ops]]", *(f"{key} = {_value(value)}" for key, value in op.items())]
    return "\n".join(lines) + "\n"


def _value(value: str | bool | int | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else repr(value)
