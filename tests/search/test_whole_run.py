"""Whole runs, tiny: every file is there and agrees with the others, the same command twice gives the same, tables and
functions of the user's go the same way."""

import json
import shutil
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command import TINY, events, figures, gapless
from conftest import Finished
from small_tasks import pictures
from torch import nn

from gapless.data.builtin import digits
from gapless.data.splits import complete
from gapless.recipe import PILLARS, Recipe
from gapless.report.content import Content
from gapless.search.run import TuneOptions
from gapless.search.tune import tune


def numbers(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def interval(value: Any) -> bool:
    return {"mean", "low", "high"} <= set(value) and value["low"] <= value["mean"] <= value["high"]


# ── one run, looked at from all sides ──


def test_it_ends_well_with_all_its_files(finished: Finished) -> None:
    assert finished.ran.code == 0, finished.ran.err
    assert "Traceback" not in finished.ran.err
    assert {"journal.jsonl", "recipe.toml", "result.json", "report.html"} <= {p.name for p in finished.folder.iterdir()}
    assert not list(finished.folder.rglob("*.safetensors"))  # checkpoints of what ended are gone
    assert not list(finished.folder.rglob("*.part"))


def test_json_on_standard_output_is_the_result(finished: Finished) -> None:
    assert finished.ran.json == json.loads((finished.folder / "result.json").read_text())


def test_result_has_every_promised_key(finished: Finished) -> None:
    result = finished.ran.json
    assert result["schema"] == 1
    assert {"name", "kind", "train", "select", "confirm", "classes", "shape"} <= set(result["task"])
    assert (
        result["task"]
        | {
            "name": "digits",
            "kind": "image",
            "train": 60,
            "select": 12,
            "confirm": 1737,
            "classes": 10,
            "shape": [1, 8, 8],
        }
        == result["task"]
    )
    assert result["model"]["name"] == "cnn"
    assert result["model"]["parameters"] > 0
    assert result["metric"] == {"name": "accuracy", "higher_is_better": True}
    for side in ("plain", "best"):
        for part in ("train", "confirm"):
            spread = result[side][part]
            assert numbers(spread["mean"])
            assert numbers(spread["sd"])
        seeds = result[side]["confirm"]["seeds"]
        assert len(seeds) >= 5
        assert result[side]["confirm"]["mean"] == pytest.approx(np.mean(seeds))
        assert result[side]["confirm"]["sd"] == pytest.approx(np.std(seeds, ddof=1))
        assert interval(result[side]["gap"])
        gap = result[side]["train"]["mean"] - result[side]["confirm"]["mean"]
        assert result[side]["gap"]["mean"] == pytest.approx(gap, abs=1e-6)
    assert result["plain"]["recipe"] == {}
    assert Recipe.from_dict(result["best"]["recipe"]).active
    assert interval(result["gain"])
    gain = result["best"]["confirm"]["mean"] - result["plain"]["confirm"]["mean"]
    assert result["gain"]["mean"] == pytest.approx(gain, abs=1e-6)
    assert result["verdict"] in ("improved", "no detectable gain", "worse")
    assert numbers(result["selection_optimism"])
    pillars = [p["name"] for p in result["pillars"]]
    assert pillars == list(Recipe.from_dict(result["best"]["recipe"]).pillars())
    assert all(interval(p["without"]) for p in result["pillars"])
    assert set(result["trials"]) == {"finished", "stopped", "failed"}
    assert result["seconds"] > 0
    assert result["seed"] == 1
    assert {"gapless", "torch", "python"} <= set(result["versions"])


def test_verdict_follows_from_the_interval(finished: Finished) -> None:
    gain, word = finished.ran.json["gain"], finished.ran.json["verdict"]
    assert (gain["low"] > 0) == (word == "improved")
    assert (gain["high"] < 0) == (word == "worse")


def test_recipe_is_handed_over_only_when_it_is_proved(finished: Finished) -> None:
    recipe = Recipe.load(finished.folder / "recipe.toml")
    best = Recipe.from_dict(finished.ran.json["best"]["recipe"])
    assert recipe == (best if finished.ran.json["verdict"] == "improved" else Recipe())
    assert tomllib.loads((finished.folder / "recipe.toml").read_text())["schema"] == 1


def test_the_journal_tells_the_same_story(finished: Finished) -> None:
    told, result = events(finished.folder), finished.ran.json
    kinds = [e["event"] for e in told]
    assert kinds[:2] == ["run", "plan"]
    ended = [e for e in told if e["event"] == "trial"]
    assert len([e for e in ended if e["phase"] != "finals"]) == 12
    counts = {s: sum(e["status"] == s for e in ended) for s in ("finished", "stopped", "failed")}
    assert result["trials"] == counts
    # the winner is named before a row of confirm is looked at, and once
    assert kinds.count("named") == 1
    assert kinds.index("named") < kinds.index("confirm")
    assert "trial" not in kinds[kinds.index("named") :]
    assert [e["at"] for e in told] == sorted(e["at"] for e in told)


def test_plain_opens_and_is_tuned_like_the_others(finished: Finished) -> None:
    told = events(finished.folder)
    candidates = [e for e in told if e["event"] == "candidate"]
    assert candidates[0]["recipe"] == {}
    assert len([c for c in candidates if not c["recipe"]]) >= 2
    named = next(e for e in told if e["event"] == "named")
    assert candidates[named["plain"]]["recipe"] == {}
    assert candidates[named["plain"]]["lr"] == finished.ran.json["plain"]["lr"]
    assert candidates[named["best"]]["recipe"] == finished.ran.json["best"]["recipe"]


def test_both_sides_have_the_same_seeds_and_so_have_the_pillars(finished: Finished) -> None:
    told = [e for e in events(finished.folder) if e["event"] == "confirm"]
    seeds = {model: {e["seed"] for e in told if e["model"] == model} for model in {e["model"] for e in told}}
    assert seeds["plain"] == seeds["best"]
    assert {m for m in seeds if m.startswith("without ")} == {
        f"without {p['name']}" for p in finished.ran.json["pillars"]
    }
    assert all(found == seeds["plain"] for found in seeds.values())


def test_finalists_meet_on_splits_that_the_search_has_not_seen(finished: Finished) -> None:
    ended = [e for e in events(finished.folder) if e["event"] == "trial"]
    searched = {e["split"] for e in ended if e["phase"] != "finals"}
    finals = {e["split"] for e in ended if e["phase"] == "finals"}
    assert finals
    assert not searched & finals
    assert len({e["candidate"] for e in ended if e["phase"] == "finals"}) >= 2


def test_the_terminal_says_what_the_result_says(finished: Finished) -> None:
    said, result = finished.ran.err, finished.ran.json
    word = {"improved": "Improved", "no detectable gain": "No detectable gain", "worse": "Worse"}[result["verdict"]]
    assert f"{word} on digits" in said
    assert f"{100 * result['plain']['confirm']['mean']:.1f} %" in said
    assert "digits: 60 rows to train and choose on, 1,737 for the verdict, 10 classes." in said
    assert "report.html" in said


def test_the_report_works_offline_and_says_the_same(finished: Finished) -> None:
    page = (finished.folder / "report.html").read_text()
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert finished.ran.json["verdict"].split()[0] in page.lower()


def test_the_lines_that_apply_the_recipe_run(finished: Finished) -> None:
    """The Python lines of the report, taken from it word for word, train a model of the user's."""
    from gapless.report.write import python_lines

    task = complete(digits(), 60, 1)
    images = torch.from_numpy(task.develop.x).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(task.develop.y)
    for recipe in (Recipe(), Recipe.from_dict(finished.ran.json["best"]["recipe"])):
        out = finished.folder.parent / f"applied {recipe.active}"
        out.mkdir()
        (out / "recipe.toml").write_text(recipe.to_toml())
        head = nn.Linear(144, 20)
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), head, nn.ReLU(), nn.Linear(20, 10))
        before = head.weight.detach().clone()
        scope = {"model": model, "loader": [(images[:30], labels[:30])] * 2, "normalise": normalise}
        exec(python_lines(task, recipe, 0.01, out), scope)
        assert not torch.equal(head.weight, before)


