"""Regularization inside a model for texts: whole words dropped from its table, words made unknown, mixup of embeddings.

Like dropout's attachments it changes no parameter and no key of the state_dict: hooks do the work, and what they need
lives on the modules themselves, so that a copied or unpickled model has it too.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gapless.augment import mix
from gapless.augment.text.cutoff import cutoff
from gapless.errors import UsageError
from gapless.recipe.augment import targets_of

if TYPE_CHECKING:
    import numpy as np

    from gapless.augment.mix import Pairs
    from gapless.recipe.recipe import Augment

IDS, MASK = "input_ids", "attention_mask"
"""The arguments of forward that are understood where a model takes its texts as a dict of tensors."""
_CHILDREN = {"embedding": "gapless_embedding_dropout", "word": "gapless_word_dropout"}
_HANDLE = "_gapless_words_handle"


@runtime_checkable
class KnowsUnknown(Protocol):
    """A model that says which id stands for an unknown word, and which ids are never replaced by it."""

    unknown_id: int
    special_ids: Sequence[int]


class EmbeddingWords(nn.Module):
    """What a hook drops from the table of words: for a batch, every occurrence of a dropped word, with probability p.

    Gal and Ghahramani, arXiv 1512.05287, section 4.2. From an nn.Embedding the word is 0 and the others are divided by
    1 - p; from an nn.EmbeddingBag of mode mean it leaves the mean, which keeps its size by itself.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def kept(self, table: nn.Embedding | nn.EmbeddingBag) -> Tensor:
        """Noise of mean 1 for each word of the table: 0, or 1 / (1 - p)."""
        return functional.dropout(table.weight.new_ones(table.num_embeddings), self.p)


class UnknownWords(nn.Module):
    """What a hook does to ids: each becomes the id of an unknown word with probability p, special ones excepted.

    Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods, ACL 2015, section 2.2.1 (word dropout), and the
    noise of Xie et al., arXiv 1703.02573, section 3 ("blank").
    """

    def __init__(self, p: float, unknown: int, special: Sequence[int]) -> None:
        super().__init__()
        self.p, self.unknown = p, unknown
        self.special = tuple(special)

    def forward(self, ids: Tensor) -> Tensor:
        if not self.training:
            return ids
        replaced = torch.rand(ids.shape, device=ids.device) < self.p
        for special in self.special:
            replaced &= ids != special
        return ids.masked_fill(replaced, self.unknown)


def word_table(model: nn.Module) -> nn.Embedding | nn.EmbeddingBag | None:
    """The embedding with the most rows, the first of them; None where there is none."""
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
    return max(tables, key=lambda table: table.num_embeddings, default=None)


def why_no_embedding_dropout(model: nn.Module) -> str:
    """Empty where `dropout.embedding` has its place, else the reason why it has none."""
    table = word_table(model)
    if table is None:
        return "there is no nn.Embedding and no nn.EmbeddingBag"
    if isinstance(table, nn.EmbeddingBag) and (table.mode != "mean" or table.padding_idx is None):
        return "its nn.EmbeddingBag must have mode='mean' and a padding_idx"
    return ""


def why_no_word_dropout(model: nn.Module) -> str:
    """Empty where `dropout.word` has its place, else the reason why it has none."""
    if isinstance(model, KnowsUnknown):
        return ""
    return "the model must say unknown_id and special_ids, the ids of an unknown word and of padding and ends"


def attach_words(model: nn.Module, embedding: float, word: float) -> tuple[str, ...]:
    """Puts both dropouts on the model, a rate of 0 none; replaces earlier ones. Returns a line for each.

    Raises:
        UsageError: the model has no place for one of them.
    """
    for name, p, why in (
        ("embedding", embedding, why_no_embedding_dropout(model)),
        ("word", word, why_no_word_dropout(model)),
    ):
        if p and why:
            raise UsageError(f"dropout.{name}: {type(model).__name__} has no place for it: {why}")
    detach_words(model)
    account: list[str] = []
    if embedding:
        table = word_table(model)
        assert table is not None
        child = EmbeddingWords(embedding).train(table.training)
        table.add_module(_CHILDREN["embedding"], child)
        if isinstance(table, nn.EmbeddingBag):
            handle = table.register_forward_pre_hook(_leave_out)
        else:
            handle = table.register_forward_hook(_drop_rows)
        table.__dict__[_HANDLE] = handle
        account.append(f"{type(table).__name__}: whole words dropped {embedding:.3g}")
    if word:
        assert isinstance(model, KnowsUnknown)
        ids = UnknownWords(word, model.unknown_id, model.special_ids)
        model.add_module(_CHILDREN["word"], ids.train(model.training))
        # The table of a model may be the model itself, so each hook has a handle of its own name.
        model.__dict__[f"{_HANDLE}_ids"] = model.register_forward_pre_hook(_make_unknown, with_kwargs=True)
        account.append(f"{type(model).__name__}: words made unknown {word:.3g}")
    return tuple(account)


