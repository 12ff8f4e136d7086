"""Texts in training, after their embedding: cutoff and mixup. Hooks do it, and are gone when the batch is done."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gapless.augment import mix
from gapless.augment.cutoff import cutoff
from gapless.errors import UsageError
from gapless.recipe.batch import targets_of
from gapless.recipe.words import word_table

if TYPE_CHECKING:
    import numpy as np

    from gapless.augment.mix import Pairs
    from gapless.recipe.parts import Augment

MASK = "attention_mask"
"""The argument of forward that says which words are padding where a model takes its texts as a dict of tensors."""


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
        if len(output) != len(labels):
            path = next(path for path, each in model.named_modules() if each is table)
            raise UsageError(
                f"augment.mixup: there are {len(labels)} labels, and the table of words, {path}, gave {len(output)} "
                "rows; give as many labels as the batch has texts, or, where another table holds the words, let "
                "get_input_embeddings() of the model return that one"
            )
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
