"""train.py: the program of the run folder is run, for every kind of data, and trains as the run's own loop does."""

from __future__ import annotations

import math
import re
import runpy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_tasks import pictures, table, texts

from gapless.augment.text import Resources
from gapless.data import Task
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Op, Recipe
from gapless.report.handover.program import Handed, Source, program
from gapless.search.options import TuneOptions
from gapless.train.loop import Plan, Trainer
from gapless.train.scores import score
from gapless.train.texts import Encodes

EPOCHS, LR = 6, 0.02
SHOWN = Recipe(
    dropout=Dropout(hidden=0.1),
    batchnorm=BatchNorm(insert=True),
    decay=Decay(strength=0.05),
    augment=Augment(ops=(Op(op="rotate", strength=10.0),), mixup=0.2, cutmix=0.5, label_smoothing=0.1),
)
ROWS = Recipe(dropout=Dropout(hidden=0.1), decay=Decay(strength=0.05), augment=Augment(noise=0.1, mixup=0.2))
WORDS = Recipe(decay=Decay(strength=0.05), augment=Augment(ops=(Op(op="delete", strength=0.1, p=0.5),), mixup=0.2))
TRANSLATED = Recipe(augment=Augment(ops=(Op(op="back_translate", strength=1.0, p=0.5),)))


def written(
    folder: Path, task: Task, recipe: Recipe, source: Source | None = None, **changes: Any
) -> tuple[str, dict[str, Any]]:
    """The program in a folder with its recipe, and what it defines."""
    options = TuneOptions(folder, translator=changes.pop("translator", None))
    plan = Plan(EPOCHS, 16, **changes)
    code = program(task, Handed(recipe, LR, EPOCHS), plan, options, source)
    (folder / "recipe.toml").write_text(recipe.to_toml())
    (folder / "train.py").write_text(code)
    return code, runpy.run_path(str(folder / "train.py"), run_name="train")


def inputs(task: Task, part: str = "develop") -> tuple[Any, torch.Tensor]:
    """x and y as the program takes them."""
    rows = getattr(task, part)
    x = rows.x.tolist() if task.kind == "text" else torch.tensor(rows.x)
    return (x.permute(0, 3, 1, 2) if task.kind == "image" else x), torch.tensor(rows.y)


@pytest.mark.parametrize(
    ("make", "recipe"), [(pictures, SHOWN), (table, ROWS), (texts, WORDS)], ids=["pictures", "table", "texts"]
)
def test_it_trains_as_well_as_the_run_does(make: Any, recipe: Recipe, tmp_path: Path) -> None:
    """On the same rows, with other draws: the score on new rows is that of the run's loop, give or take chance."""
    task: Task = make()
    assert task.confirm is not None and task.model is not None
    _, scope = written(tmp_path, task, recipe)
    rights: list[float] = []
    for seed in range(3):
        torch.manual_seed(seed)
        predict = scope["train"](*inputs(task), task.model())
        x, y = inputs(task, "confirm")
        rights.append(float((predict(x) == y).float().mean()))
    owns: list[float] = []
    for seed in range(3):
        plan = Plan(EPOCHS, 16)
        trainer = Trainer(task, np.arange(len(task.develop)), recipe, LR, seed, plan, task.develop)
        trainer.run_to(EPOCHS)
        from gapless.train.loop import feed_of

        feed = feed_of(task.confirm, trainer.scale, len(task.classes), trainer.device)
        owns.append(score(trainer.judged, feed).mean)
    assert abs(np.mean(rights) - np.mean(owns)) < 0.15
    assert np.mean(rights) > 1.3 / len(task.classes)


def test_a_regression_answers_in_the_targets_unit(tmp_path: Path) -> None:
    task = table(outputs=0)
    assert task.model is not None
    _, scope = written(tmp_path, task, ROWS)
    predict = scope["train"](*inputs(task), task.model())
    x, y = inputs(task, "confirm")
    off = (predict(x) - y).abs().mean()
    assert off < 0.6 * (y - y.mean()).abs().mean()


