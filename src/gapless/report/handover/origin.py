"""The data and the model of a command line, as the Python that makes them again."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from gapless.report.handover.program import Source


def origin_of(data: str, source: Any, model: str | None, size: Any) -> Source:
    """The code of `gapless.load` with the options that were given, and of the model.

    Args:
        data: as it was typed. source, size: the `SourceOptions` and `ModelOptions` of the command line.
    """
    usual = type(source)()
    given = {f.name: getattr(source, f.name) for f in fields(source)}
    chosen = {name: value for name, value in given.items() if value != getattr(usual, name)}
    said = "".join(f", {name}={_said(name, value)}" for name, value in chosen.items())
    sizes = [f"{name}={value}" for name in ("width", "depth") if (value := getattr(size, name)) is not None]
    built = f", ModelOptions({', '.join(sizes)})" if sizes else ""
    imports = ["from gapless.data.task import with_model"]
    if sizes:
        imports.append("from gapless.models import ModelOptions")
    word = ", None" if model is None and sizes else "" if model is None else f", {model!r}"
    return Source(f"with_model(gapless.load({data!r}{said}){word}{built})", tuple(imports))


def _said(name: str, value: Any) -> str:
    """An option as `gapless.load` takes it: paths are words, and further test data has names."""
    if name == "also":
        return repr({word: str(place) for word, place in value})
    if isinstance(value, tuple):
        return repr([str(one) for one in value])
    return repr(value if isinstance(value, int | float | str) else str(value))
