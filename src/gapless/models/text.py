"""Models for texts: they bring their own vocabulary, and are plain inside like the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gapless.models.vocabulary import PADDING, UNKNOWN, Vocabulary, words_of

WINDOWS = (3, 4, 5)
PAIRS = 8192
"""Pairs of words that a bag has embeddings for."""
NO_PAIR = 2**63 - 1
SCALE = 8.0
"""What the mean of a bag is multiplied by: the mean of many small embeddings is smaller still, and with Adam, whose
steps do not depend on the size of a gradient, it would take its first epochs to grow."""


def notes_on(texts: Sequence[str]) -> tuple[str, ...]:
    """What the user should know about how these models read the texts: that of very long ones the end is not read."""
    most = Vocabulary().most
    long = sum(len(words_of(text)) > most for text in texts if len(text) > most)
    if not long:
        return ()
    are = "1 text is" if long == 1 else f"{long:,} texts are"
    return (f"{are} longer than {most} words; the built-in models read the first {most}.",)


class TextModel(nn.Module):
    """What the models for texts share: how texts become ids. Before `learn` every word is hashed."""

    unknown_id = UNKNOWN
    special_ids = (PADDING,)

    def __init__(self) -> None:
        super().__init__()
        self.vocabulary = Vocabulary()

    def learn(self, texts: Sequence[str]) -> None:
        """Takes the vocabulary from texts; the weights stay as they are."""
        self.vocabulary = self.vocabulary.learned(texts)

    def learned(self) -> dict[str, Any]:
        """What `learn` took, as plain values: the weights mean nothing without it."""
        return {"words": list(self.vocabulary.ids)}

    def remember(self, learned: Mapping[str, Any]) -> None:
        """Takes what `learned` gave, in place of `learn`."""
        self.vocabulary = self.vocabulary.of(learned["words"])

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Ids (B, L) int64, padded with 0 to the longest of the batch."""
        return self.vocabulary.encode(texts)


class TextCNN(TextModel):
    """Word embeddings, convolutions over 3, 4 and 5 words side by side, ReLU, the maximum over the text, a linear head.

    Args:
        outputs: number of classes, or 1.
        width: numbers of an embedding, and filters of each convolution.

    Shape: ids (B, L) -> (B, outputs). Kim, Convolutional Neural Networks for Sentence Classification, EMNLP 2014,
    section 2, from random embeddings (CNN-rand) and without its dropout, which is the recipe's to add.
    """

    def __init__(self, outputs: int, width: int = 32):
        super().__init__()
        self.embed = nn.Embedding(self.vocabulary.size, width, padding_idx=PADDING)
        draw_small(self.embed.weight, 0.05)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, n, padding=n // 2) for n in WINDOWS)
        self.head = nn.Linear(len(WINDOWS) * width, outputs)

    def forward(self, ids: Tensor) -> Tensor:
        embedded = self.embed(ids)
        # Padding is where the embedding is zero, not where the id is: a text that mixup made longer has no id there.
        padded = (embedded == 0).all(2).unsqueeze(1)
        x = embedded.transpose(1, 2)
        maxima = [self._maximum(convolution(x), padded) for convolution in self.convolutions]
        return self.head(torch.cat(maxima, 1))

    @staticmethod
    def _maximum(x: Tensor, padded: Tensor) -> Tensor:
        """Over the words of each text: what ReLU never falls below stands for the padding."""
        return torch.relu(x[..., : padded.shape[2]]).masked_fill(padded, 0.0).amax(2)


class TextBag(TextModel):
    """The mean of the embeddings of the words and of pairs of words, hidden layers, and a linear head.

    Pairs are what tells "not good" from "good". Those that stand twice or more in the texts learned from have an
    embedding each; others are not read: rare ones let the model learn its texts by heart.

    Args:
        outputs: number of classes, or 1.
        width: numbers of an embedding, and units of a hidden layer.
        depth: hidden layers.

    Shape: ids (B, L) -> (B, outputs). Joulin et al., Bag of Tricks for Efficient Text Classification (fastText), arXiv
    1607.01759, section 2.2, with a hidden layer as in Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods
    for Text Classification, ACL 2015, section 2. Differs from fastText: there all pairs share buckets by their hash.
    """

    def __init__(self, outputs: int, width: int = 16, depth: int = 1):
        super().__init__()
        self.embed = nn.EmbeddingBag(self.vocabulary.size + PAIRS, width, mode="mean", padding_idx=PADDING)
        draw_small(self.embed.weight, 0.01)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.head = nn.Linear(width, outputs)
        # like the vocabulary, no part of the state: it comes from the texts
        self.register_buffer("pairs", torch.full((PAIRS,), NO_PAIR), persistent=False)

    def learn(self, texts: Sequence[str]) -> None:
        super().learn(texts)
        keys = torch.cat([self._keys(self.encode([text]))[0] for text in texts] or [torch.empty(0, dtype=torch.int64)])
        found, counts = keys.unique(return_counts=True)
        found, counts = found[counts > 1], counts[counts > 1]
        self._take_pairs(found[counts.argsort(descending=True, stable=True)[:PAIRS]].sort().values)

    def learned(self) -> dict[str, Any]:
        pairs = self.get_buffer("pairs")
        return {**super().learned(), "pairs": pairs[pairs < NO_PAIR].tolist()}

    def remember(self, learned: Mapping[str, Any]) -> None:
        super().remember(learned)
        self._take_pairs(torch.tensor(learned["pairs"][:PAIRS], dtype=torch.int64))

    def _take_pairs(self, often: Tensor) -> None:
        """The keys of the pairs that have embeddings, in ascending order."""
        pairs = self.get_buffer("pairs")
        pairs.fill_(NO_PAIR)[: len(often)] = often.to(pairs.device)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(torch.cat([ids, self._pair_ids(ids)], 1)) * SCALE
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.head(x)

    def _keys(self, ids: Tensor) -> Tensor:
        """A number for each pair of neighbours, (B, L - 1)."""
        return ids[:, :-1] * self.vocabulary.size + ids[:, 1:]

    def _pair_ids(self, ids: Tensor) -> Tensor:
        """The ids of the pairs that are known, padding in place of the others: from the ids, as dropout left them."""
        pairs, keys = self.get_buffer("pairs"), self._keys(ids)
        places = torch.searchsorted(pairs, keys).clamp_max(PAIRS - 1)
        return torch.where(pairs[places] == keys, places + self.vocabulary.size, PADDING)


@torch.no_grad()
def draw_small(weight: Tensor, sd: float) -> None:
    """Embeddings from N(0, sd^2), padding 0: torch's N(0, 1) drowns what little a rare word can learn.

    On 2,000 movie snippets both models are right on 3 to 6 points more of the new ones than from torch's. What a bag
    never saw keeps its first embedding, which should say nothing.
    """
    weight.normal_(std=sd)
    weight[PADDING] = 0.0
