"""Numbers as people write them: 1.002,30 and 1,002.30, $12, 12.5 %, 1 234 kg, (300); the style is that of a column."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapless.data.tables.missing import MISSING, NO_NUMBER, number

SHARE = 0.95
"""Of the cells that must be numbers for a column to be one."""
_CURRENCIES = {"EUR", "USD", "GBP", "CHF", "JPY", "INR", "CNY", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN", "BRL"} | {
    "US$", "A$", "C$", "R$", "Rs", "Rs.", "kr", "Fr."
}  # fmt: skip
_GROUPS = " '’\u00a0\u2009\u202f"  # what may stand between thousands in every style
_LONGEST_UNIT = 8
_PARTS = re.compile(
    r"(\(?)\s*([^\d.,]*?)\s*(\d[\d.,'’ \u00a0\u2009\u202f]*|[.,]\d+)([eE][+-]?\d+)?\s*([^\d.,]*?\.?)\s*(\)?)"
)
_MINUS = "-\u2212\u2013"


@dataclass(frozen=True)
class Style:
    """How the numbers of a column are written.

    decimal: the decimal point, '.' or ','; unit: what stands before or behind a number and is not part of it.
    plain: as programs write them.
    """

    decimal: str = "."
    unit: str = ""
    grouped: bool = False
    plain: bool = True

    def __str__(self) -> str:
        said = ["decimal commas"] if self.decimal == "," else []
        said += [f"thousands grouped by {'points' if self.decimal == ',' else 'commas'}"] if self.grouped else []
        said += [f"the unit {self.unit!r}, which was taken off"] if self.unit else []
        return " and ".join(said) or "spaces between thousands, signs and brackets as people write them"


PLAIN = Style()


@dataclass(frozen=True)
class Amounts:
    """A column of numbers: NaN where there is none, the style, and the cells that are neither numbers nor marks."""

    values: NDArray[np.float64]
    style: Style
    odd: tuple[str, ...]


def read(cells: Sequence[str]) -> Amounts | None:
    """The numbers of a column, or None where fewer than 95 % of its values are numbers in one style."""
    values = _all_plain(cells)
    if values is not None:
        return Amounts(values, PLAIN, ())
    counts = Counter(cells)
    present = {
        cell: count for cell, count in counts.items() if cell not in MISSING and cell.casefold() not in NO_NUMBER
    }
    least = SHARE * sum(present.values())
    if sum(count for cell, count in present.items() if number(cell) is not None) >= least:
        return read_as(cells, Style())
    best = max((_in_style(present, decimal) for decimal in ".,"), key=lambda found: found[0])
    return read_as(cells, best[1]) if present and best[0] >= least else None


def _all_plain(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """The numbers of a column whose cells all are numbers as programs write them, in one go; else None."""
    try:
        values = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
    except ValueError:
        return None
    # What Python takes for numbers and `number` does not.
    return values if np.isfinite(values).all() and not any("_" in cell for cell in cells) else None


def read_as(cells: Sequence[str], style: Style) -> Amounts:
    """The numbers of a column whose style is known."""
    if style.plain and (plain := _all_plain(cells)) is not None:
        return Amounts(plain, style, ())
    values = {cell: amount(cell, style) for cell in set(cells)}
    odd = tuple(
        cell for cell in cells if values[cell] is None and cell not in MISSING and cell.casefold() not in NO_NUMBER
    )
    found = [np.nan if (value := values[cell]) is None else value for cell in cells]
    return Amounts(np.array(found, dtype=np.float64), style, odd)


def amount(cell: str, style: Style) -> float | None:
    """The number that a cell is in this style, or None."""
    value = number(cell) if style.decimal == "." else None
    if value is not None or style.plain:
        return value
    parts = _taken_apart(cell, style.decimal)
    return parts[0] if parts is not None and parts[1] in ("", style.unit) else None


def _in_style(present: dict[str, int], decimal: str) -> tuple[int, Style]:
    """How many of the cells are numbers with this decimal point and the commonest unit."""
    found = [(parts, count) for cell, count in present.items() if (parts := _taken_apart(cell, decimal)) is not None]
    units = Counter[str]()
    for (_, unit, _), count in found:
        units[unit] += count
    unit = max(units, key=lambda unit: units[unit], default="")
    # Where most numbers have no unit, a few with one (1, 2, 3, 1st) are something else.
    fitting = [(parts, count) for parts, count in found if parts[1] in ("", unit)]
    return sum(count for _, count in fitting), Style(decimal, unit, any(parts[2] for parts, _ in fitting), False)


def _taken_apart(cell: str, decimal: str) -> tuple[float, str, bool] | None:
    """The number, its unit, and whether its thousands are grouped by the other mark."""
    parts = _PARTS.fullmatch(cell)
    if parts is None or bool(parts[1]) != bool(parts[6]):
        return None
    before, body, exponent, unit = parts[2], parts[3].rstrip(_GROUPS), parts[4] or "", parts[5]
    negative = bool(parts[1])
    bare = before.strip("+" + _MINUS + " ")
    negative ^= any(sign in before for sign in _MINUS)
    if (bare and not _is_currency(bare)) or len(unit) > _LONGEST_UNIT or (bare and unit):
        return None
    other = "," if decimal == "." else "."
    digits = _digits(body, decimal, other)
    if digits is None:
        return None
    value = number(digits + exponent)
    return None if value is None else (-value if negative else value, bare or unit, other in body)


def _digits(body: str, decimal: str, other: str) -> str | None:
    """The number without groups and with a point, or None where the marks stand elsewhere than a number has them."""
    whole, _, fraction = body.partition(decimal)
    if not fraction.isdigit() and fraction:
        return None
    if not whole.isdigit() and whole:
        mark = next(sign for sign in whole if not sign.isdigit())
        if mark != other and mark not in _GROUPS:
            return None
        groups = whole.split(mark)
        if not 1 <= len(groups[0]) <= 3 or groups[0].startswith("0"):
            return None
        if any(len(group) != 3 for group in groups[1:]) or not "".join(groups).isdigit():
            return None
        whole = "".join(groups)
    return f"{whole or '0'}.{fraction or '0'}"


def _is_currency(text: str) -> bool:
    return text in _CURRENCIES or all(unicodedata.category(sign) == "Sc" for sign in text)


_SENTINELS = (-9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0, 999999.0)


def sentinels(values: NDArray[np.float64]) -> Iterable[tuple[float, int]]:
    """Values such as -999 that stand several times and far from all others, with how often they stand."""
    present = values[~np.isnan(values)]
    for value in _SENTINELS:
        times = int(np.count_nonzero(present == value))
        others: Collection[float] = present[~np.isin(present, _SENTINELS)]
        if times < 3 or not len(others):
            continue
        low, high = float(np.min(others)), float(np.max(others))
        if (value < 0 <= low and low - value > 0) or abs(value) > 3 * max(abs(low), abs(high), 1.0):
            yield value, times
