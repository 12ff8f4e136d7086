"""Cutoff on embeddings: as much as is asked for, only words, never everything, every place alike."""

import pytest
import torch

from gapless.augment.cutoff import Cutoff, Kind, cutoff
from gapless.errors import DataError, UsageError

KINDS: tuple[Kind, ...] = ("token", "feature", "span")


def embedded(batch: int = 64, length: int = 10, features: int = 8) -> torch.Tensor:
    return torch.rand(batch, length, features, generator=torch.Generator().manual_seed(1)) + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.99])
def test_the_share_is_exact_and_the_rest_unchanged(kind: Kind, share: float) -> None:
    x = embedded()
    before = x.clone()
    y = cutoff(x, share, kind, generator=torch.Generator().manual_seed(0))
    gone = y == 0
    size = 8 if kind == "feature" else 10
    per_text = gone.all(dim=1) if kind == "feature" else gone.all(dim=2)
    assert per_text.sum(dim=1).tolist() == [min(round(share * size), size - 1)] * len(x)
    assert gone.sum() == per_text.sum() * (80 // size)
    assert torch.equal(y[~gone], x[~gone]) and torch.equal(x, before)


def test_a_span_is_in_one_piece() -> None:
    gone = (cutoff(embedded(), 0.4, "span", generator=torch.Generator().manual_seed(0)) == 0).all(dim=2)
    for row in gone:
        (places,) = row.nonzero(as_tuple=True)
        assert places.tolist() == list(range(int(places[0]), int(places[0]) + 4))
    assert gone.any(dim=0).all()  # every place is cut in some text


@pytest.mark.parametrize("kind", ["token", "span"])
def test_padding_is_not_counted(kind: Kind) -> None:
    lengths = torch.tensor([1, 2, 5, 10] * 16)
    words = torch.arange(10) < lengths.unsqueeze(1)
    gone = (cutoff(embedded(), 0.5, kind, words, torch.Generator().manual_seed(0)) == 0).all(dim=2)
    assert not (gone & ~words).any()
    assert gone.sum(dim=1).tolist() == [0, 1, 2, 5] * 16  # one word stays; 2.5 is rounded to 2


def test_tokens_are_cut_equally_often() -> None:
    gone = (cutoff(embedded(4000), 0.3, generator=torch.Generator().manual_seed(0)) == 0).all(dim=2)
    deviation = (0.3 * 0.7 / 4000) ** 0.5
    assert (gone.double().mean(dim=0) - 0.3).abs().max() < 4.5 * deviation


@pytest.mark.parametrize("kind", KINDS)
def test_the_layer(kind: Kind) -> None:
    layer, x = Cutoff(0.5, kind), embedded().requires_grad_()
    torch.manual_seed(0)
    y = layer(x)
    torch.manual_seed(0)
    assert torch.equal(layer(x), y)
    y.sum().backward()
    assert x.grad is not None and torch.equal(x.grad == 0, y == 0)
    assert layer.eval()(x) is x and Cutoff(0.0, kind)(x) is x
    assert not layer.state_dict() and repr(layer) == f"Cutoff(share=0.5, kind='{kind}')"


def test_nothing_to_cut() -> None:
    assert cutoff(embedded(0), 0.5).shape == (0, 10, 8)
    assert torch.equal(cutoff(embedded(length=1), 0.9), embedded(length=1))


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(UsageError, match=r"share must be in \[0, 1\), got 1.0"):
        Cutoff(1.0)
    with pytest.raises(UsageError, match="kind must be one of token, feature, span, got 'word'"):
        Cutoff(0.1, "word")  # pyright: ignore[reportArgumentType]  # wrong on purpose
    with pytest.raises(DataError, match=r"embedded must have shape \(B, L, D\), got \(3, 4\)"):
        cutoff(torch.ones(3, 4), 0.1)
    with pytest.raises(DataError, match=r"words must be bool of shape \(2, 3\), got torch.int64 \(2, 3\)"):
        cutoff(torch.ones(2, 3, 4), 0.1, words=torch.ones(2, 3, dtype=torch.int64))
