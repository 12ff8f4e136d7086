"""A trained model: fitted on all rows, written, read back, asked; and what happens when its files are not right."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tasks import pictures, table, texts
from torch import Tensor, nn

from gapless.data import Task
from gapless.errors import DataError
from gapless.recipe import Recipe, preset
from gapless.train.fitting import Training, fit, temperature
from gapless.train.loop import Plan
from gapless.train.texts import Remembers
from gapless.train.trained import TrainedModel, load_model

TASKS = {
    "a table": lambda: table(),
    "a regression": lambda: table(outputs=0),
    "texts": lambda: texts(),
    "texts, by convolutions": lambda: texts(word="text-cnn"),
    "numbers of texts": lambda: texts(outputs=0),
}


def trained(task: Task, recipe: Recipe | None = None, epochs: int = 2) -> TrainedModel:
    recipe = preset(task.kind, "light") if recipe is None else recipe
    return fit(task, Training(recipe, 1e-2, Plan(epochs, 16)))


def small_pictures() -> Task:
    task = pictures(40)
    assert task.confirm is not None
    return replace(task, confirm=task.confirm.take(np.arange(40)))


def asked(task: Task) -> object:
    assert task.confirm is not None
    x = task.confirm.x[:7]
    return x.tolist() if task.kind == "text" else x


@pytest.mark.parametrize("kind", [*TASKS, "pictures"])
def test_what_is_read_back_answers_as_what_was_saved(kind: str, tmp_path: Path) -> None:
    task = small_pictures() if kind == "pictures" else TASKS[kind]()
    assert task.confirm is not None
    model = trained(task)
    assert model.about["rows"] == len(task.develop) + len(task.confirm)
    assert model.held_out.rows == model.about["rows"]  # so few that each fifth was held out once
    model.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    back = load_model(tmp_path)
    assert back.held_out == model.held_out
    assert not back.module.training
    first, second = model.predictions(asked(task)), back.predictions(asked(task))
    assert first.columns() == second.columns()
    if task.classes:
        assert set(first.answers) <= set(task.classes)
        assert first.probabilities is not None
        np.testing.assert_allclose(first.probabilities.sum(1), 1)
        assert [task.classes[i] for i in first.probabilities.argmax(1)] == first.answers.tolist()
    else:
        with pytest.raises(DataError, match="a regression has no probabilities"):
            model.probabilities(asked(task))


def test_a_regression_answers_in_the_unit_of_the_target() -> None:
    task = table(rows=150, outputs=0)
    assert task.confirm is not None
    model = trained(task, Recipe(), epochs=30)
    off = np.abs(model.predict(task.confirm.x) - task.confirm.y)
    assert np.median(off) < 0.5 * task.confirm.y.std()
    assert 0.7 < (off <= model.held_out.within).mean() <= 1
    found = model.predictions(task.confirm.x[:2]).columns()
    assert found["high"][0] - found["low"][0] == pytest.approx(2 * model.held_out.within)


def test_two_trainings_are_one() -> None:
    first, second = trained(table()), trained(table())
    x = table().develop.x[:5]
    np.testing.assert_array_equal(first.probabilities(x), second.probabilities(x))


def test_averaged_weights_are_those_that_are_saved(tmp_path: Path) -> None:
    task = table()
    model = fit(task, Training(Recipe(), 1e-2, Plan(2, 16, ema=0.9)))
    model.save(tmp_path)  # checks itself
    assert load_model(tmp_path).about["averaging of weights"] == 0.9


# ── probabilities ──


@given(scale=st.floats(0.2, 5), seed=st.integers(0, 100))
@settings(max_examples=8)
def test_the_temperature_of_scores_that_are_too_sure_is_found(scale: float, seed: int) -> None:
    """Labels drawn with the probabilities of the scores: scores times a number need that number as temperature."""
    rng = torch.Generator().manual_seed(seed)
    outputs = torch.randn(2000, 3, generator=rng, dtype=torch.float64) * 2
    labels = torch.multinomial(outputs.softmax(1), 1, generator=rng)[:, 0]
    assert temperature(outputs * scale, labels) == pytest.approx(scale, rel=0.2)


def test_few_rows_that_are_all_right_do_not_make_certain() -> None:
    outputs = torch.tensor([[2.0, 0.0], [0.0, 2.0]] * 5, dtype=torch.float64)
    found = (outputs / temperature(outputs, torch.tensor([0, 1] * 5))).softmax(1).max(1).values
    assert found.max() < 0.95  # 11 of 12, as Platt has it


# ── networks of the user's own ──


def network() -> nn.Module:
    """A function of the user's."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def other_network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 3))


