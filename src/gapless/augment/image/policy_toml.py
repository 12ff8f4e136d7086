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

from dataclasses import fields
from pathlib import Path
from typing import Any

from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.policy_file import built, known, listed, named, names, parsed, read, step_values, tabled, typed
from gapless.errors import UsageError

SCHEMA = 1
_POLICY = tuple(field.name for field in fields(Policy))
_CHOICE = ("one_of", "times")
_PRESETS = Path(__file__).parent / "presets"
_TYPES: dict[str, type] = {"pick": int, "fill": str, "reading": str}
_STEP: dict[str, type] = {"op": str, "strength": float, "p": float, "magnitude": str}


def load(path: str | Path) -> Policy:
    """The policy in a file. Errors name the file and the place in it."""
    return loads(read(Path(path)), str(Path(path)))


def loads(text: str, where: str = "policy") -> Policy:
    """The policy in a text; `where` is what errors call it."""
    table = parsed(text, SCHEMA, _POLICY, where)
    entries: list[Step | Choice] = []
    for number, entry in enumerate(listed(table.get("steps", []), f"{where}: steps")):
        entries.extend(_entry(entry, f"{where}: steps[{number}]"))
    size = table.get("size")
    given = {key: typed(table[key], kind, f"{where}: {key}") for key, kind in _TYPES.items() if key in table}
    if size is not None:
        given["size"] = tuple(typed(side, int, f"{where}: size") for side in listed(size, f"{where}: size"))
        if len(given["size"]) != 2:
            raise UsageError(f"{where}: size must be [height, width], got {size!r}")
    return built(lambda: Policy(tuple(entries), **given), where)


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
    return names(_PRESETS)


def preset(name: str) -> Policy:
    """A policy that is shipped, by its name."""
    if name == "augmix":
        raise UsageError("AugMix mixes several chains, so it is not one policy: use AugMix.paper()")
    return load(named(name, _PRESETS, "policy"))


def _entry(entry: Any, where: str) -> list[Step | Choice]:
    table = tabled(entry, where)
    if "one_of" not in table:
        return [_step(table, where)]
    known(table, _CHOICE, where)
    times = typed(table.get("times", 1), int, f"{where}: times")
    if times < 1:
        raise UsageError(f"{where}: times must be at least 1, got {times}")
    options: list[tuple[Step, ...]] = []
    for number, option in enumerate(listed(table["one_of"], f"{where}: one_of")):
        place = f"{where}: one_of[{number}]"
        options.append(tuple(_step(step, f"{place}[{n}]") for n, step in enumerate(listed(option, place))))
    return [built(lambda: Choice(tuple(options)), where)] * times


def _step(entry: Any, where: str) -> Step:
    given = step_values(entry, _STEP, where)
    return built(lambda: Step(**given), where)


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