def normalise(x: torch.Tensor) -> torch.Tensor:
    return x - 0.5


# ── the same again ──


def test_same_command_and_seed_twice(finished: Finished, tmp_path: Path) -> None:
    again = gapless(*finished.arguments, "--out", tmp_path / "again")
    assert again.code == 0
    assert figures(tmp_path / "again") == figures(finished.folder)
    assert (tmp_path / "again" / "recipe.toml").read_text() == (finished.folder / "recipe.toml").read_text()
    without_time = [
        [{k: v for k, v in e.items() if k not in ("at", "seconds")} for e in events(f)]
        for f in (finished.folder, tmp_path / "again")
    ]
    assert without_time[0] == without_time[1]


def test_another_seed_another_run(finished: Finished, tmp_path: Path) -> None:
    arguments = list(finished.arguments)
    arguments[arguments.index("--seed") + 1] = 2
    other = gapless(*arguments, "--out", tmp_path / "other")
    assert other.code == 0
    assert other.json["plain"]["confirm"]["seeds"] != finished.ran.json["plain"]["confirm"]["seeds"]


def test_a_finished_run_prints_its_verdict_again(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    before = (folder / "journal.jsonl").read_bytes()
    again = gapless(*finished.arguments, "--out", folder)
    assert again.code == 0
    assert (folder / "journal.jsonl").read_bytes() == before  # nothing was trained
    assert figures(folder) == figures(finished.folder)

    def verdict(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith(("Gain", "Gap", "What each", "Recipe"))]

    assert verdict(again.err) == verdict(finished.ran.err)
    assert len(verdict(again.err)) >= 3


# ── other ways in ──


def test_two_workers(tmp_path: Path) -> None:
    ran = gapless("tune", "digits", *TINY, "--trials", 12, "--workers", 2, "--out", tmp_path / "run", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["trials"]["failed"] == 0
    ended = [e for e in events(tmp_path / "run") if e["event"] == "trial"]
    assert len([e for e in ended if e["phase"] != "finals"]) == 12
    assert len({(e["candidate"], e["split"]) for e in ended}) == len(ended)
    assert all(len(ran.json[side]["confirm"]["seeds"]) >= 5 for side in ("plain", "best"))


def csv(path: Path, rows: int = 160, seed: int = 0) -> Path:
    """Prices of houses, with a categorical column and a few missing values."""
    rng = np.random.default_rng(seed)
    lines = ["area,rooms,kind,price"]
    for _ in range(rows):
        area, rooms, kind = rng.normal(80, 20), rng.integers(1, 6), rng.choice(["flat", "house", "hut"])
        price = 3 * area + 20 * rooms + {"flat": 0, "house": 80, "hut": -60}[kind] + rng.normal(0, 10)
        lines.append(f"{area:.2f},{rooms if rng.random() > 0.05 else ''},{kind},{price:.2f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_regression_on_a_csv(tmp_path: Path) -> None:
    source = csv(tmp_path / "houses.csv")
    ran = gapless(
        *("tune", source, "--target", "price", "--trials", 12, "--epochs", 12, "--width", 16, "--batch-size", 16),
        *("--workers", 1, "--out", tmp_path / "run", "--json"),
    )
    assert ran.code == 0, ran.err
    result = ran.json
    assert result["metric"]["name"] == "r2"
    assert (result["task"]["kind"], result["task"]["classes"], result["task"]["shape"]) == ("table", 0, [4])
    assert result["model"]["name"] == "mlp"  # four columns: whether the rooms are known is one
    assert 0.3 < result["plain"]["confirm"]["mean"] <= 1  # the line is there to be found
    recipes = [Recipe.from_dict(e["recipe"]) for e in events(tmp_path / "run") if e["event"] == "candidate"]
    assert not [r for r in recipes if r.augment_part.label_smoothing or r.augment_part.ops]
    assert "regression" in ran.err


MODULE = """
import numpy as np
import torch
from gapless import Rows, Task

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(4, 8)
        self.head = torch.nn.Linear(8, 3)
    def forward(self, x):
        return self.head(torch.relu(self.inner(x)))

def task():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0)
    return Task("mine [red]", Rows(x, y), classes=("a", "b", "c"), model=Net)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_task_and_model_of_the_users(workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named on the command line, found in the current folder, sent to workers."""
    name = f"own_task_w{workers}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    ran = gapless(
        *("tune", f"{name}:task", "--trials", 10, "--epochs", 4, "--batch-size", 16),
        *("--workers", workers, "--out", "run", "--json"),
    )
    assert ran.code == 0, ran.err
    assert ran.json["trials"]["failed"] == 0
    assert ran.json["task"]["name"] == "mine [red]"
    assert "mine [red]: 84 rows" in ran.err
    assert ran.json["model"]["parameters"] == 4 * 8 + 8 + 8 * 3 + 3
    assert all(p["name"] in PILLARS for p in ran.json["pillars"])


def test_model_of_the_users_for_data_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_net_digits.py").write_text(
        "import torch\ndef net():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    ran = gapless(
        *("tune", "digits", "--model", "own_net_digits:net", "--train-size", "60", "--epochs", 3, "--trials", 10),
        *("--workers", 1, "--out", "run", "--json"),
    )
    assert ran.code == 0, ran.err
    assert ran.json["model"] == {"name": "own_net_digits:net", "parameters": 650}
    recipes = [Recipe.from_dict(e["recipe"]) for e in events(tmp_path / "run") if e["event"] == "candidate"]
    assert not [r for r in recipes if r.dropout.hidden or r.dropout.channel or r.batchnorm.insert]  # it has no place


def test_other_optimizer_and_averaged_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Content] = []
    monkeypatch.setattr("gapless.cli._print_verdict", lambda content, folder, as_json: written.append(content))  # pyright: ignore
    ran = gapless(
        *("tune", "digits", *TINY, "--trials", 10, "--workers", 1, "--optimizer", "sgd", "--ema", 0.5),
        *("--out", tmp_path / "run"),
    )
    assert ran.code == 0, ran.err
    result, lines = written[0].result, written[0].python_lines
    assert result.training.optimizer == "sgd"
    # the lines to paste are for what was tuned: this optimizer, and the learning rate of the recipe that is handed over
    lr = (result.best if result.verdict == "improved" else result.plain).lr
    assert f'recipe.optimizer(model, lr={lr:g}, kind="sgd")' in lines


