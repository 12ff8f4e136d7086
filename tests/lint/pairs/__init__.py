"""Small programs in pairs, by rule.

A line that ends with `#-` is in the broken one only, one that ends with `#+` in the healthy one only.
"""

from lint.pairs import data, loop, loss, modes, parameters, pictures, schedule

PAIRS: dict[str, list[str]] = {
    **loss.PAIRS,
    **modes.PAIRS,
    **loop.PAIRS,
    **parameters.PAIRS,
    **schedule.PAIRS,
    **data.PAIRS,
    **pictures.PAIRS,
}


def twins(pair: str) -> tuple[str, str]:
    """The broken and the healthy program of a pair."""
    lines = pair.strip().splitlines()
    broken = [line.removesuffix("#-").rstrip() for line in lines if not line.endswith("#+")]
    healthy = [line.removesuffix("#+").rstrip() for line in lines if not line.endswith("#-")]
    assert broken != healthy
    return "\n".join(broken) + "\n", "\n".join(healthy) + "\n"
