"""The gap's interval holds what it says; scores row by row; fixed rows that are left as they were."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset, SubsetRandomSampler, TensorDataset

from gapless import UsageError
from gapless.integrations.clean import measure, sample
from gapless.integrations.gap import Rows, answers_in, gap_of, score_rows
from gapless.integrations.watch import Watch


def rows(right: np.ndarray, of: int | None = None) -> Rows:
    return Rows(1.0 - right.astype(np.float64), right.astype(np.float64), of)


@pytest.mark.parametrize(
    ("p", "q", "whole"), [(0.95, 0.8, True), (1.0, 0.97, True), (0.6, 0.6, False), (0.99, 0.5, False)]
)
def test_the_interval_holds_the_gap_as_often_as_it_says(p: float, q: float, whole: bool) -> None:
    """Training rows measured whole, or 200 of 500; new rows are always a sample."""
    rng = np.random.default_rng(0)
    held: list[bool] = []
    for _ in range(600):
        everyone = rng.random(500) < p
        train = everyone if whole else rng.permutation(everyone)[:200]
        gap = gap_of(0, rows(train, 500), rows(rng.random(150) < q)).right
        held.append(gap.low <= everyone.mean() - q <= gap.high)
    assert 0.92 <= np.mean(held) <= 0.99


@given(st.integers(0, 50), st.integers(0, 30), st.booleans())
def test_an_interval_is_one_and_lies_in_bounds(p: int, q: int, whole: bool) -> None:
    train, new = np.arange(50) < p, np.arange(30) < q
    for estimate in (found := gap_of(3, rows(train, 50 if whole else None), rows(new))).right, found.loss:
        assert -1.0001 <= estimate.low <= estimate.gap <= estimate.high <= 1.0001 or estimate is found.loss
    assert found.right.gap == pytest.approx(p / 50 - q / 30) == pytest.approx(found.loss.gap)
    assert found.right.low < found.right.high


def test_two_rows_are_needed() -> None:
    with pytest.raises(UsageError, match="two rows on each side, got 1 and 30"):
        gap_of(0, rows(np.ones(1)), rows(np.ones(30)))


# ── row by row ──


def test_scores_are_those_of_torch() -> None:
    logits, labels = torch.randn(6, 4), torch.randint(4, (6,))
    losses, right = score_rows(logits, labels)
    assert torch.allclose(losses, functional.cross_entropy(logits, labels, reduction="none"))
    assert torch.equal(right, (logits.argmax(1) == labels).float())
    for same in (logits.softmax(1), logits.log_softmax(1)):
        assert torch.allclose(score_rows(same, labels)[0], losses, atol=1e-5)
    many, mask = torch.randn(3, 5, 4, 4), torch.randint(5, (3, 4, 4))
    expected = functional.cross_entropy(many, mask, reduction="none").flatten(1).mean(1)
    assert torch.allclose(score_rows(many, mask)[0], expected)
    one, yes = torch.randn(6, 1), torch.randint(2, (6,))
    expected = functional.binary_cross_entropy_with_logits(one[:, 0], yes.float(), reduction="none")
    assert torch.allclose(score_rows(one, yes)[0], expected)
    assert torch.allclose(score_rows(one, one[:, 0] + 2)[0], torch.full((6,), 4.0))
    several = (torch.rand(6, 4) > 0.5).float()
    expected = functional.binary_cross_entropy_with_logits(logits, several, reduction="none").mean(1)
    assert torch.allclose(score_rows(logits, several)[0], expected)


@pytest.mark.parametrize(
    ("answers", "labels"),
    [
        (torch.randn(4, 7, 9), torch.zeros(4, 7, dtype=torch.int64)),
        (torch.randn(4, 3), torch.zeros(5, dtype=torch.int64)),
        (torch.randn(4, 3), torch.zeros(4, 2)),
        (torch.randn(4, 3), ["a", "b", "c", "d"]),
    ],
)
def test_what_does_not_go_together_is_refused(answers: Tensor, labels: Any) -> None:
    with pytest.raises(UsageError, match="score=f"):
        score_rows(answers, labels)


def test_answers_are_found() -> None:
    x = torch.randn(2, 3)
    assert all(answers_in(given) is x for given in (x, {"logits": x}, (x, None)))
    with pytest.raises(UsageError, match="str"):
        answers_in("x")


# ── fixed rows ──


class Noisy(Dataset[tuple[Tensor, int]]):
    """Augments by itself, from everybody's generators."""

    def __init__(self, noisy: bool = True):
        self.noisy = noisy

    def __len__(self) -> int:
        return 40

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        noise = torch.rand(3) + random.random() + np.random.rand() if self.noisy else torch.zeros(3)  # noqa: NPY002
        return torch.full((3,), float(row)) + noise, row % 2


