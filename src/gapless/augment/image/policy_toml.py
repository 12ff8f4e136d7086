"""Policies as TOML, read strictly and written so that reading gives the same policy again.

schema = 1
fill = "gray"                                        # pick, size and reading likewise, as in `Policy`

[[steps]]
op = "rotate"
strength = 15.0                                      # p and magnitude likewise, as in `Step`

[[steps]]                                            # a `Choice`, drawn twice
times = 2
one_of = [[], [{ op = "invert", strength = 1.0 }], [{ op = "blur", strength = 2.0, p = 0.5 }]]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from gapless.augment.image.policy import Choice, Policy, Step
from gapless.errors import UsageError, did_you_mean

SCHEMA = 1
_STEP = tuple(field.name for field in fields(Step))
_POLICY = ("schema", *(field.name for field in fields(Policy)))
_CHOICE = ("one_of", "times")
_PRESETS = Path(__file__).parent / "presets"


def load(path: str | Path) -> Policy:
    """The policy in a file. Errors name the file and the place in it."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the policy {path} cannot be read: {error.strerror}") from error
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
    entries: list[Step | Choice] = []
    for number, entry in enumerate(_list(table.get("steps", []), f"{where}: steps")):
        entries.extend(_entry(entry, f"{where}: steps[{number}]"))
    size = table.get("size")
    given = {key: _typed(table[key], kind, f"{where}: {key}") for key, kind in _TYPES.items() if key in table}
    if size is not None:
        given["size"] = tuple(_typed(side, int, f"{where}: size") for side in _list(size, f"{where}: size"))
        if len(given["size"]) != 2:
            raise UsageError(f"{where}: size must be [height, width], got {size!r}")
    return _built(lambda: Policy(tuple(entries), **given), where)


def dumps(policy: Policy) -> str:
    """The policy as TOML text."""
    lines = [f"schema = {SCHEMA}"]
    if policy.pick is not None:
        lines.append(f"pick = {policy.pick}")
    lines.append(f'fill = "{policy.fill}"')
    if policy.reading != "bilinear":
        lines.append(f'reading = "{policy.reading}"')
    if policy.size is not None:
        lines.append(f"size = [{policy.size[0]}, {policy.size[1]}]")
    entries = list(policy.steps)
    while entries:
        entry = entries.pop(0)
        lines += ["", "[[steps]]"]
        if isinstance(entry, Step):
            lines += [f"{key} = {value}" for key, value in _pairs(entry)]
            continue
        times = 1
        while entries and entries[0] == entry:
            entries.pop(0)
            times += 1
        lines += [f"times = {times}"] * (times > 1)
        options = [", ".join(_inline(step) for step in option) for option in entry.options]
        lines += ["one_of = [", *(f"    [{option}]," for option in options), "]"]
    return "\n".join(lines) + "\n"


def presets() -> tuple[str, ...]:
    """The names of the policies that are shipped."""
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.toml")))


def preset(name: str) -> Policy:
    """A policy that is shipped, by its name."""
    if name == "augmix":
        raise UsageError("AugMix mixes several chains, so it is not one policy: use AugMix.paper()")
    if name not in presets():
        raise UsageError(f"there is no policy {name!r}.{did_you_mean(name, presets())}")
    return load(_PRESETS / f"{name}.toml")


_TYPES: dict[str, type] = {"pick": int, "fill": str, "reading": str}
_STEP_TYPES: dict[str, type] = {"op": str, "strength": float, "p": float, "magnitude": str}


def _entry(entry: Any, where: str) -> list[Step | Choice]:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} must be a table, got {entry!r}")
    table = cast(dict[str, Any], entry)
    if "one_of" not in table:
        return [_step(table, where)]
    _known(table, _CHOICE, where)
    times = _typed(table.get("times", 1), int, f"{where}: times")
    if times < 1:
        raise UsageError(f"{where}: times must be at least 1, got {times}")
    options: list[tuple[Step, ...]] = []
    for number, option in enumerate(_list(table["one_of"], f"{where}: one_of")):
        place = f"{where}: one_of[{number}]"
        options.append(tuple(_step(step, f"{place}[{n}]") for n, step in enumerate(_list(option, place))))
    return [_built(lambda: Choice(tuple(options)), where)] * times


def _step(table: Any, where: str) -> Step:
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table with op and strength, got {table!r}")
    entries = cast(dict[str, Any], table)
    _known(entries, _STEP, where)
    missing = [key for key in ("op", "strength") if key not in entries]
    if missing:
        raise UsageError(f"{where}: {' and '.join(missing)} must be given")
    given = {key: _typed(value, _STEP_TYPES[key], f"{where}: {key}") for key, value in entries.items()}
    return _built(lambda: Step(**given), where)


def _built(build: Any, where: str) -> Any:
    try:
        return build()
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _typed(value: Any, kind: type, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        word = {float: "a number", int: "a whole number", str: "a text"}[kind]
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


def _pairs(step: Step) -> list[tuple[str, str]]:
    """What is written of a step: its name and strength, and what is not the default."""
    pairs = [("op", f'"{step.op}"'), ("strength", repr(float(step.strength)))]
    if step.p != 1:
        pairs.append(("p", repr(float(step.p))))
    if step.magnitude != "uniform":
        pairs.append(("magnitude", f'"{step.magnitude}"'))
    return pairs


def _inline(step: Step) -> str:
    return "{ " + ", ".join(f"{key} = {value}" for key, value in _pairs(step)) + " }"
