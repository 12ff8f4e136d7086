"""What a rule found: where, what it is, what it does to the model, and what to write instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

Level = Literal["error", "warning", "note"]
"""error: the program does not do what it says. warning: it costs accuracy or an honest figure. note: worth knowing."""
LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, order=True)
class Place:
    """Where in a file: lines and columns count from 1, the end is behind the last character.

    Of a model that was handed in there is no line: `file` is then the name of what was looked at ("model", or
    module:function) and `part` the path inside of it, such as `layer1.0.bn2`.
    """

    file: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    part: str = ""

    def __str__(self) -> str:
        if self.line:
            return f"{self.file}:{self.line}:{self.column}"
        return f"{self.file}: {self.part}" if self.part else self.file


@dataclass(frozen=True)
class Finding:
    """One mistake: the rule's name and level, the place, and four sentences for whoever reads it."""

    rule: str
    level: Level
    place: Place
    what: str
    effect: str
    fix: str
    source: str

    def to_json(self) -> dict[str, Any]:
        """As a mapping for JSON; a place in a model has `part` instead of line and column."""
        place = self.place
        where: dict[str, Any] = {"file": place.file}
        if place.line:
            where |= {"line": place.line, "column": place.column}
            where |= {"end_line": place.end_line, "end_column": place.end_column}
        else:
            where["part"] = place.part
        sentences = {"what": self.what, "effect": self.effect, "fix": self.fix, "source": self.source}
        return {"rule": self.rule, "level": self.level, "where": where, **sentences}


@dataclass(frozen=True)
class Findings:
    """Everything that was found, by place; `print(findings)` says it. True if there is anything.

    read: how many files were read.
    """

    found: tuple[Finding, ...]
    read: int = 1

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def reaches(self, level: Level) -> bool:
        """Whether there is a finding of this level or a graver one."""
        return any(LEVELS.index(each.level) <= LEVELS.index(level) for each in self.found)

    def counts(self) -> dict[Level, int]:
        """How many of each level."""
        counted = Counter(each.level for each in self.found)
        return {level: counted[level] for level in LEVELS}

    def to_json(self) -> dict[str, Any]:
        """The one document of `gapless lint --json`."""
        found = [each.to_json() for each in self.found]
        return {"schema": 1, "read": self.read, "counts": dict(self.counts()), "findings": found}

    def __str__(self) -> str:
        return "\n".join([line for each in self.found for line in lines(each)] + [self.summary()])

    def summary(self) -> str:
        """One line: how many of what."""
        counts = [f"{n} {level}{'s' if n > 1 else ''}" for level, n in self.counts().items() if n]
        looked = f"; {self.read} {'file' if self.read == 1 else 'files'} read" if self.read else ""
        return f"{', '.join(counts) or 'nothing found'}{looked}"


def lines(finding: Finding) -> list[str]:
    """A finding as it is printed: one line that editors can jump to, and what follows from it."""
    return [
        f"{finding.place}: {finding.level}[{finding.rule}] {finding.what}",
        f"    effect: {finding.effect}",
        f"    fix: {finding.fix}",
        f"    source: {finding.source}",
    ]
