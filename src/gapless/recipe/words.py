"""Regularization inside a model for texts: whole words dropped from its table, words made unknown.

Like dropout's attachments it changes no parameter and no key of the state_dict, and a copied or unpickled model has it
too (`gapless.surgery`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gapless.errors import UsageError
from gapless.flow import Flow
from gapless.surgery import Addition, Args, Change, Kwargs, Placement, add, plain_class, refuse_replaced, take_out

IDS = "input_ids"
"""The argument of forward that holds the words where a model takes its texts as a dict of tensors."""


@runtime_checkable
class KnowsUnknown(Protocol):
    """A model that says which id stands for an unknown word, and which ids are never replaced by it."""

    unknown_id: int
    special_ids: Sequence[int]


class EmbeddingWords(Addition):
    """A table of words drops some of them: for a batch, every occurrence of a word, with probability p.

    Gal and Ghahramani, arXiv 1512.05287, section 4.2. From an nn.Embedding the word is 0 and the others are divided by
    1 - p; from an nn.EmbeddingBag of mode mean it leaves the mean, which keeps its size by itself.
    """

    def __init__(self, p: float) -> None:
        self.p = p

    def before(self, layer: nn.Module, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        if not layer.training or not isinstance(layer, nn.EmbeddingBag) or layer.padding_idx is None:
            return args, kwargs
        left = self._kept(layer)[args[0]] > 0
        return (args[0].masked_fill(~left, layer.padding_idx), *args[1:]), kwargs

    def after(self, layer: nn.Module, args: Args, output: Tensor) -> Tensor:
        if not layer.training or not isinstance(layer, nn.Embedding):
            return output
        return output * self._kept(layer)[args[0]].unsqueeze(-1)

    def _kept(self, table: nn.Embedding | nn.EmbeddingBag) -> Tensor:
        """Noise of mean 1 for each word of the table: 0, or 1 / (1 - p)."""
        return functional.dropout(table.weight.new_ones(table.num_embeddings), self.p)

    def __str__(self) -> str:
        return f"whole words dropped, p={self.p:g}"


class UnknownWords(Addition):
    """A model's ids become the id of an unknown word with probability p, special ones excepted.

    Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods, ACL 2015, section 2.2.1 (word dropout), and the
    noise of Xie et al., arXiv 1703.02573, section 3 ("blank").
    """

    def __init__(self, p: float, unknown: int, special: Sequence[int]) -> None:
        self.p, self.unknown = p, unknown
        self.special = tuple(special)

    def before(self, layer: nn.Module, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        if not layer.training:
            return args, kwargs
        if args:
            return (self._noised(args[0]), *args[1:]), kwargs
        return args, {**kwargs, IDS: self._noised(kwargs[IDS])}

    def _noised(self, ids: Tensor) -> Tensor:
        replaced = torch.rand(ids.shape, device=ids.device) < self.p
        for special in self.special:
            replaced &= ids != special
        return ids.masked_fill(replaced, self.unknown)

    def __str__(self) -> str:
        return f"words made unknown, p={self.p:g}"


def word_table(model: nn.Module, flow: Flow | None = None) -> nn.Embedding | nn.EmbeddingBag | None:
    """The table of words; None where there is none.

    The one that the model names (get_input_embeddings, as transformers' models do); else, of those that are handed an
    input of the model, or without a flow of those that do not go by the name of positions, types or segments, the one
    with the most rows, the first of them.
    """
    tables = {p: m for p, m in model.named_modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    if (named := _named_table(model)) is not None:
        return named
    reached = [] if flow is None else [tables[path] for path in flow.tables]
    likely = [table for path, table in tables.items() if not _NOT_WORDS.search(path)]
    return max(reached or likely or tables.values(), key=lambda table: table.num_embeddings, default=None)


_NOT_WORDS = re.compile(r"(^|[._])(w?pos(ition)?|w?pe|(token_)?types?|seg(ment)?)s?($|[._e])")


def _named_table(model: nn.Module) -> nn.Embedding | nn.EmbeddingBag | None:
    """What the model itself says its table is; a model whose input is no text may have the method and refuse."""
    ask = getattr(model, "get_input_embeddings", None)
    if not callable(ask):
        return None
    try:
        table = ask()
    except (NotImplementedError, AttributeError, TypeError):
        return None
    return table if isinstance(table, nn.Embedding | nn.EmbeddingBag) else None


def why_no_embedding_dropout(model: nn.Module, flow: Flow | None = None) -> str:
    """Empty where `dropout.embedding` has its place, else the reason why it has none."""
    table = word_table(model, flow)
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


def attach_words(model: nn.Module, embedding: float, word: float, flow: Flow | None = None) -> Change:
    """Puts both dropouts on the model, a rate of 0 none; replaces earlier ones.

    Raises:
        UsageError: the model has no place for one of them.
    """
    for name, p, why in (
        ("embedding", embedding, why_no_embedding_dropout(model, flow)),
        ("word", word, why_no_word_dropout(model)),
    ):
        if p and why:
            raise UsageError(f"dropout.{name}: {type(model).__name__} has no place for it: {why}")
    table = word_table(model, flow)
    refuse_replaced([*([model] if word else []), *([table] if embedding and table else [])])
    detach_words(model)
    account: list[Placement] = []
    if embedding and table is not None:
        path = next(path for path, module in model.named_modules() if module is table)
        account.append(Placement(path, "embedding", f"whole words of this {plain_class(table).__name__}", embedding))
        add(table, EmbeddingWords(embedding))
    if word:
        assert isinstance(model, KnowsUnknown)
        account.append(Placement("", "word", f"words of {plain_class(model).__name__} made unknown", word))
        add(model, UnknownWords(word, model.unknown_id, model.special_ids))
    return Change(model, tuple(account), (detach_words,))


def detach_words(model: nn.Module) -> None:
    """Takes both dropouts off a model, also off a copied or unpickled one."""
    take_out(model, EmbeddingWords)
    take_out(model, UnknownWords)