def seen(loader: Any, count: int) -> list[int]:
    found: list[float] = []
    for batch in sample(loader, count).batches():
        found += batch[0][:, 0].tolist()
    return [int(value) for value in found]


def test_the_same_rows_again_whatever_the_loader_does() -> None:
    data = Noisy(noisy=False)
    shuffled = DataLoader(data, 8, shuffle=True)
    assert seen(shuffled, 10) == seen(shuffled, 10) == sorted(seen(DataLoader(data, 3), 10))
    assert seen(shuffled, 100) == list(range(40))
    part = DataLoader(data, 8, sampler=SubsetRandomSampler([5, 3, 9]))
    assert seen(part, 100) == [3, 5, 9]
    assert seen([next(iter(DataLoader(data, 40)))], 100) == list(range(40))

    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Any:
            return iter(data[i] for i in range(40))

    assert seen(DataLoader(Stream(), 8), 16) == list(range(16))


def test_data_that_vary_by_themselves_are_noticed_and_random_states_stay() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2))
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    noisy = sample(DataLoader(Noisy(), 8), 16)
    model[0].eval()
    measure(model, noisy, lambda batch: score_rows(model(batch[0]), batch[1]))
    assert noisy.varies and not sample(DataLoader(Noisy(noisy=False), 8), 16).varies
    assert torch.equal(before[0], torch.get_rng_state()) and before[1] == random.getstate()
    assert np.array_equal(before[2], np.random.get_state()[1])  # noqa: NPY002
    assert [m.training for m in model] == [False, True]


# ── watching ──


def overfit(epochs: int, lr: float) -> tuple[Watch, nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    x = torch.randn(300, 10)
    y = (x[:, 0] > 0).long() ^ (torch.rand(300) < 0.2)
    model = nn.Sequential(nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    train, new = (DataLoader(TensorDataset(x[part], y[part]), 32) for part in (slice(150), slice(150, None)))
    watch = Watch(train, new)
    for epoch in range(epochs):
        for inputs, labels in train:
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
        watch.measure(model, epoch, lambda batch: score_rows(model(batch[0]), batch[1]))
    return watch, model, optimizer


def test_overfitting_is_dated_and_what_is_on_is_said() -> None:
    watch, model, optimizer = overfit(25, 0.01)
    found = watch.overfitting()
    best = min(range(25), key=lambda epoch: watch.history[epoch].loss.new)
    assert found is not None and found.best == best and found.low > 0
    said = watch.report(model, [optimizer])
    assert f"Overfitting began after epoch {best + 1}" in said
    assert "Switched on: weight decay 0.01 on 1,666 parameters." in said
    assert "dropout 0.1 to 0.3" in said and "weight decay 0.05" not in said
    again = Watch((), ())
    again.load_state_dict(watch.state_dict())
    assert again.history == watch.history


def test_a_model_that_does_not_overfit_is_left_in_peace() -> None:
    watch, model, optimizer = overfit(3, 1e-5)
    assert watch.overfitting() is None
    assert "more regularization is not what this model lacks" in watch.report(model, [optimizer])
