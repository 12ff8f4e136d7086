"""How numbers and foreign words are written: units, digits, signs; nothing here knows what a report looks like."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from gapless.evidence.result import Interval, Result
from gapless.metrics import METRICS

# Control characters but line feed and tab, what is no character, and marks that reorder the text around them:
# a name may not rearrange our sentence, nor steer a terminal.
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str) -> str:
    r"""Foreign text made safe to show: control characters, direction marks and lone surrogates become `\x1b`, `\u202e`.

    Line feeds and tabs stay. What is left can be encoded as UTF-8 and stand in XML.
    """
    return _HIDDEN.sub(_escape, text)


def one_line(text: str, limit: int = 0) -> str:
    """`visible`, with every run of white space as one space; cut after `limit` characters where a limit is given."""
    line = visible(" ".join(text.split()))
    return line if not limit or len(line) <= limit else line[: limit - 1] + "…"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


@dataclass(frozen=True)
class Figures:
    """How one run writes its scores: shares in per cent and points, others as they are; as many digits as carry news.

    minus, space: what stands for a minus sign and between a number and its unit.
    """

    metric: str
    digits: int
    minus: str = "-"
    space: str = " "

    @classmethod
    def of(cls, result: Result, minus: str = "-", space: str = " ") -> Figures:
        metric = METRICS[result.metric.name]
        in_unit = metric.error and not metric.classes
        digits = _digits_of_width(result.gain) if in_unit else _digits(result.gain, metric.share)
        return cls(metric.name, digits, minus, space)

    @property
    def percent(self) -> bool:
        return METRICS[self.metric].share

    @property
    def axis(self) -> str:
        """What follows a word for a score on an axis, where more is better: ` in %`, `, r2`, `, minus mae`."""
        return " in %" if self.percent else f", {'minus ' if self.error else ''}{self.metric}"

    @property
    def error(self) -> bool:
        """Whether less is better: scores are written as what they are, differences as how much less there is."""
        return METRICS[self.metric].error

    @property
    def scale(self) -> float:
        return 100.0 if self.percent else 1.0

    @property
    def unit(self) -> str:
        """The unit of a difference, with the space before it."""
        return f"{self.space}points" if self.percent else f"{self.space}in{self.space}{self.metric}"

    def bare(self, value: float) -> str:
        """A score or a difference without its unit: `87.4`, `-0.3`."""
        return self._signed(value, "")

    def score(self, value: float) -> str:
        """`87.4 %`, or `0.874` for r2."""
        return self.points(value) + (f"{self.space}%" if self.percent else "")

    def points(self, value: float) -> str:
        """A score without its unit: `87.4`; of an error what people know, above zero."""
        return self.bare(0.0 - value if self.error else value)

    def change(self, value: float) -> str:
        """`+8.1 points`, `-0.3 points`, `+0.081 in r2`, `1.2 less mae`; what rounds to nothing has no sign."""
        if self.error:
            return f"{self.bare(value)}{self.space}less{self.space}{self.metric}"
        return self.signed(value) + self.unit

    def signed(self, value: float) -> str:
        """A change without its unit: `+8.1`."""
        return self._signed(value, "+")

    def size(self, value: float) -> str:
        """A difference whose direction the sentence says: `8.1 points`."""
        return self.bare(value) + self.unit

    def span(self, interval: Interval) -> str:
        """`6.0 to 10.2`"""
        return f"{self.bare(interval.low)}{self.space}to{self.space}{self.bare(interval.high)}"

    def _signed(self, value: float, plus: str) -> str:
        if math.isnan(value):
            return "unknown"
        if math.isinf(value):
            return (self.minus if value < 0 else plus) + "infinity"
        text = f"{abs(value) * self.scale:.{self.digits}f}"
        if not float(text):
            return text
        return (self.minus if value < 0 else plus) + text


def _digits(gain: Interval, percent: bool) -> int:
    """One more digit while an end of the gain's interval, or its half width, would be rounded to nothing."""
    digits, scale = (1, 100.0) if percent else (3, 1.0)
    ends = [abs(v) * scale for v in (gain.low, gain.high, (gain.high - gain.low) / 2)]
    for extra in range(2):
        if all(v == 0 or not math.isfinite(v) or float(f"{v:.{digits + extra}f}") for v in ends):
            return digits + extra
    return digits + 2


def _digits_of_width(gain: Interval) -> int:
    """For errors in the target's unit, of any size: two digits of the half width of the gain's interval."""
    half = (gain.high - gain.low) / 2
    return max(0, min(9, 1 - math.floor(math.log10(half)))) if 0 < half < math.inf else 3


def count(number: int, noun: str) -> str:
    """`1,647 pictures`, `1 picture`: the noun is given in the plural."""
    if number == 1:
        noun = {"classes": "class"}.get(noun, noun.removesuffix("s"))
    return f"{number:,} {noun}"


def number(value: float) -> str:
    """A number of the user's data with at most four digits that carry news, and never an exponent a person must decode
    where it can be helped: `0.0512`, `1,234`, `12.5`."""
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else f"{'-' if value < 0 else ''}infinity"
    if value and not 1e-5 <= abs(value) < 1e15:
        return f"{value:.3g}"
    digits = 0 if not value else min(6, max(0, 3 - math.floor(math.log10(abs(value)))))
    text = f"{value:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def duration(seconds: float) -> str:
    """`8.4 s`, `1 min 52 s`, `2 h 5 min`."""
    if seconds < 60 and float(f"{seconds:.1f}") < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def rate(lr: float) -> str:
    """A learning rate with three digits, never with an exponent a person must decode: `0.0032`."""
    if not math.isfinite(lr) or not 1e-6 <= abs(lr) < 1000:
        return f"{lr:.2e}"
    text = f"{lr:.{max(0, 2 - math.floor(math.log10(abs(lr))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
