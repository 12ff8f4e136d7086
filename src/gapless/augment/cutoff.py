"""Cutoff: parts of an embedded text are erased, so that the model learns to do without them.

Shen et al., A Simple but Tough-to-Beat Data Augmentation Approach for Natural Language Understanding and Generation,
arXiv 2009.13818, section 3.1. The paper adds a loss on the divergence of the predictions for several cut copies;
`gapless.augment.image.jensen_shannon` is that loss.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gapless.errors import DataError, UsageError

Kind = Literal["token", "feature", "span"]


def cutoff(
    embedded: Tensor,
    share: float,
    kind: Kind = "token",
    words: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A copy of embedded texts with a share of each erased: out = 0 where it is cut, the input elsewhere.

    `token`: round(share * n) of a text's n words. `feature`: round(share * D) of the D dimensions, for all its words.
    `span`: round(share * n) words that follow each other. Differs from dropout: what is left is not scaled up, and how
    much is cut does not vary. At least one word and one dimension stay.

    Args:
        embedded: (B, L, D) word vectors.
        share: how much of each text is cut, in [0, 1); 0 gives `embedded` itself.
        words: (B, L) bool, which places hold words and not padding, padding last; None: all.
        generator: of the device of `embedded`; None draws from torch's default one.

    Raises:
        UsageError: a share or a kind that there is not.
        DataError: `embedded` or `words` of another shape.
    """
    _check(share, kind)
    if embedded.ndim != 3:
        raise DataError(f"embedded must have shape (B, L, D), got {tuple(embedded.shape)}")
    if words is not None and (words.shape != embedded.shape[:2] or words.dtype != torch.bool):
        wanted = tuple(embedded.shape[:2])
        raise DataError(f"words must be bool of shape {wanted}, got {words.dtype} {tuple(words.shape)}")
    if share == 0 or not embedded.numel():
        return embedded
    batch, length, features = embedded.shape
    if kind == "feature":
        sizes = torch.full((batch,), features, device=embedded.device)
        there = torch.ones(batch, features, dtype=torch.bool, device=embedded.device)
        return embedded.masked_fill(_scattered(there, sizes, share, generator).unsqueeze(1), 0)
    there = torch.ones(batch, length, dtype=torch.bool, device=embedded.device) if words is None else words
    sizes = there.sum(dim=1)
    cut = (_scattered if kind == "token" else _together)(there, sizes, share, generator)
    return embedded.masked_fill(cut.unsqueeze(2), 0)


class Cutoff(nn.Module):
    """`cutoff` as a layer behind an nn.Embedding; in eval it returns its input.

    Args:
        share, kind: as in `cutoff`.

    Shape: (B, L, D) and, if texts are padded, words (B, L) bool -> (B, L, D).
    """

    def __init__(self, share: float, kind: Kind = "token") -> None:
        super().__init__()
        _check(share, kind)
        self.share = share
        self.kind: Kind = kind

    def forward(self, embedded: Tensor, words: Tensor | None = None) -> Tensor:
        return cutoff(embedded, self.share, self.kind, words) if self.training else embedded

    def extra_repr(self) -> str:
        return f"share={self.share}, kind={self.kind!r}"


def _check(share: float, kind: str) -> None:
    if not 0 <= share < 1:
        raise UsageError(f"share must be in [0, 1), got {share!r}")
    if kind not in get_args(Kind):
        raise UsageError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")


def _counts(sizes: Tensor, share: float) -> Tensor:
    """How many of each are cut: the nearest whole number, never all."""
    return torch.minimum((sizes * share).round(), (sizes - 1).clamp(min=0)).long()


def _scattered(there: Tensor, sizes: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """So many of the places that are there, all sets equally likely: those with the smallest numbers drawn."""
    drawn = torch.rand(there.shape, device=there.device, generator=generator).masked_fill(~there, 2.0)
    ranks = drawn.argsort(dim=1).argsort(dim=1)
    return ranks < _counts(sizes, share).unsqueeze(1)


def _together(there: Tensor, sizes: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """So many places one after the other, all beginnings equally likely."""
    counts = _counts(sizes, share)
    drawn = torch.rand(len(there), device=there.device, generator=generator)
    first = (drawn * (sizes - counts + 1)).long().unsqueeze(1)
    places = torch.arange(there.shape[1], device=there.device)
    return (places >= first) & (places < first + counts.unsqueeze(1))
