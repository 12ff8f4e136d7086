"""What the TOML files of all policies share: strict reading in which every mistake is named with its place.

`where` is always what errors call the value, such as `my.toml: steps[2]: strength`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from gapless.errors import UsageError, did_you_mean

T = TypeVar("T")

_WORDS: dict[type, str] = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}


def read(path: Path) -> str:
    """The text of a policy's file."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the policy {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the policy {path} is not UTF-8 text") from error


def parsed(text: str, schema: int, keys: Iterable[str], where: str) -> dict[str, Any]:
    """The table in a TOML text of this schema that has `schema` and no other than these keys."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}") from error
    known(table, ("schema", *keys), where)
    if table.get("schema") != schema:
        raise UsageError(f"{where}: schema must be {schema}, got {table.get('schema')!r}")
    return table


def step_values(entry: Any, types: Mapping[str, type], where: str) -> dict[str, Any]:
    """The values of a step's table: op and strength, and what else `types` names."""
    table = tabled(entry, where, "a table with op and strength")
    known(table, types, where)
    missing = [key for key in ("op", "strength") if key not in table]
    if missing:
        raise UsageError(f"{where}: {' and '.join(missing)} must be given")
    return {key: typed(value, types[key], f"{where}: {key}") for key, value in table.items()}


def known(table: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    """Refuse a table with any other key than these."""
    keys = tuple(keys)
    for key in table:
        if key not in keys:
            raise UsageError(f"{where}: there is no key {key!r}.{did_you_mean(key, keys)}")


def typed(value: Any, kind: type, where: str) -> Any:
    """The value, which must be a float, an int, a str or a bool; a whole number is also a float, a bool no number."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UsageError(f"{where} must be {_WORDS[kind]}, got {value!r}")
    return value


def listed(value: Any, where: str) -> list[Any]:
    """The value, which must be a list."""
    if not isinstance(value, list):
        raise UsageError(f"{where} must be a list, got {value!r}")
    return cast(list[Any], value)


def tabled(value: Any, where: str, what: str = "a table") -> dict[str, Any]:
    """The value, which must be a table; `what` is how errors describe it."""
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be {what}, got {value!r}")
    return cast(dict[str, Any], value)


def built(build: Callable[[], T], where: str) -> T:
    """What `build` makes; its own errors get their place."""
    try:
        return build()
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def names(folder: Path) -> tuple[str, ...]:
    """The names of the policies in a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def named(name: str, folder: Path, what: str) -> Path:
    """The file of a policy in a folder; `what` is what errors call such a policy."""
    if name not in names(folder):
        raise UsageError(f"there is no {what} {name!r}.{did_you_mean(name, names(folder))}")
    return folder / f"{name}.toml"
