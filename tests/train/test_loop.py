"""The training loop: bit-reproducible, the same in one go or in pieces, blind to everything global."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_tasks import Drops, pictures, table, texts
from torch import Tensor, nn

from gapless.data import Task
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Op, Recipe, preset
from gapless.train.batches import Feed
from gapless.train.loop import Diverged, Plan, Trainer, build

STRONG = preset("image", "strong")
EVERYTHING = Recipe(
    dropout=Dropout(hidden=0.2, channel=0.1, input=0.05),
    batchnorm=BatchNorm(insert=True),
    decay=Decay(strength=0.1),
    augment=Augment(ops=(Op(op="rotate", strength=20.0),), mixup=0.3, cutmix=0.5, label_smoothing=0.1),
)
FOR_TABLES = preset("table", "strong")
FOR_TEXTS = Recipe(
    dropout=Dropout(hidden=0.2, embedding=0.2, word=0.1),
    batchnorm=BatchNorm(insert=True),
    decay=Decay(strength=0.1),
    augment=Augment(ops=(Op(op="swap", strength=0.3), Op(op="delete", strength=0.2)), pick=1, mixup=0.3),
)

IN_OTHER_WORDS = FOR_TEXTS.replace("augment", Augment(ops=(Op(op="back_translate", strength=1.0, p=0.5),), mixup=0.3))


def in_other_words() -> Task:
    """Each text has a paraphrase, another one for each text."""
    task = texts()
    found = {text: (f"People said: {text}",) for text in task.develop.x.tolist()}
    return replace(task, paraphrases={"back_translate": found})


def with_drops() -> Task:
    return replace(pictures(), model=Drops, model_name="Drops")


def trainer(
    task: Task, recipe: Recipe = EVERYTHING, lr: float = 0.01, seed: int = 1, rows: int = 60, **changes: Any
) -> Trainer:
    plan = replace(Plan(epochs=4, batch_size=16), **changes)
    return Trainer(task, np.arange(rows), recipe, lr, seed, plan, task.develop)


def bits(t: Trainer) -> dict[str, bytes]:
    """Every tensor of the training: weights, statistics, averages, optimizer state."""
    found = {f"model.{k}": v for k, v in t.model.state_dict().items()}
    found |= {f"judged.{k}": v for k, v in t.judged.state_dict().items()}
    for i, state in t.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{i}.{k}": v for k, v in state.items() if v is not None}
    return {k: v.detach().contiguous().numpy().tobytes() for k, v in found.items()}


SETTINGS: dict[str, tuple[Callable[[], Task], Recipe, dict[str, Any]]] = {
    "cnn, AdamW": (pictures, EVERYTHING, {}),
    "cnn, SGD": (pictures, EVERYTHING, {"optimizer": "sgd"}),
    "cnn, plain": (pictures, Recipe(), {}),
    "resnet, AdamW, EMA": (lambda: pictures(word="resnet"), STRONG, {"ema": 0.9}),
    "resnet, SGD, EMA": (lambda: pictures(word="resnet"), STRONG, {"ema": 0.9, "optimizer": "sgd"}),
    "mlp": (lambda: pictures(word="mlp"), STRONG, {}),
    "own dropout and batch norm": (with_drops, STRONG, {"ema": 0.9}),
    "table, classes": (table, FOR_TABLES, {"ema": 0.9}),
    "texts, bag, EMA": (texts, FOR_TEXTS, {"ema": 0.9}),
    "texts, convolutions, SGD": (lambda: texts(word="text-cnn"), FOR_TEXTS, {"optimizer": "sgd"}),
    "texts, in other words": (in_other_words, IN_OTHER_WORDS, {}),
    "texts, regression": (lambda: texts(outputs=0), FOR_TEXTS, {}),
    "table, regression, SGD": (lambda: table(outputs=0), FOR_TABLES, {"optimizer": "sgd"}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_same_seed_same_bits(name: str) -> None:
    task, recipe, changes = SETTINGS[name]
    first, second, other = (trainer(task(), recipe, seed=s, **changes) for s in (1, 1, 2))
    for t in (first, second, other):
        t.run_to(2)
    assert bits(first) == bits(second)
    assert bits(first) != bits(other)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("pauses", [(2,), (1, 3)], ids=["one pause", "two pauses"])
def test_in_pieces_as_in_one_go(name: str, pauses: tuple[int, ...], tmp_path: Path) -> None:
    task, recipe, changes = SETTINGS[name]
    whole = trainer(task(), recipe, **changes)
    whole.run_to(4)
    for pause in pauses:
        part = trainer(task(), recipe, **changes)
        if (tmp_path / "c.safetensors").exists():
            part.load(tmp_path / "c.safetensors")
        part.run_to(pause)
        part.save(tmp_path / "c.safetensors")
    last = trainer(task(), recipe, **changes)
    last.load(tmp_path / "c.safetensors")
    assert last.epoch == pauses[-1]
    last.run_to(4)
    assert bits(last) == bits(whole)


def test_state_keeps_the_memory_order_of_the_weights(tmp_path: Path) -> None:
    """A fused step walks through memory: a moment in another order would meet the wrong weights."""
    first, second = (trainer(pictures(word="resnet", width=8)) for _ in range(2))
    first.run_to(1)
    first.save(tmp_path / "c.safetensors")
    second.load(tmp_path / "c.safetensors")
    orders = {p.stride() == v.stride() for p, s in second.optimizer.state.items() for v in s.values() if v.ndim}
    assert orders == {True}
    assert any(not p.is_contiguous() for p in second.model.parameters())  # channels last: the case that matters


def test_stopping_between_epochs_changes_nothing() -> None:
    whole, steps = trainer(pictures()), trainer(pictures())
    whole.run_to(4)
    seen: list[int] = []
    for epoch in range(1, 5):
        steps.run_to(epoch, seen.append)
    steps.run_to(2)  # already there
    assert seen == [1, 2, 3, 4]
    assert bits(whole) == bits(steps)


@pytest.mark.parametrize("name", SETTINGS)
def test_global_generators_are_left_alone(name: str) -> None:
    task, recipe, changes = SETTINGS[name]
    made = task()
    torch_before, numpy_before = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    trainer(made, recipe, **changes).run_to(2)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert repr(np.random.get_state()) == numpy_before  # noqa: NPY002


def test_global_generators_have_no_say() -> None:
    first = trainer(with_drops())
    first.run_to(1)
    torch.manual_seed(1234)
    np.random.seed(1234)  # noqa: NPY002
    second = trainer(with_drops())
    torch.rand(3)
    second.run_to(1)
    assert bits(first) == bits(second)


class Records(nn.Module):
    """Notes how many units its dropout leaves in each training step."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(64, 10)
        self.masks: list[bytes] = []

    def forward(self, x: Tensor) -> Tensor:
        kept = self.drop(torch.ones_like(x.flatten(1)))
        self.masks.append(kept.numpy().tobytes())
        return self.head(x.flatten(1) * kept)


