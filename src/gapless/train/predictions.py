"""What a trained model says of rows, and how sure it may be."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapless.data.inputs.asked import Asked
from gapless.files import write_atomically


@dataclass(frozen=True)
class HeldOut:
    """What models trained like this one got on rows they were not trained on.

    rows: how many. score: the task's metric there. temperature: what class scores are divided by before they become
    probabilities, 1 for a regression. within: 90 % of the rows of a regression lay so close, in the target's unit.
    """

    rows: int
    score: float
    temperature: float = 1.0
    within: float = 0.0


@dataclass(frozen=True)
class Predictions:
    """What a model says of rows, in their order.

    answers: (N,) names of classes, or float64 in the target's unit. probabilities: (N, classes) float64, None for a
    regression. within: what 9 of 10 answers of a regression are off by at most.
    """

    answers: NDArray[Any]
    probabilities: NDArray[np.float64] | None
    classes: tuple[str, ...]
    asked: Asked
    target: str = ""
    within: float = 0.0

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was odd about the rows, a sentence each."""
        return self.asked.notes

    @property
    def left_out(self) -> tuple[tuple[str, str], ...]:
        """Rows that could not be read and have no answer, and why."""
        return self.asked.left_out

    def columns(self) -> dict[str, Sequence[Any]]:
        """All of it by name, for a file or a frame: rows, columns that identify them, answers, probabilities."""
        found: dict[str, Sequence[Any]] = {self.asked.named: self.asked.names}
        answer = f"predicted {self.target}".rstrip()
        found |= {name: cells for name, cells in self.asked.ids.items() if name not in (self.asked.named, answer)}
        found[answer] = self.answers.tolist()
        if self.probabilities is None:
            values = self.answers.astype(np.float64)
            return {**found, "low": (values - self.within).tolist(), "high": (values + self.within).tolist()}
        found["probability"] = self.probabilities.max(1).tolist()
        return found | {f"p({name})": self.probabilities[:, i].tolist() for i, name in enumerate(self.classes)}

    def write(self, path: str | Path) -> None:
        """A .csv file, UTF-8, a row each.

        Raises:
            DataError: it cannot be written.
        """
        write_atomically(Path(path), self.csv().encode("utf-8", "surrogatepass"))

    def csv(self) -> str:
        """What `write` writes."""
        columns, text = self.columns(), io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
        return text.getvalue()


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
