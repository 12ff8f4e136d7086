"""What operations read besides the text: a table of synonyms, and paraphrases made ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gapless.augment.text.lexicon.thesaurus import Thesaurus, thesaurus_of
from gapless.augment.text.lexicon.wordnet import Wordnet
from gapless.errors import DataError, UsageError

Paraphrases = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Resources:
    """What operations read besides the text.

    Args:
        wordnet: for `synonyms` and `insert`; None: the table that ships with gapless.
        paraphrases: for `back_translate` and `contextual`: the operation's name -> text -> its paraphrases, or none.
    """

    wordnet: Wordnet | None = None
    paraphrases: Mapping[str, Paraphrases] = field(default_factory=dict[str, Paraphrases])

    @cached_property
    def thesaurus(self) -> Thesaurus:
        return thesaurus_of(self.wordnet or Wordnet.shipped())

    def paraphrases_of(self, name: str, text: str) -> Sequence[str]:
        """The paraphrases of a text that were made for an operation; there may be none, but it must be known."""
        if name not in self.paraphrases:
            raise UsageError(
                f"{name} picks from paraphrases that are made ahead: give Resources(paraphrases={{{name!r}: ...}}), "
                f"a mapping from each text to its paraphrases (gapless.augment.text.{_MAKERS.get(name, 'translate')} "
                "makes them)"
            )
        found = self.paraphrases[name].get(text)
        if found is None:
            start = text if len(text) <= 60 else text[:57] + "..."
            raise DataError(f"{name}: there are no paraphrases of the text {start!r}; make them for all texts")
        return found


_MAKERS = {"back_translate": "translate", "contextual": "contextual"}