def test_dropout_draws_anew_in_every_step_and_epoch() -> None:
    first, second = (trainer(replace(pictures(), model=Records), Recipe(), seed=s) for s in (1, 2))
    masks: list[bytes] = []
    for t in (first, second):
        t.run_to(3)
        assert isinstance(t.model, Records)
        masks += t.model.masks
    assert len(set(masks)) == len(masks) == 2 * 3 * 4


def test_batch_norm_of_the_user_in_eval_mode_is_trained_as_a_whole() -> None:
    """Training mode is the loop's to set: whatever mode the function hands the model over in."""

    def in_eval() -> nn.Module:
        return Drops().eval()

    first, second = trainer(with_drops()), trainer(replace(with_drops(), model=in_eval))
    for t in (first, second):
        t.run_to(1)
    assert bits(first) == bits(second)


# ── augmentation ──


def augmented(batch_size: int, monkeypatch: pytest.MonkeyPatch, together: int = 2**21) -> dict[int, bytes]:
    """What each row looks like in the second epoch, by row; every picture carries its number in a corner."""
    monkeypatch.setattr("gapless.train.loop.VARIED_TOGETHER", together)
    task = pictures()
    x = task.develop.x.copy()
    x[:, 0, 0, 0] = np.arange(len(x))
    task = replace(task, develop=replace(task.develop, x=x))
    recipe = Recipe(augment=Augment(ops=(Op(op="brightness", strength=0.5), Op(op="contrast", strength=0.5))))
    t = trainer(task, recipe, batch_size=batch_size, rows=60)
    seen: dict[int, bytes] = {}
    order: list[int] = []
    raw, normal = Feed.raw, Feed.normal

    def note_rows(self: Feed, index: Tensor) -> Tensor:
        order.extend(index.tolist())
        return raw(self, index)

    def note_pictures(self: Feed, pictures: Tensor) -> Tensor:
        for row, picture in zip([order.pop(0) for _ in range(len(pictures))], pictures, strict=True):
            seen[row] = picture.numpy().tobytes()
        return normal(self, pictures)

    t.run_to(1)
    monkeypatch.setattr(Feed, "raw", note_rows)
    monkeypatch.setattr(Feed, "normal", note_pictures)
    t.run_to(2)
    monkeypatch.undo()
    return seen


