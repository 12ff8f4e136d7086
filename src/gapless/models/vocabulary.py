"""Words as numbers: frequent ones of the training texts have ids of their own, all others share ids by hash."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PADDING, UNKNOWN = 0, 1
_FIRST = 2
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]+")
_REMEMBERED = 100_000
"""Words outside of the vocabulary whose hash is kept; more are hashed again each time."""


def words_of(text: str) -> list[str]:
    """The words in lower case, contractions whole, and what stands between them: `don't`, `:-)`, `!!!`."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Vocabulary:
    """Ids of words: 0 padding, 1 unknown, then `known` places for words learned, then `hashed` for all others.

    The number of ids does not depend on the texts, and so the shape of a model does not either. A hash (CRC-32) puts a
    word that was not learned on one of the last ids, the same one on every machine, which words of one language share
    at random (Weinberger et al., arXiv 0902.2206).

    Args:
        known, hashed: numbers of ids; most: words of a text that are read.
        ids: the words that were learned.
    """

    known: int = 8192
    hashed: int = 2048
    most: int = 400
    ids: dict[str, int] = field(default_factory=dict[str, int], repr=False, compare=False)
    _encoded: dict[str, NDArray[np.int64]] = field(
        default_factory=dict[str, NDArray[np.int64]], repr=False, compare=False
    )
    _others: dict[str, int] = field(default_factory=dict[str, int], repr=False, compare=False)

    @property
    def size(self) -> int:
        return _FIRST + self.known + self.hashed

    def learned(self, texts: Sequence[str]) -> Vocabulary:
        """One that knows the words of `texts`, the most frequent ones where there are more than it has places for.

        Words that stand there only once are worth it: without them 2,000 movie snippets cost two points. The texts
        themselves stay encoded, for a training reads them again and again.
        """
        split = [words_of(text)[: self.most] for text in texts]
        counts = Counter(chain.from_iterable(split))
        kept = sorted(counts, key=lambda word: (-counts[word], word))
        made = self.of(kept)
        for text, words in zip(texts, split, strict=True):
            made._encoded[text] = made._numbers(words)
        return made

    def of(self, words: Sequence[str]) -> Vocabulary:
        """One that knows these words, as many as it has places for; their order gives their ids."""
        ids = {word: _FIRST + i for i, word in enumerate(words[: self.known])}
        return Vocabulary(self.known, self.hashed, self.most, ids)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Ids (B, L) int64, padded with 0 to the longest text of the batch; a text without a word is one unknown."""
        rows = [self._of(text) for text in texts]
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        out = np.zeros((len(rows), lengths.max(initial=1)), dtype=np.int64)
        if rows:
            out[np.arange(out.shape[1]) < lengths[:, None]] = np.concatenate(rows)
        return torch.from_numpy(out)

    def _of(self, text: str) -> NDArray[np.int64]:
        found = self._encoded.get(text)
        return self._numbers(words_of(text)[: self.most]) if found is None else found

    def _numbers(self, words: list[str]) -> NDArray[np.int64]:
        known = self.ids
        return np.array([known[w] if w in known else self._hash(w) for w in words] or [UNKNOWN], dtype=np.int64)

    def _hash(self, word: str) -> int:
        found = self._others.get(word)
        if found is None:
            found = _FIRST + self.known + zlib.crc32(word.encode("utf-8", "surrogatepass")) % self.hashed
            if len(self._others) < _REMEMBERED:
                self._others[word] = found
        return found

    def __deepcopy__(self, memo: object) -> Vocabulary:
        """Itself: a copy of a model (averaged weights) reads as the model does."""
        return self
