"""WordNet 3.0: sets of words of one sense, how often each word was seen in that sense, and irregular forms.

The table that ships (`wordnet.txt.gz`, made by tools/make_wordnet_table.py) holds what `Wordnet.from_directory`
finds in the files of WordNet 3.0; its licence stands beside it.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gapless.augment.text.lexicon.inflect import Pos
from gapless.errors import DataError

TABLE = Path(__file__).with_name("wordnet.txt.gz")
_FILES: dict[str, Pos] = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
_TYPES = "?nvara"
"""WordNet's numbers for parts of speech; 5 are adjectives that stand around another."""


class Sense(NamedTuple):
    """One sense of a word.

    number: 1 for the most frequent. seen: how often the word was tagged with it in the texts WordNet was counted on.
    place: the line of the table with all words of this sense.
    """

    number: int
    seen: int
    place: int


_NEVER: tuple[Sense, ...] = ()


class Wordnet:
    """Senses and irregular forms, in small letters; words of several parts have blanks. Proper names are left out.

    Args:
        lines: `n film 1 9 movie 1 20`: part of speech, then word (underscores for blanks), number of the sense, times
            seen; `=n men man`: irregular form and word.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        self._places: dict[str, tuple[int, ...]] = {}
        self._senses: dict[str, dict[str, tuple[Sense, ...]]] = {}
        self.irregular: dict[str, list[tuple[Pos, str]]] = {}
        places = self._places
        for number, line in enumerate(self.lines):
            if line[0] == "=":
                _, form, word = line.split(" ")
                self.irregular.setdefault(form, []).append((_pos(line[1]), word))
                continue
            for word in line.split(" ")[1::3]:
                places[word] = (*places[word], number) if word in places else (number,)

    @staticmethod
    @cache
    def shipped() -> Wordnet:
        """The table that comes with gapless; read once."""
        try:
            text = gzip.decompress(TABLE.read_bytes()).decode("utf-8")
        except (OSError, EOFError) as error:
            raise DataError(f"the table of synonyms {TABLE} cannot be read: {error}; install gapless again") from error
        return Wordnet(text.splitlines())

    @staticmethod
    def from_directory(folder: str | Path) -> Wordnet:
        """WordNet's own files: data.*, index.sense and *.exc, of version 3.0 or later."""
        folder = Path(folder)
        needed = [*(f"data.{name}" for name in _FILES), "index.sense"]
        missing = [name for name in needed if not (folder / name).is_file()]
        if missing:
            raise DataError(
                f"{folder} is no WordNet directory: {', '.join(missing)} missing. On Debian, install wordnet-base and "
                "wordnet-sense-index and give /usr/share/wordnet"
            )
        try:
            return Wordnet([*_synsets(folder), *_exceptions(folder)])
        except (ValueError, IndexError, KeyError) as error:
            raise DataError(f"{folder} holds a file that is not in WordNet's format: {error}") from error

    def __contains__(self, word: str) -> bool:
        """Whether it has a sense here; several words are joined by underscores."""
        return word in self._places

    def senses(self, word: str, pos: Pos) -> tuple[Sense, ...]:
        """The senses of a word as this part of speech, the most frequent first."""
        found = self._senses.get(word)
        if found is None:
            if word not in self._places:
                return _NEVER
            by_pos: dict[str, list[Sense]] = {}
            for place in self._places[word]:
                fields = self.lines[place].split(" ")
                own = fields.index(word, 1)
                by_pos.setdefault(fields[0], []).append(Sense(int(fields[own + 1]), int(fields[own + 2]), place))
            found = self._senses[word] = {key: tuple(sorted(senses)) for key, senses in by_pos.items()}
        return found.get(pos, _NEVER)

    def words(self, sense: Sense) -> list[tuple[str, int]]:
        """Every word of a sense and how often it was seen in it."""
        fields = self.lines[sense.place].split(" ")
        return [(word, int(seen)) for word, seen in zip(fields[1::3], fields[3::3], strict=True)]


def _pos(letter: str) -> Pos:
    return _FILES[{"n": "noun", "v": "verb", "a": "adj", "r": "adv"}[letter]]


def _rows(path: Path) -> Iterator[list[str]]:
    """The lines of a file as fields, without the licence at its head."""
    with path.open(encoding="utf-8") as file:
        yield from (line.split() for line in file if not line.startswith("  ") and line.strip())


def _synsets(folder: Path) -> Iterator[str]:
    """Sets of two or more words, and single words that were seen: they say how frequent a word's other senses are."""
    tags: dict[tuple[str, int, str], str] = {}
    for key, offset, number, seen in _rows(folder / "index.sense"):
        word, _, lexical = key.partition("%")
        tags[_TYPES[int(lexical[0])], int(offset), word] = f"{number} {seen}"
    for name, pos in _FILES.items():
        for fields in _rows(folder / f"data.{name}"):
            offset, count = int(fields[0]), int(fields[3], 16)
            words = [fields[4 + 2 * place].partition("(")[0] for place in range(count)]
            small = [word for word in words if word == word.lower()]
            entries = [f"{word} {tags[pos, offset, word]}" for word in dict.fromkeys(small)]
            if len(entries) > 1 or (entries and not entries[0].endswith(" 0")):
                yield " ".join([pos, *entries])


def _exceptions(folder: Path) -> Iterator[str]:
    for name, pos in _FILES.items():
        path = folder / f"{name}.exc"
        for fields in _rows(path) if path.is_file() else ():
            yield from (f"={pos} {fields[0]} {word}" for word in fields[1:] if word != fields[0])
