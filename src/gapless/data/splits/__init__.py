"""How rows are divided: develop and confirm once, train and select again and again; groups and time are kept."""

from gapless.data.splits.parts import (
    CONFIRM_MOST,
    CONFIRM_SHARE,
    checked,
    complete,
    divide,
    put_aside,
    require_groups,
    require_rows,
    require_two,
    select_of,
    select_split,
    subset,
)
from gapless.data.splits.units import FEWEST_GROUPS, Index, Moments, grouped, moments_of, numbered

__all__ = [
    "CONFIRM_MOST",
    "CONFIRM_SHARE",
    "FEWEST_GROUPS",
    "Index",
    "Moments",
    "checked",
    "complete",
    "divide",
    "grouped",
    "moments_of",
    "numbered",
    "put_aside",
    "require_groups",
    "require_rows",
    "require_two",
    "select_of",
    "select_split",
    "subset",
]