def test_the_learning_rate_is_that_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, the program sets what the run's loop sets."""
    task = pictures()
    assert task.model is not None
    seen: list[float] = []
    step = torch.optim.AdamW.step

    def noted(self: torch.optim.AdamW, *given: Any) -> Any:
        seen.append(self.param_groups[0]["lr"])
        return step(self, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    recipe = Recipe(augment=Augment(label_smoothing=0.1))
    Trainer(task, np.arange(len(task.develop)), recipe, LR, 0, Plan(EPOCHS, 16), task.develop).run_to(EPOCHS)
    own, seen[:] = list(seen), []
    _, scope = written(tmp_path, task, recipe)
    scope["train"](*inputs(task), task.model())
    assert len(own) == len(seen) == EPOCHS * 5
    assert seen == pytest.approx(own, rel=1e-6)
    assert max(own) > 0.9 * LR and own[0] < own[1] and math.isclose(own[-1], min(own))


def test_averaged_weights_and_sgd(tmp_path: Path) -> None:
    task = table()
    assert task.model is not None
    code, scope = written(tmp_path, task, ROWS, optimizer="sgd", ema=0.9)
    assert 'recipe.optimizer(model, lr=LR, kind="sgd")' in code
    model = task.model()
    predict = scope["train"](*inputs(task), model)
    averages = [torch.zeros(3), torch.tensor([5, 7])]
    scope["averaging"](averages, [torch.ones(3), torch.tensor([4, 9])], 1)
    assert torch.allclose(averages[0], torch.full((3,), 0.1)) and averages[1].tolist() == [4, 9]
    x, _ = inputs(task, "confirm")
    with torch.no_grad():
        last = model.eval()(x).argmax(1)
    assert len(predict(x)) == len(x)
    assert not torch.equal(predict(x), last), "what answers is the average, not the last weights"


def test_run_from_a_shell_it_loads_its_data_and_says_what_it_is_worth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = pictures()
    source = Source(
        'with_model(gapless.load("digits", train_size=80), None, ModelOptions(width=4))',
        ("from gapless.data.task import with_model", "from gapless.models import ModelOptions"),
    )
    written(tmp_path, task, SHOWN, source)
    runpy.run_path(str(tmp_path / "train.py"), run_name="__main__")
    found = re.fullmatch(r"(\d+\.\d)% of 1,717 new rows are right\n", capsys.readouterr().out)
    assert found and float(found[1]) > 20


# ── paraphrases ──


def noted(task: Task, shown: list[str]) -> Any:
    """The task's model, which notes what it is shown."""
    assert task.model is not None
    net = task.model()
    assert isinstance(net, Encodes)
    encode = net.encode

    def heard(given: Sequence[str]) -> object:
        shown.extend(given)
        return encode(given)

    net.__dict__["encode"] = heard
    return net


def test_paraphrases_that_the_task_brought_are_given(tmp_path: Path) -> None:
    task = texts(40)
    found = {text: (f"They said: {text}",) for text in task.develop.x.tolist()}
    task = replace(task, paraphrases={"back_translate": found})
    code, scope = written(tmp_path, task, TRANSLATED, Source("t"))
    assert "def train(x, y, model, paraphrases):" in code and "train(x, y, task.model(), task.paraphrases)" in code
    shown: list[str] = []
    x, y = inputs(task)
    scope["train"](x, y, noted(task, shown), task.paraphrases)
    assert 0.2 < np.mean([text.startswith("They said") for text in shown]) < 0.8
    assert Resources is scope["Resources"]
    without, _ = written(tmp_path, task, WORDS)
    assert "paraphrases" not in without


def test_every_maker_is_named(tmp_path: Path) -> None:
    part = Augment(ops=(*TRANSLATED.augment.ops, Op(op="contextual", strength=1.0)), pick=1)
    options = TuneOptions(tmp_path, translator="apertium", masked_model=Path("bert"))
    code = program(texts(), Handed(Recipe(augment=part), LR, EPOCHS), Plan(EPOCHS), options, None)
    compile(code, "train.py", "exec")
    assert "from gapless.data.paraphrases import back_translations, masked_variants\n" in code
    assert "paraphrases = {}\n" in code and "masked_variants(x, 'bert')" in code
    assert "def train(x, y, model):" in code
