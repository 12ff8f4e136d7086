"""What a reader has been asked, missed and known, kept from round to round; and what a round asks."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

from gapless import draws
from gapless.errors import DataError
from gapless.files import write_atomically
from gapless.quiz.question import Question

ROUND = 5
"""Questions of a round."""
AGAIN = 3
"""Questions of a round, at most, that were missed before: the rest is new."""
SCHEMA = 1


@dataclass(frozen=True)
class Known:
    """right, missed: how often. streak: right in a row. due: the round from which on it may be asked again."""

    right: int = 0
    missed: int = 0
    streak: int = 0
    due: int = 0


@dataclass(frozen=True)
class Memory:
    """rounds: how many were begun. known: by question."""

    rounds: int = 0
    known: dict[str, Known] = field(default_factory=dict[str, Known])

    def begun(self) -> Self:
        return replace(self, rounds=self.rounds + 1)

    def answered(self, question: Question, right: bool) -> Self:
        """What was missed comes again in the next round; what was known, in 2, 4, 8 ... rounds (Leitner's boxes)."""
        before = self.known.get(question.name, Known())
        streak = before.streak + 1 if right else 0
        after = Known(before.right + right, before.missed + (not right), streak, self.rounds + 2**streak)
        return replace(self, known={**self.known, question.name: after})

    def chosen(
        self, bank: Sequence[Question], kept: Collection[str], count: int = ROUND, seed: int = 0
    ) -> list[Question]:
        """The questions of the round that has begun: missed ones that are due, then new ones, then what was known.

        New ones are from as many themes as there are, and first those whose experiments have been run (`kept`).
        """
        order = draws.stream(seed, "quiz", self.rounds).permutation(len(bank))
        drawn = [bank[int(i)] for i in order]
        due = [q for q in drawn if (k := self.known.get(q.name)) and k.due <= self.rounds]
        missed = [q for q in due if not self.known[q.name].streak][:AGAIN]
        unasked = [q for q in drawn if q.name not in self.known]
        fresh = [*(q for q in unasked if q.experiment in kept), *(q for q in unasked if q.experiment not in kept)]
        rest = [q for q in drawn if q.name in self.known]
        rest.sort(key=lambda question: self.known[question.name].due)
        asked = missed[:count]
        for wanted in (True, False):  # first one of each theme
            for question in fresh:
                themes = {q.theme for q in asked}
                if len(asked) < count and question not in asked and (question.theme not in themes or not wanted):
                    asked.append(question)
        asked += [q for q in rest if q not in asked][: count - len(asked)]
        return asked

    # ── on the disk ──

    @classmethod
    def load(cls, path: Path) -> Memory:
        """What was kept; nothing where there is no file, or none that can be read.

        Raises:
            DataError: the file is there and the system does not give it.
        """
        try:
            document = json.loads(path.read_text("utf-8"))
            if document["schema"] != SCHEMA:
                return cls()
            known = {str(name): Known(**cast("dict[str, Any]", k)) for name, k in document["known"].items()}
            return cls(int(document["rounds"]), known)
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError):  # torn or of another version: it is begun anew
            return cls()

    def save(self, path: Path) -> None:
        """DataError: the disk is full or the folder cannot be written."""
        document = {"schema": SCHEMA, "rounds": self.rounds, "known": {n: asdict(k) for n, k in self.known.items()}}
        write_atomically(path, (json.dumps(document) + "\n").encode())
