"""Recipes as TOML: errors name the file, the line and the nearest right key."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from gapless.errors import UsageError
from gapless.recipe.problems import Place

SCHEMA = 1
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")  # TOML has no place for them


def loads(text: str, where: str) -> dict[str, Any]:
    """The values in a TOML text, its schema checked and taken out; UsageError for what is not the TOML of a recipe."""
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
    return values


def where_at(text: str, place: Place, where: str) -> str:
    """`where` with the line at which the value at `place` stands, if the text has it."""
    line = _line(text, place)
    return f"{where} line {line}" if line else where


_KEY = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_KEYS = rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*"
_HEADER, _ENTRY = re.compile(rf"\s*(\[\[?){_KEYS}\]"), re.compile(rf"{_KEYS}=")


def _line(text: str, place: Place) -> int | None:
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


def dumps(values: dict[str, Any], comment: str = "") -> str:
    """What `Recipe.to_dict` gives as TOML; every line of `comment` stands above it behind a #."""
    lines = [f"# {_CONTROL.sub(' ', line)}".rstrip() for line in comment.splitlines()]
    lines.append(f"schema = {SCHEMA}")
    for part, entries in values.items():
        ops = entries.get("ops", ())
        options = entries.get("one_of", ())
        plain = {key: value for key, value in entries.items() if key not in ("ops", "one_of")}
        if plain or options or not ops:
            lines += ["", f"[{part}]", *(f"{key} = {_value(value)}" for key, value in plain.items())]
        if options:
            lists = (", ".join(map(_inline, option)) for option in options)
            lines += ["one_of = [", *(f"    [{each}]," for each in lists), "]"]
        for op in ops:
            lines += ["", f"[[{part}.ops]]", *(f"{key} = {_value(value)}" for key, value in op.items())]
    return "\n".join(lines) + "\n"


def _inline(op: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {_value(value)}" for key, value in op.items()) + " }"


def _value(value: str | bool | int | float | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """As a basic string: TOML's escapes are JSON's, but that it knows no bare control characters."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
