"""One piece of work: what it trains and scores, and how it ends when something goes wrong."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_tasks import pictures, table, texts
from torch import Tensor, nn

from gapless.data import Task
from gapless.data.splits import select_split
from gapless.errors import DataError, UsageError
from gapless.models import ModelOptions, choose
from gapless.recipe import Recipe, preset
from gapless.run.job import Job, Outcome, run
from gapless.search.space import knobs
from gapless.search.supported import check, check_device, only, supported
from gapless.train.batches import Feed
from gapless.train.loop import Plan

PLAN = Plan(6, 16)
STRONG = preset("image", "strong")


def job(folder: Path, split: int | None = 0, until: int = 6, curve: bool = False, speed: bool = False) -> Job:
    return Job(3, STRONG, 0.01, 7, split, 6, until, folder / "c.safetensors", curve=curve, speed=speed)


def done(job: Job, task: Task | None = None, stop: Callable[[], bool] = lambda: False) -> Outcome:
    return run(job, task or pictures(60), 0, PLAN, stop)


def test_it_trains_on_its_split_and_is_scored_on_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row of select is trained on, and no row of confirm is looked at."""
    task, seen = pictures(60), set[int]()
    raw = Feed.raw

    def noted(self: Feed, index: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            seen.update(index.tolist())
        assert len(self) == 60, "the confirm rows were opened"
        return raw(self, index)

    monkeypatch.setattr(Feed, "raw", noted)
    outcome = done(job(tmp_path, split=3), task)
    train, select = select_split(task.develop.y, 3, 0)
    assert seen == set(train.tolist())
    assert not seen & set(select.tolist())
    assert outcome.score in {n / len(select) for n in range(len(select) + 1)}
    assert outcome.train_score in {n / len(train) for n in range(len(train) + 1)}


def test_without_a_split_it_trains_on_all_and_opens_confirm(tmp_path: Path) -> None:
    task = pictures(60)
    outcome = done(job(tmp_path, split=None), task)
    assert task.confirm is not None
    assert outcome.train_each is not None
    assert outcome.confirm_each is not None
    assert (len(outcome.train_each), len(outcome.confirm_each)) == (60, len(task.confirm))
    assert outcome.score == pytest.approx(float(outcome.confirm_each.mean()))


def test_curve(tmp_path: Path) -> None:
    outcome = done(job(tmp_path, curve=True))
    epochs = [point[0] for point in outcome.curve]
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == 6
    assert outcome.curve[-1][1:] == (outcome.train_score, outcome.score)
    plain = done(job(tmp_path))
    assert plain.curve == ()
    assert (plain.score, plain.loss) == (outcome.score, outcome.loss)  # looking on changes nothing


def test_speed_is_measured_and_leaves_nothing(tmp_path: Path) -> None:
    outcome = run(job(tmp_path, speed=True), pictures(60), 0, replace(PLAN, epochs=10**6), lambda: False)
    assert outcome.status == "done"
    assert outcome.seconds > 0
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_trained_anew(tmp_path: Path) -> None:
    whole = done(job(tmp_path))
    (tmp_path / "c.safetensors").write_bytes(b"torn")
    again = done(job(tmp_path))
    assert replace(again, seconds=0.0) == replace(whole, seconds=0.0)
    assert not (tmp_path / "c.safetensors").exists()


def test_a_checkpoint_that_cannot_be_saved_is_no_failure_of_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    outcome = done(job(tmp_path, until=2))
    assert outcome.status == "unsaved"
    assert "No space left on device" in outcome.reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("no"), "RuntimeError: no"),
        (SystemExit(3), "SystemExit: 3"),
        (DataError("gone"), "gone"),
        (KeyError("x" * 900), None),
    ],
)
def test_what_a_model_raises_is_the_reason(error: BaseException, reason: str | None, tmp_path: Path) -> None:
    def broken() -> nn.Module:
        raise error

    outcome = done(job(tmp_path), replace(pictures(60), model=broken))
    assert outcome.status == "failed"
    assert outcome.number == 3
    assert outcome.reason == reason or (reason is None and len(outcome.reason) == 500)


def test_ctrl_c_is_no_failure(tmp_path: Path) -> None:
    def interrupted() -> nn.Module:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        done(job(tmp_path), replace(pictures(60), model=interrupted))


# ── what a model can take ──


def names(task: Task) -> set[str]:
    return {k.name for k in supported(task)}


def one_layer() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def with_norm() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


def test_knobs_that_a_model_has_a_place_for() -> None:
    every = {k.name for k in knobs("image", 10)}
    assert names(pictures(60)) == every
    assert every - names(pictures(60, "mlp")) == {"channel dropout"}
    assert every - names(replace(pictures(60), model=one_layer)) == {"dropout", "channel dropout", "batch norm"}
    assert every - names(replace(pictures(60), model=with_norm)) == {"channel dropout", "batch norm"}
    assert names(table()) == {k.name for k in knobs("table", 3)}


def test_other_words_are_turned_where_the_task_has_them() -> None:
    task = texts(60)
    other = {"back translation", "contextual"}
    assert not names(task) & other
    rows: list[str] = task.develop.x.tolist()
    none = dict.fromkeys(rows, ())
    some = none | {rows[0]: ("other words",)}
    assert not names(replace(task, paraphrases={"back_translate": none})) & other, "there is nothing to pick from"
    assert names(replace(task, paraphrases={"back_translate": some})) & other == {"back translation"}
    assert names(replace(task, paraphrases={"back_translate": none, "contextual": some})) & other == {"contextual"}


def test_a_recipe_keeps_what_the_model_can_take() -> None:
    kept = supported(replace(pictures(60), model=one_layer))
    fitted = only(STRONG, kept, "image", 10)
    assert fitted.pillars() == ("decay", "augment")
    assert fitted.augment == STRONG.augment
    assert only(STRONG, supported(pictures(60)), "image", 10) == STRONG
    assert only(Recipe(), kept, "image", 10) == Recipe()


def test_check_counts_what_is_trained() -> None:
    for task in (pictures(60), table(), table(outputs=0)):
        assert task.model is not None
        assert check(task) == sum(p.numel() for p in task.model().parameters())
    _, build = choose("resnet", "image", (1, 8, 8), 10, options=ModelOptions(4))

    def half_frozen() -> nn.Module:
        model = build()
        model.get_submodule("stem").requires_grad_(False)
        return model

    assert check(replace(pictures(60), model=half_frozen)) == check(replace(pictures(60), model=build)) - 40


def test_devices() -> None:
    check_device("cpu")
    for name in ("abacus", "cuda:99", "meta:x"):
        with pytest.raises(UsageError, match=f"--device {name}: torch cannot use it here"):
            check_device(name)


def test_rows_of_a_split_are_those_of_the_seed() -> None:
    y = pictures(60).develop.y
    assert np.array_equal(select_split(y, 2, 5)[1], select_split(y, 2, 5)[1])
    assert not np.array_equal(select_split(y, 2, 5)[1], select_split(y, 2, 6)[1])
