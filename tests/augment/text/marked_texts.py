"""The sentences of protected.txt, with the spans that are marked in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_ESCAPE = re.compile(r"\\(?:n|t|u[0-9a-f]{4})")
_SPECIAL = {"(empty)": "", "(blank)": "  "}


class Marked(NamedTuple):
    group: str
    text: str
    spans: tuple[tuple[int, int], ...]

    def shown(self) -> list[str]:
        return [self.text[start:stop] for start, stop in self.spans]


def marked_texts() -> list[Marked]:
    found: list[Marked] = []
    group = ""
    for line in Path(__file__).with_name("protected.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            group = line[2:]
        elif line:
            pieces = re.split("[⟦⟧]", _ESCAPE.sub(_character, _SPECIAL.get(line, line)))
            places = [0]
            for piece in pieces:
                places.append(places[-1] + len(piece))
            spans = tuple(zip(places[1:-1:2], places[2:-1:2], strict=True))
            found.append(Marked(group, "".join(pieces), spans))
    return found


def _character(match: re.Match[str]) -> str:
    return {"\\n": "\n", "\\t": "\t"}.get(match[0]) or chr(int(match[0][2:], 16))
