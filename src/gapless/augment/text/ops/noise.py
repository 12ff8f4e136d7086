"""Words misspelt as fingers, scanners and haste do it; and in other case."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gapless.augment.prior import Prior
from gapless.augment.text.document import Text
from gapless.augment.text.edits import Edit
from gapless.augment.text.lexicon.words import LEXICON, Kind
from gapless.augment.text.ops.declare import Declared, chosen, each
from gapless.augment.text.resources import Resources

NOISE = Declared()

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHORTEST = 4

NEIGHBOURS: dict[str, str] = {
    letter: "".join(
        row[near]
        for row, shift in zip(_ROWS, (0.0, 0.25, 0.75), strict=True)
        for near in range(len(row))
        if row[near] != letter
        and abs(near + shift - place - own) <= 1
        and abs(_ROWS.index(row) - _ROWS.index(home)) <= 1
    )
    for home, own in zip(_ROWS, (0.0, 0.25, 0.75), strict=True)
    for place, letter in enumerate(home)
}
"""The keys beside each letter on a QWERTY keyboard, rows shifted by a quarter and a half of a key."""

CONFUSIONS: dict[str, tuple[str, ...]] = {
    "a": ("o", "e"), "b": ("h", "6"), "c": ("e", "("), "d": ("cl",), "e": ("c", "o"), "f": ("t",), "g": ("9", "q"),
    "h": ("b", "li"), "i": ("1", "l", "j"), "l": ("1", "i", "|"), "m": ("rn", "nn"), "n": ("ri", "u"), "o": ("0", "c"),
    "q": ("g", "9"), "r": ("f",), "s": ("5",), "t": ("f", "+"), "u": ("v", "ii"), "v": ("u", "y"), "w": ("vv",),
    "z": ("2",), "B": ("8",), "D": ("O",), "E": ("F",), "G": ("6",), "I": ("l", "1"), "O": ("0", "Q"), "S": ("5",),
    "Z": ("2",), "cl": ("d",), "rn": ("m",), "vv": ("w",), "li": ("h",), "nn": ("m",),
}  # fmt: skip
"""What a scanner takes letters for."""


@NOISE.op(
    "of the words",
    needs=each(3),
    safe=True,
    source="Belinkov and Bisk, arXiv 1711.02173, section 3 (swap); Pruthi et al., arXiv 1905.11268 (drop, add)",
    prior=Prior("typos", 0.02, 0.2, 0.05),
)
def typos(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """n words are misspelt: two letters within change places, one is left out, or one is typed twice.

    Belinkov and Bisk, arXiv 1711.02173; Pruthi et al., arXiv 1905.11268, whose first and last letters stay too. Only
    words of four or more plain Latin letters; a misspelling that is a negation or a judging word is not made.
    """
    return _misspelt(text, n, u, _mistyped)


def _mistyped(word: str, kind: float, place: float) -> str:
    at = 1 + int(place * (len(word) - 2))
    if kind < 1 / 3 and word[(swap := min(at, len(word) - 3))] != word[swap + 1]:
        return word[:swap] + word[swap + 1] + word[swap] + word[swap + 2 :]
    return word[:at] + word[at + 1 :] if kind < 2 / 3 else word[:at] + word[at] + word[at:]


@NOISE.op(
    "of the words",
    needs=each(3),
    safe=True,
    source="Belinkov and Bisk, arXiv 1711.02173, section 3 (keyboard typo)",
    prior=Prior("typos", 0.02, 0.2, 0.05),
)
def keyboard(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """n words get one letter of a neighbouring key (QWERTY), in its case.

    Belinkov and Bisk, arXiv 1711.02173. Only words of four or more plain Latin letters; see `typos`.
    """
    return _misspelt(text, n, u, _neighbour)


def _neighbour(word: str, kind: float, place: float) -> str:
    at = int(place * len(word))
    near = NEIGHBOURS[word[at].lower()]
    letter = near[int(kind * len(near))]
    return word[:at] + (letter.upper() if word[at].isupper() else letter) + word[at + 1 :]


@NOISE.op(
    "of the words",
    needs=each(3),
    safe=True,
    source="Kolak and Resnik, HLT 2002 (errors of optical character recognition)",
)
def ocr(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """n words get one letter or pair of letters as a scanner misreads it: o and 0, rn and m, l and 1.

    After the noisy-channel errors of Kolak and Resnik, HLT 2002; the table is ours. Words as for `typos`.
    """
    return _misspelt(text, n, u, _misread)


def _misread(word: str, kind: float, place: float) -> str:
    spots = [(at, size) for at in range(len(word)) for size in (1, 2) if word[at : at + size] in CONFUSIONS]
    if not spots:
        return word
    at, size = spots[int(place * len(spots))]
    seen = CONFUSIONS[word[at : at + size]]
    return word[:at] + seen[int(kind * len(seen))] + word[at + size :]


@NOISE.op("of the words", needs=each(2), safe=True, source="Wang et al., TextFlint, arXiv 2103.11441 (WordCase)")
def casing(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """n words change case: to small letters, to capitals, or to a capital first, whichever they are not.

    Wang et al., TextFlint, arXiv 2103.11441, change whole texts; here single words.
    """
    tokens, source = text.tokens, text.source
    edits: list[Edit] = []
    for i, word in enumerate(chosen(tokens.free, n, u)):
        start, stop = tokens.starts[word], tokens.stops[word]
        old = source[start:stop]
        others = [new for new in dict.fromkeys((old.lower(), old.upper(), old.capitalize())) if new != old]
        if others:
            edits.append(Edit(start, stop, others[int(u[n + i] * len(others))]))
    return edits


def _misspelt(text: Text, n: int, u: Sequence[float], wrong: Callable[[str, float, float], str]) -> list[Edit]:
    """n of the words that can be misspelt; a word that comes out as one that carries a label stays."""
    tokens, source = text.tokens, text.source
    fit = [w for w in tokens.free if len(low := tokens.lows[w]) >= _SHORTEST and low.isascii() and low.isalpha()]
    edits: list[Edit] = []
    for i, word in enumerate(chosen(fit, n, u)):
        start, stop = tokens.starts[word], tokens.stops[word]
        new = wrong(source[start:stop], u[n + 2 * i], u[n + 2 * i + 1])
        if LEXICON.get(new.lower(), 0) < Kind.HELD:
            edits.append(Edit(start, stop, new))
    return edits
