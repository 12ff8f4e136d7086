"""Policies as TOML, read strictly and written so that reading gives the same policy again.

schema = 1
pick = 1                                             # as in `Policy`; left out, every step is taken in order

[protect]                                            # what is not the default of `Protect`
polarity = false
words = ["gapless"]

[[steps]]
op = "synonyms"
strength = 0.2                                       # p likewise, as in `Step`
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from gapless.augment.text.policy import Policy, Step
from gapless.augment.text.protect import Protect
from gapless.errors import UsageError, did_you_mean

SCHEMA = 1
_STEP: dict[str, type] = {"op": str, "strength": float, "p": float}
_POLICY = ("schema", *(field.name for field in fields(Policy)))
_PROTECT: dict[str, type] = {
    field.name: tuple if field.name in ("words", "patterns") else bool for field in fields(Protect)
}
_PRESETS = Path(__file__).parent / "presets"

T = TypeVar("T")


def load(path: str | Path) -> Policy:
    """The policy in a file. Errors name the file and the place in it."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the policy {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the policy {path} is not UTF-8 text") from error
    return loads(text, str(path))


def loads(text: str, where: str = "policy") -> Policy:
    """The policy in a text; `where` is what errors call it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}") from error
    _known(table, _POLICY, where)
    if table.get("schema") != SCHEMA:
        raise UsageError(f"{where}: schema must be {SCHEMA}, got {table.get('schema')!r}")
    steps = tuple(
        _step(entry, f"{where}: steps[{number}]")
        for number, entry in enumerate(_list(table.get("steps", []), f"{where}: steps"))
    )
    pick = _typed(table["pick"], int, f"{where}: pick") if "pick" in table else None
    protect = _protect(table.get("protect", {}), f"{where}: protect")
    return _built(lambda: Policy(steps, pick, protect), where)


def dumps(policy: Policy) -> str:
    """The policy as TOML text."""
    lines = [f"schema = {SCHEMA}"]
    if policy.pick is not None:
        lines.append(f"pick = {policy.pick}")
    plain = Protect()
    other = {name: value for name in _PROTECT if (value := getattr(policy.protect, name)) != getattr(plain, name)}
    if other:
        lines += ["", "[protect]", *(f"{name} = {_written(value)}" for name, value in other.items())]
    for step in policy.steps:
        lines += ["", "[[steps]]", f"op = {_written(step.op)}", f"strength = {float(step.strength)!r}"]
        if step.p != 1:
            lines.append(f"p = {float(step.p)!r}")
    return "\n".join(lines) + "\n"


def presets() -> tuple[str, ...]:
    """The names of the policies that are shipped."""
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.toml")))


def preset(name: str) -> Policy:
    """A policy that is shipped, by its name."""
    if name not in presets():
        raise UsageError(f"there is no text policy {name!r}.{did_you_mean(name, presets())}")
    return load(_PRESETS / f"{name}.toml")


def _step(entry: Any, where: str) -> Step:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} must be a table with op and strength, got {entry!r}")
    table = cast(dict[str, Any], entry)
    _known(table, tuple(_STEP), where)
    missing = [key for key in ("op", "strength") if key not in table]
    if missing:
        raise UsageError(f"{where}: {' and '.join(missing)} must be given")
    given = {key: _typed(value, _STEP[key], f"{where}: {key}") for key, value in table.items()}
    return _built(lambda: Step(**given), where)


def _protect(entry: Any, where: str) -> Protect:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} must be a table, got {entry!r}")
    table = cast(dict[str, Any], entry)
    _known(table, tuple(_PROTECT), where)
    given: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{where}: {key}"
        if _PROTECT[key] is tuple:
            given[key] = tuple(
                _typed(word, str, f"{place}[{number}]") for number, word in enumerate(_list(value, place))
            )
        else:
            given[key] = _typed(value, bool, place)
    return _built(lambda: Protect(**given), where)


def _built(build: Callable[[], T], where: str) -> T:
    try:
        return build()
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _typed(value: Any, kind: type, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        word = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}[kind]
        raise UsageError(f"{where} must be {word}, got {value!r}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise UsageError(f"{where} must be a list, got {value!r}")
    return cast(list[Any], value)


def _known(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            raise UsageError(f"{where}: there is no key {key!r}.{did_you_mean(key, keys)}")


def _written(value: Any) -> str:
    """A text, a list of texts or a truth value as TOML; its basic strings are JSON's, but for the DEL character."""
    if isinstance(value, tuple):
        return f"[{', '.join(_written(word) for word in cast(tuple[str, ...], value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
