"""Back-translation: there and back through another language, done ahead of training and remembered on disk.

Sennrich, Haddow and Birch, arXiv 1511.06709, made training pairs so; here a text that comes back in other words is a
paraphrase of itself. Translations do change labels, so each paraphrase has to pass `parity.objection` first.

    cache = Path("translations")
    found = paraphrase(texts, Apertium("en", "eo"), Apertium("eo", "en"), cache)
    resources = Resources(paraphrases={"back_translate": found})
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gapless.augment.text.paraphrase.cache import TranslationCache
from gapless.augment.text.paraphrase.parity import objection
from gapless.errors import DataError, UsageError

Progress = Callable[[int, int, float | None], None]
"""Called with how many texts are done, of how many, and how many seconds are left (None before that is known)."""


class Translator(Protocol):
    """Turns texts of one language into texts of another.

    name: changes whenever the translations would (another version, another model): the cache is kept under it.
    source, target: the languages, as the translator calls them.
    batch: how many texts it likes to be given at once; what is done is saved after each batch.
    """

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def batch(self) -> int: ...

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation for each text, in order. A text without a word comes back as it is."""
        ...


def translated(
    texts: Iterable[str], translator: Translator, cache: Path | None, progress: Progress | None = None
) -> dict[str, str]:
    """The translation of each distinct text. A run that was stopped, even killed, goes on after its last batch.

    Args:
        cache: the folder of the translations; each translator has one file in it. None: nothing is kept.

    Raises:
        DataError: the translator failed, or the cache cannot be read or written.
    """
    distinct = list(dict.fromkeys(texts))
    if cache is None:
        return _translate(distinct, {}, translator, lambda pairs: None, progress)
    with TranslationCache(cache, translator.name) as file:
        return _translate(distinct, file.known(distinct), translator, file.add, progress)


def _translate(
    distinct: list[str],
    known: dict[str, str],
    translator: Translator,
    keep: Callable[[Mapping[str, str]], None],
    progress: Progress | None,
) -> dict[str, str]:
    missing = [text for text in distinct if text not in known]
    begun, total, found = time.monotonic(), len(distinct), dict(known)
    if progress is not None:
        progress(total - len(missing), total, None if missing else 0.0)
    for start in range(0, len(missing), max(1, translator.batch)):
        batch = missing[start : start + max(1, translator.batch)]
        answers = translator.translate(batch)
        if len(answers) != len(batch):
            raise DataError(f"{translator.name}: {len(batch)} texts went in and {len(answers)} translations came back")
        pairs = dict(zip(batch, answers, strict=True))
        keep(pairs)
        found |= pairs
        if progress is not None:
            done = start + len(batch)
            each = (time.monotonic() - begun) / done
            progress(total - len(missing) + done, total, each * (len(missing) - done))
    return {text: found[text] for text in distinct}


def paraphrase(
    texts: Iterable[str],
    forth: Translator,
    back: Translator,
    cache: Path | None,
    *,
    object_to: Callable[[str, str], str | None] = objection,
    progress: Progress | None = None,
) -> dict[str, tuple[str, ...]]:
    """What each distinct text says after a translation forth and back: for `Resources.paraphrases["back_translate"]`.

    A text has an empty tuple where it came back in the same words or the paraphrase was objected to.

    Args:
        forth, back: the two directions, such as `Apertium("en", "eo")` and `Apertium("eo", "en")`.
        cache: the folder of the translations, or None to keep nothing.
        object_to: given a text and its paraphrase, says why the paraphrase must not stand for it, or None. The default
            is for English; for other languages give `parity.form_objection` or a check of your own.
        progress: called for both directions as one: 2 N steps for N distinct texts.

    Raises:
        UsageError: `back` does not lead back to where `forth` came from.
        DataError: a translator failed, or the cache cannot be read or written.
    """
    if (forth.target, forth.source) != (back.source, back.target):
        raise UsageError(
            f"back-translation must return to its language: {forth.name} leads from {forth.source} to {forth.target}, "
            f"{back.name} from {back.source} to {back.target}"
        )
    distinct = list(dict.fromkeys(texts))
    there = translated(distinct, forth, cache, _part(progress, 0, len(distinct)))
    again = translated(there.values(), back, cache, _part(progress, len(distinct), len(distinct)))
    found: dict[str, tuple[str, ...]] = {}
    for text in distinct:
        variant = again[there[text]]
        found[text] = () if object_to(text, variant) is not None else (variant,)
    return found


def merged(*found: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The paraphrases of several translators together, each once, in the order given."""
    texts = dict.fromkeys(text for one in found for text in one)
    return {text: tuple(dict.fromkeys(variant for one in found for variant in one.get(text, ()))) for text in texts}


def _part(progress: Progress | None, before: int, texts: int) -> Progress | None:
    """Progress over one direction as progress over both; the way back is taken to be as slow as the way forth."""
    if progress is None:
        return None

    def report(done: int, total: int, left: float | None) -> None:
        share = done / total if total else 1.0
        spent = time.monotonic() - begun
        rest = None if left is None else left if before else left + (spent + left) * (left > 0 or share == 1)
        progress(before + round(share * texts), 2 * texts, rest)

    begun = time.monotonic()
    return report
