"""Made reviews: words as frequent as Zipf has them, opinions among them, some turned round by the word before."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gapless.data import Rows
from gapless.data.readers.texts import as_array

NEGATORS = ("not", "never", "hardly", "no")
PLAIN, OPINIONS = 12_000, 150
"""Words that say nothing, and words of each opinion."""


@cache
def _words() -> NDArray[np.str_]:
    """Words that say nothing, then those that praise, then those that damn."""
    rng = np.random.default_rng(7)
    syllables = np.array([c + v for c in "bdfgklmnprstvz" for v in "aeiou"])
    made: set[str] = set()
    while len(made) < PLAIN + 2 * OPINIONS:
        made.add("".join(rng.choice(syllables, int(rng.integers(2, 5)))))
    return rng.permutation(np.array(sorted(made)))


def _zipf(rng: np.random.Generator, words: int, count: int) -> NDArray[np.int64]:
    """Ranks from 0, each as likely as 1 / (rank + 3)."""
    chances = 1 / (np.arange(words) + 3)
    return rng.choice(words, count, p=chances / chances.sum())


def reviews(rows: int, seed: int, length: float = 18, positive: float = 0.82, noise: float = 0.04) -> Rows:
    """So many reviews of about `length` words; class 1 is praise, which `positive` of them hold.

    Every fourth word or so is an opinion; in a short review nine of ten are the review's own. A quarter of the opinions
    are said by their opposite after a negator, so whoever reads single words takes these the wrong way round. `noise`
    of the labels are wrong: the best that a reader can do is 1 - noise.
    """
    rng = np.random.default_rng([seed, 3])
    words = _words()
    praise = rng.random(rows) < positive
    texts = [_review(rng, words, bool(good), max(4, int(rng.lognormal(np.log(length), 0.4)))) for good in praise]
    wrong = rng.random(rows) < noise
    return Rows(as_array(texts), (praise ^ wrong).astype(np.int64))


def _review(rng: np.random.Generator, words: NDArray[np.str_], good: bool, length: int) -> str:
    said = words[_zipf(rng, PLAIN, length)].tolist()
    opinions = max(1, rng.binomial(length, 0.25))
    places = np.sort(rng.choice(length, opinions, replace=False))[::-1].tolist()
    ranks = _zipf(rng, OPINIONS, opinions).tolist()
    # an opinion more or less decides a short review; in a long one they are many, so each says less
    own = 0.5 + 0.4 * min(1.0, (25 / opinions) ** 0.5)
    for place, rank in zip(places, ranks, strict=True):
        praises = good == (rng.random() < own)
        turned = rng.random() < 0.25
        opinion = str(words[PLAIN + OPINIONS * (praises == turned) + rank])
        said[place : place + 1] = [str(rng.choice(NEGATORS)), opinion] if turned else [opinion]
    return " ".join(said).capitalize() + "."
