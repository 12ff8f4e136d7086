"""What stands for "no value" in a cell, and what is a number."""

from __future__ import annotations

import math

MISSING = frozenset({"", "NA", "N/A", "na", "n/a", "<NA>", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "?"})
"""What stands for no value in every column, exactly as written."""

NO_NUMBER = frozenset(
    {
        "-",
        "--",
        "---",
        "–",
        "—",
        ".",
        "..",
        "...",
        "n.a.",
        "n.a",
        "n/k",
        "nan",
        "na",
        "n/a",
        "none",
        "nil",
        "null",
        "nd",
    }
    | {
        "n.d.",
        "missing",
        "unknown",
        "not available",
        "not applicable",
        "#value!",
        "#div/0!",
        "#ref!",
        "#n/a",
        "tbd",
        "*",
    }
)
"""What stands for no value among numbers and dates, whatever its case; among words it is a word like others."""


def number(text: str) -> float | None:
    """The finite number that the text is, or None. Python's underscores and 'inf' do not count."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
