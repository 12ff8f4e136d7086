"""The bank for others: as one document for teachers, and as cards for Anki."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from gapless.evidence.result import Interval
from gapless.lab.runner import Record
from gapless.quiz.question import Question, correct, options_of

Last = Callable[[str], Record | None]
"""The last run of an experiment on this machine."""


def document(bank: Sequence[Question], last: Last) -> list[dict[str, Any]]:
    """Each question with what is right, why, and what was measured here; None where it has not been."""
    return [_entry(question, last(question.experiment)) for question in bank]


def _entry(question: Question, record: Record | None) -> dict[str, Any]:
    finding = None if record is None else record.finding
    options, right = options_of(question, finding) if question.kind in ("choice", "verdict") else ((), -1)
    listed = [{"text": o.text, "why": o.why, "right": None if right < 0 else i == right} for i, o in enumerate(options)]
    measured = None
    if record is not None:
        numbers = {name: _number(value) for name, value in record.finding.numbers.items()}
        measured = {
            "verdict": record.finding.word,
            "because": record.finding.because,
            "numbers": numbers,
            "at": record.at,
        }
    return {
        "name": question.name,
        "theme": question.theme,
        "kind": question.kind,
        "ask": question.ask,
        "code": question.code.strip(),
        "options": listed,
        "among": list(question.among),
        "unit": question.unit,
        "tolerance": question.tolerance,
        "correct": correct(question, finding) or None,
        "why": question.why,
        "experiment": question.experiment,
        "measure": f"gapless lab {question.experiment}",
        "measured": measured,
    }


def _number(value: Interval) -> dict[str, float]:
    return {"mean": value.mean, "low": value.low, "high": value.high}


def anki(bank: Sequence[Question], last: Last) -> str:
    """Tab-separated text that Anki imports: front, back, tags. Questions that need a figure of this machine's have it
    only where it was measured; the others are left out."""
    lines = ["#separator:tab", "#html:true", "#tags column:3"]
    for question in bank:
        record = last(question.experiment)
        finding = None if record is None else record.finding
        right = correct(question, finding)
        if right and not question.measured_first:
            front = [question.ask, *question.code.strip("\n").splitlines()]
            front += [f"· {o.text}" for o in _shown(question, record)]
            seen = "not measured yet" if record is None else f"measured {record.at[:10]}: {record.finding.because}"
            back = [right, question.why, seen, f"gapless lab {question.experiment}"]
            lines.append("\t".join([_field(front), _field(back), f"gapless {question.theme}"]))
    return "\n".join(lines) + "\n"


def _shown(question: Question, record: Record | None) -> list[Any]:
    """The options in an order that does not tell which is right."""
    if question.kind not in ("choice", "verdict"):
        return []
    options, _ = options_of(question, None if record is None else record.finding)
    return sorted(options, key=lambda o: o.text)


def _field(lines: Sequence[str]) -> str:
    """Lines of one field: no tab and no end of line in it."""
    shown = (html.escape(line, quote=False).replace("\t", "    ") for line in lines if line)
    return "<br>".join(line.replace("  ", "&nbsp;&nbsp;") for line in shown)
