"""Texts that were read once and are kept for the next epoch."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.augment.text.protect import Protect, Text

MOST = 4_000_000
"""Characters of the texts that are kept; what is known of them takes some fifteen times as many bytes."""


class Kept:
    """The texts of a data set, read once.

    When it is full it keeps what it has: texts come in whole epochs, and to throw out the oldest would throw out every
    text just before its turn.
    """

    def __init__(self, protect: Protect, most: int = MOST) -> None:
        self.protect = protect
        self.most = most
        self._texts: dict[str, Text] = {}
        self._characters = 0

    def texts(self, sources: Sequence[str]) -> list[Text]:
        """The texts of these sources, those that are kept as they are."""
        kept = self._texts.get
        return [kept(source) or self._new(source) for source in sources]

    def _new(self, source: str) -> Text:
        text = Text(source, self.protect)
        if self._characters + len(source) <= self.most:
            self._texts[source] = text
            self._characters += len(source)
        return text

    def __reduce__(self) -> tuple[type[Kept], tuple[Protect, int]]:
        """Another process starts with nothing kept."""
        return Kept, (self.protect, self.most)
