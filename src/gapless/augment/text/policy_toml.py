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
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from gapless.augment.policy_file import built, known, listed, named, names, parsed, read, step_values, tabled, typed
from gapless.augment.text.policy import Policy, Step
from gapless.augment.text.protect import Protect

SCHEMA = 1
_STEP: dict[str, type] = {"op": str, "strength": float, "p": float}
_POLICY = tuple(field.name for field in fields(Policy))
_PROTECT: dict[str, type] = {
    field.name: tuple if field.name in ("words", "patterns") else bool for field in fields(Protect)
}
_PRESETS = Path(__file__).parent / "presets"


def load(path: str | Path) -> Policy:
    """The policy in a file. Errors name the file and the place in it."""
    return loads(read(Path(path)), str(Path(path)))


def loads(text: str, where: str = "policy") -> Policy:
    """The policy in a text; `where` is what errors call it."""
    table = parsed(text, SCHEMA, _POLICY, where)
    steps = tuple(
        _step(entry, f"{where}: steps[{number}]")
        for number, entry in enumerate(listed(table.get("steps", []), f"{where}: steps"))
    )
    pick = typed(table["pick"], int, f"{where}: pick") if "pick" in table else None
    protect = _protect(table.get("protect", {}), f"{where}: protect")
    return built(lambda: Policy(steps, pick, protect), where)


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
    return names(_PRESETS)


def preset(name: str) -> Policy:
    """A policy that is shipped, by its name."""
    return load(named(name, _PRESETS, "text policy"))


def _step(entry: Any, where: str) -> Step:
    given = step_values(entry, _STEP, where)
    return built(lambda: Step(**given), where)


def _protect(entry: Any, where: str) -> Protect:
    table = tabled(entry, where)
    known(table, _PROTECT, where)
    given: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{where}: {key}"
        if _PROTECT[key] is tuple:
            given[key] = tuple(
                typed(word, str, f"{place}[{number}]") for number, word in enumerate(listed(value, place))
            )
        else:
            given[key] = typed(value, bool, place)
    return built(lambda: Protect(**given), where)


def _written(value: Any) -> str:
    """A text, a list of texts or a truth value as TOML; its basic strings are JSON's, but for the DEL character."""
    if isinstance(value, tuple):
        return f"[{', '.join(_written(word) for word in cast(tuple[str, ...], value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
