"""Everything that can go wrong because of what was handed in, with the exit code the command ends with.

A message says what, where, what was got and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class GaplessError(Exception):
    """An error whose message is written for the user; the command prints it without a traceback."""

    exit_code = 1


class UsageError(GaplessError, ValueError):
    """An option, a recipe or an argument that cannot be right."""

    exit_code = 2


class DataError(GaplessError, ValueError):
    """Data or a model that cannot be loaded or does not work."""

    exit_code = 3


class BudgetError(GaplessError):
    """The budget ended before there was a valid result."""

    exit_code = 4


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """A sentence that names the nearest right word, or all of them when none is near; starts with a space."""
    options = sorted(options)
    near = get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Choose one of: {', '.join(options)}." if options else ""
