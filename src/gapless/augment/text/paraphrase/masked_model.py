"""Words replaced by what a masked language model expects in their place, done ahead of training.

Kobayashi, Contextual augmentation, arXiv 1805.06201, here without labels, as in Wu et al., Conditional BERT, arXiv
1812.06705, section 4.1 (BERT). A model that knows no labels likes to put "bad" for "good" as much as "fine", so words
that judge, negate or count are neither replaced nor put in, and each result has to pass `parity.objection`.

    found = contextual(texts, MaskedModel(Path("bert")))
    resources = Resources(paraphrases={"contextual": found})
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from gapless.augment.text.document import Text
from gapless.augment.text.draws import uniforms
from gapless.augment.text.edits import Edit, applied
from gapless.augment.text.lexicon.inflect import cased_like
from gapless.augment.text.lexicon.words import LEXICON, Kind
from gapless.augment.text.ops.declare import chosen
from gapless.augment.text.paraphrase.back_translation import Progress
from gapless.augment.text.paraphrase.parity import objection
from gapless.augment.text.protect import Protect
from gapless.errors import DataError, UsageError

_SPACES = ("Ġ", "▁")
"""How byte-pair and SentencePiece vocabularies write that a token starts a word."""


@dataclass(frozen=True)
class MaskedModel:
    """A masked language model (BERT, RoBERTa, DistilBERT ...) from a directory. Nothing is ever downloaded.

    Args:
        directory: with config.json, model.safetensors and the tokenizer's files.
        batch: texts that go through the model at once.
        device: cpu, or cuda.

    Raises:
        UsageError: transformers is missing, or there is no such directory.
    """

    directory: Path
    batch: int = 32
    device: str = "cpu"

    def __post_init__(self) -> None:
        if find_spec("transformers") is None:
            raise UsageError("a masked language model needs transformers: `pip install 'gapless[transformers]'`")
        if not self.directory.is_dir():
            raise UsageError(
                f"{self.directory}: there is no such directory; a model is read from one, names of models on a hub "
                "are not looked up. Download it there and give the directory"
            )
        for name in ("config.json", "model.safetensors"):
            if not (self.directory / name).is_file():
                raise UsageError(f"{self.directory}: not a model: there is no {name} in it")
        if self.batch < 1:
            raise UsageError(f"batch must be at least 1, got {self.batch}")

    @cached_property
    def loaded(self) -> tuple[Any, Any, int]:
        """Tokenizer, model, and how many tokens it reads."""
        transformers: Any = import_module("transformers")
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(self.directory, local_files_only=True)
            model = transformers.AutoModelForMaskedLM.from_pretrained(
                self.directory, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise DataError(f"{self.directory}: the model cannot be loaded: {error}") from error
        if tokenizer.mask_token is None:
            raise DataError(f"{self.directory}: its tokenizer has no mask token; a masked language model is needed")
        # RoBERTa keeps the first two of its positions to itself
        most = min(int(tokenizer.model_max_length), int(model.config.max_position_embeddings) - 2)
        return tokenizer, model.to(self.device).eval(), most

    @cached_property
    def words(self) -> tuple[str, ...]:
        """For each token the word that it writes; "" for a piece of one, no word at all, or one that is protected."""
        tokenizer = self.loaded[0]
        tokens = [str(token) for token in tokenizer.convert_ids_to_tokens(range(self.loaded[1].config.vocab_size))]
        starts = next((sign for sign in _SPACES if sum(token.startswith(sign) for token in tokens) > 1), "")
        special = set(tokenizer.all_special_tokens)
        write: Callable[[list[str]], str] = tokenizer.convert_tokens_to_string
        return tuple("" if token in special else _word(token, starts, write) for token in tokens)

    @torch.no_grad()
    def expected(self, texts: Sequence[str]) -> list[Tensor]:
        """For each text the logits (masks, tokens) of what stands at its masks; those beyond its reach are missing."""
        tokenizer, model, most = self.loaded
        batch = tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True, max_length=most)
        batch = batch.to(self.device)
        logits, masks = model(**batch).logits, batch["input_ids"] == tokenizer.mask_token_id
        return [row[mask].float().cpu() for row, mask in zip(logits, masks, strict=True)]


class _Masked(NamedTuple):
    """A text with words masked: where they stand, and a uniform number for each."""

    source: str
    spans: list[tuple[int, int]]
    u: list[float]

    def text(self, mask: str) -> str:
        return applied(self.source, [Edit(start, stop, mask) for start, stop in self.spans])


def contextual(
    texts: Iterable[str],
    model: MaskedModel,
    *,
    share: float = 0.15,
    variants: int = 3,
    top: int = 10,
    protect: Protect | None = None,
    seed: int = 0,
    object_to: Callable[[str, str], str | None] = objection,
    progress: Progress | None = None,
) -> dict[str, tuple[str, ...]]:
    """Variants of each distinct text with words replaced: for `Resources.paraphrases["contextual"]`.

    Words that carry meaning and are not protected are masked, share * words of them and one at least, all of a variant
    at once; each is drawn from the `top` words that the model finds likeliest, by its probabilities. Neither the word
    itself nor a piece of a word nor a word that would be protected is put in. Draws are keyed by (seed, text, variant).

    Args:
        share: of the words, in (0, 1].
        variants: how many are tried for each text; those objected to, and repeated ones, are left out.
        top: how many likely words to draw from.
        protect: what stays as it is; None: the default of `Protect`.
        object_to: given a text and its variant, says why the variant must not stand for it, or None.
        progress: called after every batch.

    Raises:
        UsageError: a number that cannot be right.
        DataError: the model cannot be loaded.
    """
    if not 0 < share <= 1:
        raise UsageError(f"share must be in (0, 1], got {share!r}")
    if variants < 1 or top < 1:
        raise UsageError(f"variants and top must be at least 1, got {variants} and {top}")
    distinct = list(dict.fromkeys(texts))
    mask = str(model.loaded[0].mask_token)
    masked = [
        one
        for text in distinct
        if mask not in text
        for variant in range(variants)
        if (one := _masked(text, protect or Protect(), share, seed, variant)) is not None
    ]
    allowed = torch.tensor([bool(word) for word in model.words])
    found: dict[str, list[str]] = {text: [] for text in distinct}
    begun = time.monotonic()
    for start in range(0, len(masked), model.batch):
        batch = masked[start : start + model.batch]
        for one, logits in zip(batch, model.expected([one.text(mask) for one in batch]), strict=True):
            variant = _filled(one, logits.masked_fill(~allowed, -torch.inf), model.words, top)
            if variant not in found[one.source] and object_to(one.source, variant) is None:
                found[one.source].append(variant)
        if progress is not None:
            done = start + len(batch)
            progress(done, len(masked), (time.monotonic() - begun) / done * (len(masked) - done))
    return {text: tuple(each) for text, each in found.items()}


def _masked(source: str, protect: Protect, share: float, seed: int, variant: int) -> _Masked | None:
    """The text with words to be masked, or None if there is none that may be."""
    tokens = Text(source, protect).tokens
    n = min(len(tokens.content), max(1, round(share * len(tokens.starts))))
    if not n:
        return None
    key = int.from_bytes(sha256(source.encode("utf-8", "surrogatepass")).digest()[:5], "big")
    u, _ = uniforms(seed, variant, np.array([key]), 0, np.array([2 * n]))
    places = sorted(chosen(tokens.content, n, u))
    return _Masked(source, [(tokens.starts[place], tokens.stops[place]) for place in places], u[n : 2 * n])


def _filled(one: _Masked, logits: Tensor, words: Sequence[str], top: int) -> str:
    """The text with a likely word at each mask; words beyond the model's reach stay."""
    edits: list[Edit] = []
    for (start, stop), u, row in zip(one.spans, one.u, logits, strict=False):
        before = one.source[start:stop]
        values, ids = row.topk(min(top + 1, len(row)))
        likely = [
            (float(value), words[int(token)])
            for value, token in zip(values, ids, strict=True)
            if value > -torch.inf and words[int(token)].casefold() != before.casefold()
        ][:top]
        if likely:
            weights = np.exp(np.array([value for value, _ in likely]) - likely[0][0])
            place = int(np.searchsorted(np.cumsum(weights), u * weights.sum(), side="right"))
            edits.append(Edit(start, stop, cased_like(likely[min(place, len(likely) - 1)][1], before)))
    return applied(one.source, edits)


def _word(token: str, starts: str, write: Callable[[list[str]], str]) -> str:
    """The word that a token writes by itself, or ""; `starts` is what marks the start of a word, if anything does."""
    if not token.startswith(starts) or token.startswith("##"):
        return ""
    word = write([token]).strip()
    free = len(word) > 1 and word.isalpha() and LEXICON.get(word.lower(), Kind.FREE) == Kind.FREE
    return word if free else ""