def detach_words(model: nn.Module) -> None:
    """Takes both dropouts off a model, also off a copied or unpickled one."""
    for module in list(model.modules()):
        for name, child in ((_HANDLE, _CHILDREN["embedding"]), (f"{_HANDLE}_ids", _CHILDREN["word"])):
            if name in module.__dict__:
                module.__dict__.pop(name).remove()
                delattr(module, child)


def _drop_rows(table: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
    child = cast(EmbeddingWords, table.get_submodule(_CHILDREN["embedding"]))
    if not child.training:
        return output
    return output * child.kept(cast(nn.Embedding, table))[args[0]].unsqueeze(-1)


def _leave_out(table: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    child = cast(EmbeddingWords, table.get_submodule(_CHILDREN["embedding"]))
    if not child.training:
        return args
    bag = cast(nn.EmbeddingBag, table)
    left = child.kept(bag)[args[0]] > 0
    return (args[0].masked_fill(~left, cast(int, bag.padding_idx)), *args[1:])


def _make_unknown(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    child = model.get_submodule(_CHILDREN["word"])
    if args:
        return (child(args[0]), *args[1:]), kwargs
    return args, {**kwargs, IDS: child(kwargs[IDS])}


# ── cutoff and mixup ──


@contextmanager
def mixing(
    part: Augment, model: nn.Module, labels: Tensor, stream: np.random.Generator, classes: int
) -> Generator[Tensor]:
    """Within, the model's next batch is cut and mixed as `part` says; yields its targets; classes: 0 for a regression.

    What the table of words puts out is blended with the partner's, text by text (word-level mixup of Guo et al.,
    arXiv 1905.08941): share * own + (1 - share) * partner's, the shorter text padded with what padding gives. An
    `attention_mask` becomes the union of both. Mixup of inputs is not possible, for ids cannot be averaged.

    Raises:
        UsageError: the recipe mixes or cuts, and the model has no table of words where that is possible.
    """
    with _cutting(part, model, stream):
        targets = targets_of(part, labels, classes)
        if not part.mixup or not len(labels):
            yield targets
            return
        with _blending(part, model, labels, stream) as pairs:
            yield mix.blend(targets, pairs)


@contextmanager
def _blending(part: Augment, model: nn.Module, labels: Tensor, stream: np.random.Generator) -> Generator[Pairs]:
    table = word_table(model)
    if table is None:
        raise UsageError(f"augment.mixup: {type(model).__name__} has no nn.Embedding whose output could be mixed")
    pairs = mix.draw_pairs(len(labels), part.mixup, stream).to(labels.device)

    def blended(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return mix.blend(output, pairs)

    def united(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, _united(kwargs, pairs)

    handles = [
        table.register_forward_hook(blended),
        model.register_forward_pre_hook(united, with_kwargs=True),
    ]
    try:
        yield pairs
    finally:
        for handle in handles:
            handle.remove()


def why_no_cutoff(model: nn.Module) -> str:
    """Empty where `augment.cutoff` has its place, else the reason why it has none."""
    if isinstance(word_table(model), nn.Embedding):
        return ""
    return "there is no nn.Embedding, which keeps the words of a text apart"


@contextmanager
def _cutting(part: Augment, model: nn.Module, stream: np.random.Generator) -> Generator[None]:
    """Within, a share of the words that the table puts out is erased, padding not counted."""
    if not part.cutoff:
        yield
        return
    table = word_table(model)
    if not isinstance(table, nn.Embedding):
        raise UsageError(f"augment.cutoff: {type(model).__name__} has no place for it: {why_no_cutoff(model)}")
    generator = torch.Generator(table.weight.device).manual_seed(int(stream.integers(2**63)))
    padding = table.padding_idx

    def cut(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        words = None if padding is None else args[0] != padding
        return cutoff(output, part.cutoff, "token", words, generator)

    handle = table.register_forward_hook(cut)
    try:
        yield
    finally:
        handle.remove()


def _united(kwargs: dict[str, Any], pairs: Pairs) -> dict[str, Any]:
    mask = kwargs.get(MASK)
    return kwargs if mask is None else {**kwargs, MASK: torch.maximum(mask, mask[pairs.partner])}