def test_a_function_is_run_only_when_it_is_named(tmp_path: Path) -> None:
    model = trained(replace(table(), model=network, model_name="network"), Recipe())
    model.save(tmp_path)
    with pytest.raises(DataError, match=rf"built by {__name__}:network, which is code.*--model {__name__}:network"):
        load_model(tmp_path)
    x = table().develop.x[:4]
    for named in (network, f"{__name__}:network"):
        np.testing.assert_array_equal(load_model(tmp_path, named).predict(x), model.predict(x))
    with pytest.raises(DataError, match=r"another one than was trained: size mismatch for 2\.weight"):
        load_model(tmp_path, other_network)


class Reader(nn.Module):
    """Counts words that it takes from its texts, and keeps them where no file finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(30, 2)
        self.words: dict[str, int] = {}

    def learn(self, texts: list[str]) -> None:
        words = sorted({word for text in texts for word in text.split()})
        self.words = {word: i % 30 for i, word in enumerate(words)}

    def encode(self, texts: list[str]) -> Tensor:
        counts = torch.zeros(len(texts), 30)
        for row, text in enumerate(texts):
            for word in text.split():
                counts[row, self.words.get(word, 0)] += 1
        return counts

    def forward(self, counts: Tensor) -> Tensor:
        return self.head(counts)


class TellingReader(Reader):
    """The same, and it tells."""

    def learned(self) -> dict[str, int]:
        return self.words

    def remember(self, learned: dict[str, int]) -> None:
        self.words = learned


def test_what_a_model_learns_from_texts_and_does_not_tell_is_missed_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be saved: Reader read back.*learned\(\) returns it"):
        trained(replace(texts(), model=Reader, model_name="Reader"), Recipe()).save(tmp_path)
    assert isinstance(TellingReader(), Remembers)
    model = trained(replace(texts(), model=TellingReader, model_name="TellingReader"), Recipe())
    model.save(tmp_path)
    said = ["The story was splendid.", "dull people"]
    np.testing.assert_array_equal(load_model(tmp_path, TellingReader).predict(said), model.predict(said))


# ── files that are not right ──


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    trained(table(), Recipe(), 1).save(folder)
    return folder


def copied(saved: Path, folder: Path) -> Path:
    for path in saved.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no trained model .*name a run's folder"):
        load_model(tmp_path)
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(DataError, match="gapless fit RUN trains it without a new search"):
        load_model(tmp_path)


def test_weights_of_another_model_are_refused(saved: Path, tmp_path: Path) -> None:
    folder = copied(saved, tmp_path)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"damaged, or of another model than model\.json"):
        load_model(folder)
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        load_model(folder)


@settings(max_examples=25)
@given(data=st.data())
def test_every_fact_that_is_gone_or_wrong_is_told(
    saved: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever of model.json is taken out or exchanged: a DataError, or the model as it was."""
    folder = copied(saved, tmp_path_factory.mktemp("wrong"))
    place = document = json.loads((folder / "model.json").read_text())
    for _ in range(data.draw(st.integers(0, 2))):
        inner = [key for key, value in place.items() if isinstance(value, dict) and value]
        if inner:
            place = place[data.draw(st.sampled_from(inner))]
    key = data.draw(st.sampled_from(sorted(place)))
    if data.draw(st.booleans()):
        del place[key]
    else:
        place[key] = data.draw(st.sampled_from([None, "x", -1, [], {}, [{}], "gapless:tune", 1e9]))
    (folder / "model.json").write_text(json.dumps(document))
    try:
        model = load_model(folder)
    except DataError as error:
        assert str(folder) in str(error)
    else:
        assert isinstance(model, TrainedModel)


def test_a_file_that_is_no_json(saved: Path, tmp_path: Path) -> None:
    folder = copied(saved, tmp_path)
    for text in ("", "{", "[]", "[" * 100_000):
        (folder / "model.json").write_text(text)
        with pytest.raises(DataError, match=r"model\.json"):
            load_model(folder)