def test_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way by the clock, by one that runs fifteen times as fast: speed, plan, search, verdict, the rest."""
    fast = SimpleNamespace(
        monotonic=lambda: 15 * time.monotonic(), perf_counter=lambda: 15 * time.perf_counter(), time=time.time
    )
    for module in ("run", "jobs"):
        monkeypatch.setattr(f"gapless.search.{module}.time", fast)
    options = TuneOptions(tmp_path / "run", minutes=1.8, epochs=4, batch_size=16, workers=1)
    done = tune(pictures(60), options, Silent(), lambda: False)
    told = events(tmp_path / "run")
    plan = next(e for e in told if e["event"] == "plan")
    assert plan["epochs"] == 4
    assert plan["seconds"] > 0
    assert all(e["epochs"] == plan["epochs"] for e in told if e.get("status") == "finished")
    seeds = [done.confirmation.seeds(model) for model in ("plain", "best")]
    assert seeds[0] == seeds[1]
    assert len(seeds[0]) >= 5
    searched = [e for e in told if e["event"] == "trial" and e["phase"] != "finals"]
    assert len(searched) >= 4
    # started again with the same budget it has nothing left to do
    before = (tmp_path / "run" / "journal.jsonl").read_bytes()
    again = tune(pictures(60), options, Silent(), lambda: False)
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == before
    assert again.confirmation.gain() == done.confirmation.gain()


class Silent:
    """Hears how a run goes on and says nothing."""

    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None:
        assert 0 <= share <= 1
        assert left is None or left >= 0
