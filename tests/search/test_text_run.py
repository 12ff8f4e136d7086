"""Whole runs on texts: with further test data, again from the journal, with a model and a task of the user's."""

import shutil
from pathlib import Path

import pytest
import torch
from command import Ran, events, figures, gapless
from small_tasks import texts
from torch import Tensor, nn

from gapless.errors import DataError
from gapless.recipe import Recipe
from gapless.search.supported import check, supported

TINY = ("--train-size", "60", "--epochs", "3", "--width", "4", "--trials", "14", "--workers", "1", "--seed", "1")


def write_csv(path: Path, seed: int) -> Path:
    task = texts(seed=seed)
    rows = zip(task.develop.x, task.develop.y, strict=True)
    path.write_text("text,label\n" + "".join(f"{text},{task.classes[y]}\n" for text, y in rows))
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path, tuple[object, ...]]:
    folder = tmp_path_factory.mktemp("texts")
    source, web, news = (write_csv(folder / f"{name}.csv", seed) for seed, name in enumerate(("own", "web", "news")))
    further = ("--also", f"web={web}", "--also", f"news={news}")
    arguments = ("tune", source, "--text", "text", "--target", "label", *further, *TINY, "--json")
    return gapless(*arguments, "--out", folder / "run"), folder / "run", arguments


def test_it_comes_to_a_verdict(ran: tuple[Ran, Path, tuple[object, ...]]) -> None:
    said = ran[0].err
    assert ran[0].code == 0, said
    assert "own.csv: 60 texts to train and choose on, 20 for the verdict, 2 classes." in said
    assert "Further test data: web (80 texts), news (80 texts)." in said
    assert "Model: text-bag (the default; choose with --model)." in said
    assert "no recipe ranked above the plain model" in said
    task = ran[0].json["task"]
    assert (task["kind"], task["shape"], task["class_names"]) == ("text", [], ["bad", "good"])
    best = Recipe.from_dict(ran[0].json["best"]["recipe"])
    assert [p["name"] for p in ran[0].json["pillars"]] == list(best.pillars())


def test_the_drop_elsewhere_is_apart_from_the_gap(ran: tuple[Ran, Path, tuple[object, ...]]) -> None:
    result = ran[0].json
    assert [(one["name"], one["rows"]) for one in result["elsewhere"]] == [("web", 80), ("news", 80)]
    for one in result["elsewhere"]:
        for side in ("plain", "best"):
            drop = result[side]["confirm"]["mean"] - one[side]["score"]["mean"]
            assert one[side]["drop"]["mean"] == pytest.approx(drop, abs=1e-6)
            assert one[side]["drop"]["low"] <= drop <= one[side]["drop"]["high"]
            assert len(one[side]["score"]["seeds"]) == len(result[side]["confirm"]["seeds"])
        gain = one["best"]["score"]["mean"] - one["plain"]["score"]["mean"]
        assert one["gain"]["mean"] == pytest.approx(gain, abs=1e-6)
        assert f"Drop on {one['name']} (80 texts): " in ran[0].err
    for event in events(ran[1]):
        if event["event"] == "confirm":
            assert set(event.get("also", {})) == ({"web", "news"} if event["model"] in ("plain", "best") else set())


def test_the_search_tries_what_texts_have(ran: tuple[Ran, Path, tuple[object, ...]]) -> None:
    recipes = [Recipe.from_dict(e["recipe"]) for e in events(ran[1]) if e["event"] == "candidate"]
    assert {o.op for r in recipes for o in r.augment.ops} >= {"synonyms", "delete", "swap", "insert"}
    assert any(r.dropout.embedding for r in recipes)
    assert any(r.dropout.word for r in recipes)
    assert not any(r.dropout.channel or r.augment.cutmix for r in recipes)
    assert all(e["status"] != "failed" for e in events(ran[1]) if e["event"] == "trial")


def test_the_report_measures_what_the_operations_do_to_labels(ran: tuple[Ran, Path, tuple[object, ...]]) -> None:
    page = (ran[1] / "report.html").read_text(encoding="utf-8")
    ops = Recipe.from_dict(ran[0].json["best"]["recipe"]).augment.ops
    assert ("What it does to the labels" in page) == bool(ops)
    measured = page.partition("What it does to the labels")[2].partition("</pre>")[0]
    assert all(f"\n{op.op} " in measured for op in ops)


def test_it_goes_on_from_its_journal(ran: tuple[Ran, Path, tuple[object, ...]], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(ran[1], folder)
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text("".join(lines[: len(lines) // 2]))
    again = gapless(*ran[2], "--out", folder)
    assert again.code == 0, again.err
    assert figures(folder) == figures(ran[1])


def test_other_texts_are_another_run(ran: tuple[Ran, Path, tuple[object, ...]], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(ran[1], folder)
    arguments = list(ran[2])
    arguments[arguments.index("--also") + 1] = f"web={write_csv(tmp_path / 'web.csv', 7)}"
    again = gapless(*arguments, "--out", folder)
    assert again.code == 2
    assert "holds a run of another data" in again.json["error"]["message"]


@pytest.mark.parametrize(
    ("also", "said"),
    [
        (("web",), "--also must be NAME=FILE, such as tweets=tweets.csv, got 'web'"),
        (("a=x.csv", "a=y.csv"), "--also a: the name is given twice"),
        (("a=gone.csv",), "--also a must be a table or a file of texts like the source"),
    ],
)
def test_further_test_data_that_makes_no_sense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, also: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "t.csv", 0)
    ended = gapless(
        "tune", "t.csv", "--text", "text", *(w for a in also for w in ("--also", a)), "--out", tmp_path / "r"
    )
    assert ended.code in (2, 3)
    assert said in ended.err


# ── models of the user's ──


class Counts(nn.Module):
    """The least that a model for texts must have: it looks at the length of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)

    def encode(self, texts: list[str]) -> Tensor:
        return torch.tensor([[len(text) / 100] for text in texts])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


class Lists(Counts):
    def encode(self, texts: list[str]) -> list[int]:  # pyright: ignore[reportIncompatibleMethodOverride]  # wrong on purpose
        return [1]


def test_a_model_without_words_keeps_what_it_can_take() -> None:
    from dataclasses import replace

    task = replace(texts(), model=Counts, model_name="Counts")
    assert check(task) == 4
    names = {knob.name for knob in supported(task)}
    assert not names & {"embedding dropout", "word dropout", "mixup", "cutoff", "dropout", "batch norm"}
    assert {"synonyms", "delete", "decay", "label smoothing"} <= names


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: nn.Linear(2, 2), r"model own: Linear has no method encode\(texts\)"),
        (Lists, r"model own: Lists\.encode must return a tensor or a dict of tensors, got list"),
    ],
)
def test_a_model_that_does_not_take_texts(model: type[nn.Module], said: str) -> None:
    from dataclasses import replace

    with pytest.raises(DataError, match=said):
        check(replace(texts(), model=model, model_name="own"))
