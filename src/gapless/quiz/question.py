"""What a question is, in its five kinds, and whether a reply to it is right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gapless.evidence.result import Interval
from gapless.lab.evidence import Shown
from gapless.lab.experiment import Finding, Pillar, number
from gapless.quiz.formula import same, worth

Kind = Literal["choice", "verdict", "number", "figure", "bug", "formula"]
LETTERS = "abcdefgh"
VERDICTS = ("holds here", "does not hold", "depends", "undecided")


@dataclass(frozen=True)
class Option:
    """why: why it is right, or wrong."""

    text: str
    why: str


@dataclass(frozen=True)
class Question:
    """A question; its experiment measures what the answer rests on.

    options: of a choice, the first one right. of: the measured number that a `number` asks for, or that a `figure`
    has to be found among `among`. scale, unit, tolerance: how that number is asked for; what lies in its interval is
    right as well. code, line: of a bug. formula, variables: what is asked for, and between which values it is compared.
    why: of what is right; others: why lines that tempt are not the bug.
    """

    name: str
    theme: Pillar
    kind: Kind
    experiment: str
    ask: str
    why: str = ""
    options: tuple[Option, ...] = ()
    of: str = ""
    among: tuple[str, ...] = ()
    scale: float = 1.0
    unit: str = ""
    tolerance: float = 0.0
    code: str = ""
    line: int = 0
    others: Mapping[int, str] = field(default_factory=dict[int, str])
    formula: str = ""
    variables: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    @property
    def measured_first(self) -> bool:
        """Whether the question itself shows what was measured."""
        return self.kind == "figure"


@dataclass(frozen=True)
class Answer:
    """right: whether the reply was. correct: what is right, in a line. why: a line each, of the right and the wrong."""

    right: bool
    correct: str
    why: tuple[str, ...]


class Unclear(ValueError):
    """A reply that is none; says what one looks like."""


def judge(question: Question, reply: str, finding: Finding, order: Sequence[int] = ()) -> Answer:
    """Whether a reply is right, by what was measured; an empty one says "I do not know".

    Args:
        order: in which options, or the rows of a figure, were shown.

    Raises:
        Unclear: it cannot be read as a reply to this kind of question.
    """
    reply = reply.strip()
    if question.kind in ("choice", "verdict"):
        return _chosen(question, reply, finding, order)
    if question.kind == "figure":
        return _found(question, reply, finding, order)
    if question.kind == "number":
        return _near(question, reply, finding)
    if question.kind == "bug":
        return _spotted(question, reply)
    return _formula(question, reply)


def options_of(question: Question, finding: Finding | None) -> tuple[tuple[Option, ...], int]:
    """The options of a choice or a verdict, and which is right: 0, or -1 where that has not been measured."""
    if question.kind == "choice":
        return question.options, 0
    right = -1 if finding is None else VERDICTS.index(finding.word)
    return tuple(Option(word, _verdict_why(word, finding)) for word in VERDICTS), right


def correct(question: Question, finding: Finding | None) -> str:
    """What is right, in a line; where that is a measurement that has not been made, empty."""
    if question.kind in ("choice", "verdict"):
        options, right = options_of(question, finding)
        return options[right].text if right >= 0 else ""
    if question.kind == "bug":
        return f"line {question.line}"
    if question.kind == "formula":
        return question.formula
    if finding is None:
        return ""
    return said(question, finding.numbers[question.of])


def said(question: Question, value: Interval) -> str:
    """A measured number as the question asks for it."""
    low, mean, high = (question.scale * v for v in (value.low, value.mean, value.high))
    wide = max(high - low, abs(mean) / 100)
    text = f"{number(mean, wide)} {question.unit}".strip()
    return text if low == high else f"{text} ({number(low, wide)} to {number(high, wide)})"


def percent_of(value: Interval) -> float:
    """What a measured number is to be multiplied by to be shown: shares are shown in per cent."""
    return 100.0 if isinstance(value, Shown) else 1.0


def _verdict_why(word: str, finding: Finding | None) -> str:
    if finding is None:
        return "measured when it is asked"
    return "what was measured" if word == finding.word else "not by the rule, on what was measured here"


def _letter(reply: str, count: int) -> int:
    """The place of a letter; -1 for none."""
    if not reply:
        return -1
    place = LETTERS.find(reply[0].lower())
    if len(reply) != 1 or not 0 <= place < count:
        raise Unclear(f"answer with a letter from a to {LETTERS[count - 1]}, or press Enter if you do not know")
    return place


def _chosen(question: Question, reply: str, finding: Finding, order: Sequence[int]) -> Answer:
    options, right = options_of(question, finding)
    place = _letter(reply, len(options))
    taken = order[place] if place >= 0 else -1
    first = (options[right].why, question.why) if question.kind == "choice" else (question.why,)
    wrong = [f"{LETTERS[at]}) {options[i].text}: {options[i].why}" for at, i in enumerate(order) if i != right]
    whys = [*(why for why in first if why), *(wrong if question.kind == "choice" else ())]
    return Answer(taken == right, f"{LETTERS[list(order).index(right)]}) {options[right].text}", tuple(whys))


def _found(question: Question, reply: str, finding: Finding, order: Sequence[int]) -> Answer:
    names = [question.among[i] for i in order]
    place = _letter(reply, len(names))
    wanted = finding.numbers[question.of]
    # a bar that cannot be told from the right one is as good an answer
    right = place >= 0 and (
        names[place] == question.of or wanted.low <= finding.numbers[names[place]].mean <= wanted.high
    )
    whole = [f"{LETTERS[i]}) is {name}" for i, name in enumerate(names)]
    return Answer(right, f"{LETTERS[names.index(question.of)]}) {question.of}", (question.why, *whole))


def _near(question: Question, reply: str, finding: Finding) -> Answer:
    value = finding.numbers[question.of]
    low, mean, high = (question.scale * v for v in (value.low, value.mean, value.high))
    right = False
    if reply:
        try:
            given = float(reply.replace("%", "").replace(",", ".").strip())
        except ValueError:
            raise Unclear(f"answer with a number{f' ({question.unit})' if question.unit else ''}") from None
        right = low <= given <= high or abs(given - mean) <= question.tolerance
    near = f"within {number(question.tolerance)} {question.unit}".strip()
    return Answer(right, f"{said(question, value)}; {near}, or in the interval, counts as right", (question.why,))


def _spotted(question: Question, reply: str) -> Answer:
    count = len(question.code.strip().splitlines())
    if reply and not (reply.isascii() and reply.isdigit() and 1 <= int(reply) <= count):
        raise Unclear(f"answer with the number of a line, from 1 to {count}")
    taken = int(reply) if reply else 0
    whys = [question.why, *(f"line {line} is no bug: {why}" for line, why in question.others.items())]
    if taken and taken != question.line and taken not in question.others:
        whys.append(f"line {taken} does what it should.")
    return Answer(taken == question.line, f"line {question.line}", tuple(whys))


def _formula(question: Question, reply: str) -> Answer:
    right = False
    middle = {name: (2 * low + high) / 3 for name, (low, high) in question.variables.items()}
    if reply:
        if not math.isfinite(worth(reply, middle, Unclear)):
            raise Unclear("that is no number in the middle of the range")
        right = same(reply, question.formula, question.variables)
    if not reply or right:
        return Answer(right, question.formula, (question.why,))
    places = ", ".join(f"{name} = {number(value)}" for name, value in middle.items())
    yours, wanted = (number(worth(text, middle)) for text in (reply, question.formula))
    return Answer(right, question.formula, (question.why, f"At {places} yours gives {yours}, the right one {wanted}."))
