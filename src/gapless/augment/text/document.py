"""A text as the operations see it: read once, edited, and kept for the next epoch."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.augment.text.edits import Plain, Span, applied, carried
from gapless.augment.text.protect import Protect
from gapless.augment.text.reading import Tokens, read
from gapless.augment.text.sentences import units
from gapless.errors import UsageError

MOST = 4_000_000
"""Characters of the texts that are kept; what is known of them takes some fifteen times as many bytes."""


class Text:
    """A text that is read once: its tokens and sentences are found when they are first asked for.

    Args:
        spans: (start, stop) of characters that are protected besides what `protect` finds.
    """

    __slots__ = ("_sentences", "_tokens", "protect", "replacements", "source", "spans", "thesaurus")

    def __init__(self, source: str, protect: Protect, spans: Sequence[Span] = ()) -> None:
        for start, stop in spans:
            if not 0 <= start <= stop <= len(source):
                raise UsageError(
                    f"a protected span must be start and stop within the text's {len(source)} characters, "
                    f"got ({start}, {stop})"
                )
        self.source = source
        self.protect = protect
        self.spans = tuple(spans)
        self.thesaurus: object = None
        """What says what its words may be replaced by, and keeps it here: start, stop, words."""
        self.replacements: tuple[tuple[int, int, tuple[str, ...]], ...] = ()
        self._tokens: Tokens | None = None
        self._sentences: list[Span] | None = None

    @property
    def tokens(self) -> Tokens:
        if self._tokens is None:
            self._tokens = read(self.source, self.protect, self.spans)
        return self._tokens

    @property
    def sentences(self) -> list[Span]:
        """What may change places, as `sentences.units` finds it."""
        if self._sentences is None:
            whole = [*self.spans, *self.protect.matches(self.source)]
            self._sentences = units(self.source, whole, self.protect.discourse)
        return self._sentences

    def edited(self, edits: Sequence[Plain]) -> Text:
        """The text after the edits; what was protected stays protected. The same object if nothing changes."""
        source = applied(self.source, edits)
        if source is self.source:
            return self
        after = Text.__new__(_Edited)
        after.source, after.protect, after.spans = source, self.protect, ()
        after.thesaurus = after._tokens = after._sentences = None
        after.replacements = ()
        assert isinstance(after, _Edited)
        after.before, after.edits = self, edits
        return after


class _Edited(Text):
    """A text that came out of edits: the spans that it must keep are worked out only if another operation follows."""

    __slots__ = ("before", "edits")
    before: Text
    edits: Sequence[Plain]

    def _carry(self) -> None:
        if self._tokens is not None or self._sentences is not None:
            return
        before = self.before
        if any(start == 0 and stop == len(before.source) for start, stop, _, _ in self.edits):
            # Another text: look for them.
            given = [before.source[start:stop] for start, stop in before.spans if start < stop]
            found = [(self.source.find(span), len(span)) for span in given]
            self.spans = tuple((start, start + length) for start, length in found if start >= 0)
        else:
            guarded = [(start, stop) for start, stop, _ in before.tokens.guarded]
            self.spans = tuple(carried(guarded, self.edits))

    @property
    def tokens(self) -> Tokens:
        self._carry()
        return super().tokens

    @property
    def sentences(self) -> list[Span]:
        self._carry()
        return super().sentences


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
