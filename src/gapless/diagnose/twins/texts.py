"""Texts that share nearly all of their pieces of five characters.

MinHash (Broder, SEQUENCES 1997) with 128 hash functions in bands of four finds candidates; their Jaccard index is then
counted exactly. Texts shorter than fifty characters have too few pieces: of these only equal ones are twins.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gapless import draws
from gapless.data.task import Array
from gapless.diagnose.twins.found import Twins

ALIKE = 0.8
"""Jaccard index from which on two texts are twins."""
SHINGLE, HASHES, BAND, SHORT = 5, 128, 4, 50
_LONGEST = 4000  # characters that are looked at
_PRIME = np.uint64((1 << 61) - 1)
_CROWD = 50  # texts with the same band, from which on each is compared with its next ones only

Shingles = frozenset[int]


def text_twins(asked: Array, among: Array | None, seed: int) -> Twins:
    """Texts of `asked` that have a twin in `among`; None: among the others of `asked`."""
    texts: list[str] = [*asked.tolist(), *([] if among is None else among.tolist())]
    plain = [" ".join(text.casefold().split())[:_LONGEST] for text in texts]
    shingles = [_shingles(text) for text in plain]
    partner: dict[int, int] = {}

    def meet(a: int, b: int) -> None:
        sides = (a < len(asked), b < len(asked))
        for one, other, mine, theirs in ((a, b, *sides), (b, a, *sides[::-1])):
            if mine and (among is None or not theirs):
                partner.setdefault(one, other)

    for a, b in _candidates(plain, shingles, seed):
        if among is not None and (a < len(asked)) == (b < len(asked)):
            continue
        if plain[a] == plain[b] or _alike(shingles[a], shingles[b]):
            meet(a, b)
    rows = np.array(sorted(partner), np.int64)
    offset = 0 if among is None else len(asked)
    partners = np.array([partner[row] - offset for row in rows.tolist()], np.int64)
    return Twins(len(asked), rows, partners, 0.0)


def _shingles(text: str) -> Shingles:
    if len(text) < SHORT:
        return frozenset()
    raw = [text[i : i + SHINGLE].encode("utf-8", "surrogatepass") for i in range(len(text) - SHINGLE + 1)]
    return frozenset(crc32(piece) for piece in raw)


def _alike(a: Shingles, b: Shingles) -> bool:
    return bool(a and b) and len(a & b) >= ALIKE * len(a | b)


def _candidates(plain: list[str], shingles: list[Shingles], seed: int) -> Iterator[tuple[int, int]]:
    """Pairs that are equal, or that share a band of their MinHash."""
    buckets: dict[object, list[int]] = {}
    for number, text in enumerate(plain):
        buckets.setdefault(text, []).append(number)
    stream = draws.stream(seed, "diagnose minhash")
    # products of two numbers below 2^32 fit into 64 bits
    a, b = stream.integers(1, 2**31, (2, HASHES), dtype=np.uint64)
    for number, pieces in enumerate(shingles):
        if pieces:
            for band, part in enumerate(_signature(pieces, a, b).reshape(-1, BAND)):
                buckets.setdefault((band, part.tobytes()), []).append(number)
    met: set[tuple[int, int]] = set()
    for members in buckets.values():
        near = combinations(members, 2) if len(members) <= _CROWD else pairwise(members)
        for pair in near:
            if pair not in met:
                met.add(pair)
                yield pair


def _signature(pieces: Shingles, a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = np.fromiter(pieces, np.uint64, len(pieces))
    return np.min((values[:, None] * a + b) % _PRIME, axis=0)