def test_augmentation_of_a_row_depends_on_no_other_row(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [augmented(batch, monkeypatch) for batch in (7, 16, 60)]
    assert len(found[0]) == 60
    assert found[0] == found[1] == found[2]
    assert found[0] == augmented(7, monkeypatch, together=1)  # nor on how many are varied in one go


def test_augmentation_differs_between_epochs_and_rows() -> None:
    task = pictures()
    same = replace(task.develop, x=np.repeat(task.develop.x[:1], len(task.develop), 0))
    t = trainer(replace(task, develop=same), Recipe(augment=Augment(ops=(Op(op="rotate", strength=90.0),))))
    batches = [np.arange(30), np.arange(30, 60)]
    seen: set[bytes] = set()
    for t.epoch in (0, 1):
        for inputs, _ in t._varied(batches):  # pyright: ignore[reportPrivateUsage]  # what the model is shown
            seen |= {row.numpy().tobytes() for row in inputs}
    assert len(seen) > 110  # of 120; a small angle may round to the picture itself


# ── schedule ──


@pytest.mark.parametrize(("warmup", "epochs"), [(0.05, 10), (0.3, 4), (0.0, 3), (0.05, 1)])
def test_schedule(warmup: float, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line up over the warm-up times half a cosine to 0, step by step."""
    t = trainer(pictures(), Recipe(), lr=0.02, epochs=epochs, warmup=warmup)
    rates: list[float] = []
    step = t.optimizer.step

    def noted() -> None:
        rates.append(t.optimizer.param_groups[0]["lr"])
        step()

    monkeypatch.setattr(t.optimizer, "step", noted)
    t.run_to(epochs)
    steps = epochs * 4  # 60 rows in batches of about 16
    assert len(rates) == steps
    warm = max(1.0, warmup * steps)
    expected = [0.02 * min(1.0, (i + 1) / warm) * (1 + math.cos(math.pi * i / steps)) / 2 for i in range(steps)]
    assert rates == pytest.approx(expected)
    assert 0 < rates[-1] < 0.02 * (math.pi / steps) ** 2 + 1e-12  # the last step is next to nothing
    assert max(rates) <= 0.02
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)


@pytest.mark.parametrize(("rows", "batch_size"), [(60, 16), (5, 64), (7, 2), (3, 2), (9, 4), (64, 64), (97, 64)])
def test_an_epoch_shows_every_row_once_in_batches_of_two_or_more(
    rows: int, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch norm needs two rows; equal batches leave no small rest."""
    t = trainer(pictures(100), Recipe(batchnorm=BatchNorm(insert=True)), rows=rows, batch_size=batch_size)
    shown: list[list[int]] = []
    raw = Feed.raw

    def noted(self: Feed, index: Tensor) -> Tensor:
        shown.append(index.tolist())
        return raw(self, index)

    monkeypatch.setattr(Feed, "raw", noted)
    monkeypatch.setattr("gapless.train.loop.VARIED_TOGETHER", 1)
    t.run_to(1)
    assert sorted(row for batch in shown for row in batch) == list(range(rows))
    sizes = [len(batch) for batch in shown]
    assert min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) < 1.5 * batch_size + 1


# ── averaged weights ──


def test_averaged_weights_are_the_ones_judged() -> None:
    plain, averaged = trainer(pictures(), Recipe()), trainer(pictures(), Recipe(), ema=0.5)
    expected: dict[str, Tensor] = {}

    def follow() -> None:
        for name, p in plain.model.named_parameters():
            new = p.detach().clone()
            expected[name] = 0.5 * expected[name] + 0.5 * new if name in expected else new

    step = plain.optimizer.step

    def noted() -> None:
        step()
        follow()

    plain.optimizer.step = noted  # pyright: ignore[reportAttributeAccessIssue]  # to look in after every step
    plain.run_to(2)
    averaged.run_to(2)
    assert plain.judged is plain.model
    assert averaged.judged is not averaged.model
    for name, p in averaged.judged.named_parameters():
        torch.testing.assert_close(p, expected[name])
    for name, p in averaged.model.named_parameters():
        assert torch.equal(p, plain.model.get_parameter(name))  # averaging watches, it does not steer


def test_averaging_leaves_column_numbers_alone() -> None:
    t = trainer(table(), FOR_TABLES, ema=0.9)
    t.run_to(4)
    for name in ("codes", "numeric"):
        assert torch.equal(t.judged.get_buffer(name), t.model.get_buffer(name))
    assert t.judged.get_buffer("codes").tolist() == [1]


# ── divergence ──


class Explodes(nn.Module):
    """Finite at first; the loss is NaN once the weight has moved far."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        far = float(self.weight.detach().abs().max()) > 0.2
        return x.flatten(1) @ self.weight * (math.nan if far else 1.0)


def test_nan_ends_a_training_with_epoch_and_learning_rate() -> None:
    task = replace(pictures(), model=Explodes, model_name="Explodes")
    t = trainer(task, Recipe(), lr=0.05, epochs=20)
    with pytest.raises(Diverged, match=r"^the loss became nan in epoch \d+ at learning rate 0.05$") as caught:
        t.run_to(20)
    assert f"epoch {t.epoch} " in str(caught.value)
    assert 1 < t.epoch < 20


def test_infinite_loss_ends_a_training() -> None:
    t = trainer(table(outputs=0), Recipe(), lr=1e9, epochs=20, optimizer="sgd")
    with pytest.raises(Diverged, match=r"the loss became (inf|nan) in epoch"):
        t.run_to(20)


# ── the rest ──


def test_build_draws_weights_from_its_seed_alone() -> None:
    task = pictures()
    before = torch.get_rng_state()
    a, b, c = (build(task, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(next(a.parameters()), next(b.parameters()))
    assert not torch.equal(next(a.parameters()), next(c.parameters()))


def test_training_learns() -> None:
    """Not a benchmark: the plain model fits its rows, and a regression its line."""
    from gapless.train.scores import score

    t = trainer(pictures(width=16), Recipe(), lr=0.01, epochs=30)
    t.run_to(30)
    assert score(t.judged, t.feed, np.arange(60)).mean > 0.95
    t = trainer(table(outputs=0), Recipe(), lr=0.01, epochs=30)
    t.run_to(30)
    assert score(t.judged, t.feed, np.arange(60)).mean > 0.9
