"""Dates, times of the day, and what a network can learn from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gapless.data.tables.amounts import SHARE
from gapless.data.tables.missing import MISSING, NO_NUMBER

Moments = NDArray[np.datetime64]

_ISO = "ISO 8601"
_DATES = (
    "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%d.%m.%y", "%m/%d/%y",
    "%d/%m/%y", "%m-%d-%y", "%d-%m-%y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d. %B %Y", "%b %d, %Y",
    "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%b-%y", "%b %Y", "%B %Y", "%Y-%m", "%Y/%m", "%Y-%m-%d", "%Y%m%d",
)  # fmt: skip
_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_WITH_CLOCKS = (*_DATES, *(" ".join(pair) for pair in product(_DATES, _CLOCKS)), "%a %b %d %H:%M:%S %Y")
_LIKELY = re.compile(r".*\d.*[-/.: ].*\d.*|\d{8}|[A-Za-z]{3,9}[ -]\d{2,4}")
_TRIED = 50  # distinct cells that decide on the format, before all are read
_MONTHS = ("January", "February", "March", "April", "May", "June",
           "July", "August", "September", "October", "November", "December")  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Format:
    """How the dates of a column are written.

    pattern: as in `strptime`, or ISO 8601; other: another one that reads every cell as well, day and month swapped.
    clock: times of the day, without a date.
    """

    pattern: str
    other: str = ""
    clock: bool = False

    def __str__(self) -> str:
        said = _said(self.pattern)
        return f"{said}, which could be {_said(self.other)} as well" if self.other else said


def find_format(cells: Sequence[str]) -> Format | None:
    """The format in which at least 95 % of the values are dates, or times of the day; None where there is none."""
    distinct = [cell for cell in dict.fromkeys(cells) if not _is_missing(cell)]
    sample = distinct[:: max(1, len(distinct) // _TRIED)][:_TRIED]
    if len(sample) < 2 or not all(_LIKELY.fullmatch(cell) for cell in sample[:3]):
        return None
    for clock, patterns in ((False, (_ISO, *_WITH_CLOCKS)), (True, _CLOCKS)):
        likely = [p for p in patterns if any(_moment(cell, p) for cell in sample[:3])]
        fitting = [p for p in likely if _share(sample, p) >= SHARE and _share(distinct, p) >= SHARE]
        if fitting:
            full = [p for p in fitting if _share(distinct, p) == 1.0] or fitting
            others = [p for p in full[1:] if sorted(p) == sorted(full[0])]
            return Format(full[0], others[0] if others else "", clock)
    return None


def read(cells: Sequence[str], form: Format) -> tuple[Moments, tuple[str, ...]]:
    """The moments of a column, NaT where there is none, and the cells that are no date."""
    known = {cell: None if _is_missing(cell) else _moment(cell, form.pattern) for cell in set(cells)}
    odd = tuple(cell for cell in cells if known[cell] is None and not _is_missing(cell))
    return np.array([known[cell] for cell in cells], dtype="datetime64[s]"), odd


def hours(moments: Moments) -> NDArray[np.float64]:
    """The hours since midnight, NaN where there is no moment."""
    since = (moments - moments.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.float64) / 3600
    since[np.isnat(moments)] = np.nan
    return since


def numbers_of(moments: Moments) -> dict[str, NDArray[np.float64]]:
    """Elapsed days (since 1970), the year and the hour of the day; NaN where there is no moment."""
    days = moments.astype(np.float64) / 86_400
    years = moments.astype("datetime64[Y]").astype(np.float64) + 1970
    days[np.isnat(moments)] = years[np.isnat(moments)] = np.nan
    return {"days": days, "year": years, "hour": hours(moments)}


def words_of(moments: Moments) -> dict[str, tuple[NDArray[np.int64], tuple[str, ...]]]:
    """The month and the day of the week: the place of each row's name among the names, -1 where there is no moment."""
    gone = np.isnat(moments)
    filled = np.where(gone, np.datetime64(0, "s"), moments)
    months = filled.astype("datetime64[M]").astype(np.int64) % 12
    weekdays = (filled.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday
    return {
        "month": (np.where(gone, -1, months), _MONTHS),
        "weekday": (np.where(gone, -1, weekdays), _WEEKDAYS),
    }


def _is_missing(cell: str) -> bool:
    return cell in MISSING or cell.casefold() in NO_NUMBER


def _share(cells: Sequence[str], pattern: str) -> float:
    return sum(_moment(cell, pattern) is not None for cell in cells) / len(cells)


def _moment(cell: str, pattern: str) -> datetime | None:
    try:
        if pattern == _ISO:
            found = datetime.fromisoformat(cell) if "-" in cell else None
        else:
            found = datetime.strptime(cell, pattern)
    except ValueError:
        return None
    # Datetime64 knows no time zones: all moments of a column are brought to one.
    return found if found is None or found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)


_WRITTEN = {"%Y": "2024", "%m": "month", "%d": "day", "%y": "24", "%b": "Jan", "%B": "January", "%H": "23"} | {
    "%I": "11",
    "%M": "59",
    "%S": "59",
    "%f": "9",
    "%p": "PM",
    "%a": "Mon",
}


def _said(pattern: str) -> str:
    for code, example in _WRITTEN.items():
        pattern = pattern.replace(code, example)
    return pattern
