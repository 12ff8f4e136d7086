"""The trainings of the playground: gapless's own, one at a time, gone when they are over."""

import base64
import gc
import json
import threading
import time
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
from live_server import asked, serving

from gapless.data import Rows, Task
from gapless.data.readers.builtin import digits
from gapless.data.splits import complete
from gapless.errors import UsageError
from gapless.lab.worlds import tumours
from gapless.live.playground.challenges import CHALLENGES, Challenge
from gapless.live.playground.looks import SIDE
from gapless.live.playground.page import site
from gapless.live.playground.settings import Settings
from gapless.live.playground.training import Stage
from gapless.live.playground.worlds import fits, world
from gapless.recipe import Recipe
from gapless.train.loop import Diverged, Plan, Trainer
from gapless.train.scores import score

QUICK = {"rows": 20, "epochs": 4, "width": 8, "batch": 8}
ALL = {"hidden": 0.5, "input": 0.1, "batchnorm": True, "decay": 0.1, "mixup": 0.2, "smoothing": 0.1}


def told(stage: Stage | None = None, **settings: Any) -> list[dict[str, Any]]:
    return list((stage or Stage(pace=0)).train({**QUICK, **settings}))


def test_what_trains_is_what_gapless_trains() -> None:
    settings = Settings.of({**QUICK, **ALL, "jitter": 0.2})
    documents = told(**ALL, jitter=0.2)
    recipe = Recipe.from_toml(documents[0]["recipe"])
    assert recipe == settings.recipe(False) and recipe.pillars() == ("dropout", "batchnorm", "decay", "augment")
    task = world(settings, None)
    trainer = Trainer(task, np.arange(20), recipe, settings.lr, 0, Plan(4, settings.batch), task.develop)
    trainer.run_to(4)
    assert documents[-1]["train"] == round(score(trainer.model, trainer.feed).mean, 4)
    lengths = [float(m.weight.detach().norm()) for m in trainer.model.modules() if type(m).__name__ == "Linear"]
    assert [length for _, length in documents[-2]["norms"]] == pytest.approx(lengths, abs=1e-3)
    assert told(**ALL, jitter=0.2) == documents, "looking at a training draws nothing of it"


def test_frames_show_scores_the_plane_noise_and_doubt() -> None:
    first, *frames, end = told(**ALL)
    assert end["end"] == "finished" and [f["epoch"] for f in frames] == [1, 2, 3, 4]
    assert len(first["points"]["x"]) == 20 and first["classes"] == ["orange", "green"]
    assert len(base64.b64decode(frames[-1]["plane"])) == len(base64.b64decode(frames[-1]["doubts"])) == SIDE * SIDE
    assert 0 < frames[-1]["doubt"][0] < 1 and frames[-1]["noise"] > 0
    plain = told()[-2]
    assert "doubt" not in plain and "noise" not in plain


def test_smaller_batches_have_noisier_statistics() -> None:
    def noise(batch: int) -> float:
        frames = told(rows=200, batch=batch, batchnorm=True, epochs=3)[1:-1]
        return float(np.mean([f["noise"] for f in frames]))

    small, large = noise(4), noise(64)
    assert small > 2 * large, "about 1 / the root of the batch"


def test_pictures_are_shown_as_the_network_gets_them() -> None:
    first, *frames, _ = told(data="digits", rotate=90, epochs=5)
    assert first["pictures"] != frames[-1]["varied"] and first["kind"] == "image"
    same = told(data="digits", epochs=5)
    assert same[0]["pictures"] == same[-2]["varied"] == first["pictures"]


def test_a_readers_own_data() -> None:
    stage = Stage(complete(digits(), 80, 0), pace=0)
    first, *_, end = told(stage, data="own", epochs=2)
    assert first["rows"] == 20 and first["model"] == "cnn" and end["end"] == "finished"
    first, frame, *_ = told(Stage(tumours(), pace=0), data="own", epochs=2)
    assert first["kind"] == "table" and "plane" not in frame and "pictures" not in first
    with pytest.raises(UsageError, match="--data DATA"):
        told(data="own")
    with pytest.raises(UsageError, match="takes pictures and tables"):
        fits(Task("prices", Rows(np.zeros((8, 2), np.float32), np.arange(8, dtype=np.float32))))


@pytest.mark.parametrize(
    ("sent", "said"),
    [({"hidden": 2}, "hidden"), ({"width": 0}, "width"), ({"hiden": 0.1}, "hiden"), ({"lr": None}, "lr")],
)
def test_settings_that_cannot_be_are_said(sent: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        told(**sent)


def test_a_training_that_diverges_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverged(self: Trainer, epoch: int) -> None:
        raise Diverged("the loss became nan in epoch 1 at learning rate 1")

    monkeypatch.setattr(Trainer, "run_to", diverged)
    assert told()[-1] == {"end": "diverged", "why": ANY} and "smaller learning rate" in told()[-1]["why"]


def trainers() -> set[int]:
    """All there are in this process."""
    gc.collect()
    return {id(thing) for thing in gc.get_objects() if type(thing) is Trainer}


def test_several_trainings_leave_nothing() -> None:
    stage, threads, before = Stage(pace=0), threading.active_count(), trainers()
    for _ in range(3):
        told(stage, **ALL)
    half = stage.train({**QUICK, "epochs": 500})
    next(half)
    assert stage.trainings == 1 and len(trainers() - before) == 1
    half.close()
    assert trainers() <= before
    assert stage.trainings == 0 and threading.active_count() <= threads


def test_the_newest_takes_the_place_of_the_one_before() -> None:
    stage = Stage(pace=0)
    old = stage.train({**QUICK, "epochs": 1000})
    next(old)
    heard: list[dict[str, Any]] = []
    other = threading.Thread(target=lambda: heard.extend(told(stage)))
    other.start()
    ends = [document for document in old if "end" in document]
    other.join()
    assert ends == [{"end": "replaced"}] and heard[-1]["end"] == "finished" and stage.trainings == 0


def test_a_closed_connection_stops_the_training() -> None:
    stage = Stage(pace=0)
    with serving(site(stage)) as server:
        with asked(server, "/train", {**QUICK, "epochs": 1000}) as answer:
            assert "recipe" in json.loads(answer.readline())
            assert stage.trainings == 1
        while stage.trainings:
            time.sleep(0.01)


# ── challenges ──

SOLVED = {
    "overfit": {"rows": 20, "flipped": 0.3, "width": 128, "depth": 3},
    "close": {"decay": 10},
    "digits": {"rotate": 15, "shift": 0.1, "scale": 0.1, "batchnorm": True},
}


def solved(challenge: Challenge, end: dict[str, Any]) -> bool:
    gap = 100 * (end["train"] - end["new"])
    wanted = [
        challenge.train is None or end["train"] >= challenge.train,
        challenge.new is None or end["new"] >= challenge.new,
        challenge.widest is None or gap <= challenge.widest,
        challenge.narrowest is None or gap >= challenge.narrowest,
    ]
    return all(wanted)


@pytest.mark.parametrize("challenge", CHALLENGES, ids=lambda c: c.name)
def test_a_challenge_begins_unsolved_and_can_be_solved(challenge: Challenge) -> None:
    stage = Stage(pace=0)
    assert set(challenge.fixed) <= set(Settings.model_fields)
    assert not set(challenge.fixed) & set(SOLVED[challenge.name]) or challenge.name == "overfit"
    *_, before = stage.train(challenge.settings)
    *_, after = stage.train({**challenge.settings, **SOLVED[challenge.name]})
    assert not solved(challenge, before) and solved(challenge, after), (before, after)
