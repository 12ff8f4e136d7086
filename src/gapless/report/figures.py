"""How numbers and foreign words are written: units, digits, signs; nothing here knows what a report looks like."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from gapless.search.result import Interval, Result

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
    """How one run writes its scores: accuracy in per cent and points, r2 as it is, with as many digits as carry news.

    minus, space: what stands for a minus sign and between a number and its unit.
    """

    percent: bool
    digits: int
    minus: str = "-"
    space: str = " "

    @classmethod
    def of(cls, result: Result, minus: str = "-", space: str = " ") -> Figures:
        percent = result.metric.name == "accuracy"
        return cls(percent, _digits(result.gain, percent), minus, space)

    @property
    def scale(self) -> float:
        return 100.0 if self.percent else 1.0

    @property
    def unit(self) -> str:
        """The unit of a difference, with the space before it."""
        return f"{self.space}points" if self.percent else f"{self.space}in{self.space}r2"

    def bare(self, value: float) -> str:
        """A score or a difference without its unit: `87.4`, `-0.3`."""
        return self._signed(value, "")

    def score(self, value: float) -> str:
        """`87.4 %`, or `0.874` for r2."""
        return self.bare(value) + (f"{self.space}%" if self.percent else "")

    def change(self, value: float) -> str:
        """`+8.1 points`, `-0.3 points`, `+0.081 in r2`; a change that rounds to nothing has no sign."""
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


def count(number: int, noun: str) -> str:
    """`1,647 pictures`, `1 picture`: the noun is given in the plural."""
    if number == 1:
        noun = {"classes": "class"}.get(noun, noun.removesuffix("s"))
    return f"{number:,} {noun}"


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
