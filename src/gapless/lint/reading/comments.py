"""`# gapless: ignore[rule]`: where somebody has looked and decided."""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass

_MARK = re.compile(r"#\s*gapless:\s*(ignore|ignore-file)\[([^\]]*)\]")


@dataclass(frozen=True)
class Ignored:
    """One comment: the rules it names, the lines it speaks for (None: the whole file), and its own place."""

    rules: tuple[str, ...]
    lines: tuple[int, ...] | None
    line: int
    column: int
    end_column: int


def ignored(text: str) -> list[Ignored]:
    """The comments that name rules to pass over: at the end of a line, or alone on the line above it."""
    if "gapless:" not in text:
        return []
    found: list[Ignored] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or (mark := _MARK.search(token.string)) is None:
            continue
        row, column = token.start
        alone = not token.line[:column].strip()
        lines = None if mark[1] == "ignore-file" else (row, row + 1) if alone else (row,)
        rules = tuple(name.strip() for name in mark[2].split(",") if name.strip())
        found.append(Ignored(rules, lines, row, column + 1, token.end[1] + 1))
    return found
