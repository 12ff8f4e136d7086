"""Other runs: the same again, by two workers, by the clock, on tables, with functions of the user's."""

import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command import TINY, events, figures, gapless
from conftest import Finished
from small_tasks import pictures

from gapless.recipe import PILLARS, Recipe
from gapless.report.content import Content
from gapless.run.job import Job, Outcome, run
from gapless.search.options import TuneOptions
from gapless.search.stages import tune

# ── the same again ──


def test_same_command_and_seed_twice(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []

    def noted(job: Job, *rest: Any) -> Outcome:
        jobs.append(job)
        return run(job, *rest)

    monkeypatch.setattr("gapless.run.engines.local.run", noted)
    again = gapless(*finished.arguments, "--out", tmp_path / "again")
    assert again.code == 0
    # the models of the verdict are paired: each seed once for each of them
    seeds: dict[str, list[int]] = {}
    for job in jobs:
        if job.split is None:
            seeds.setdefault(job.recipe.to_toml(), []).append(job.seed)
    assert len(seeds) >= 3
    assert len({tuple(found) for found in seeds.values()}) == 1
    assert all(len(set(found)) == len(found) == 5 for found in seeds.values())
    assert figures(tmp_path / "again") == figures(finished.folder)
    assert (tmp_path / "again" / "recipe.toml").read_text() == (finished.folder / "recipe.toml").read_text()
    without_time = [
        [{k: v for k, v in e.items() if k not in ("at", "seconds", "crc")} for e in events(f)]
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


def test_what_each_part_gave_is_completed_later_and_the_verdict_stays(finished: Finished, tmp_path: Path) -> None:
    """A run that had no time for it, given again with more; what was measured on the verdict's rows stays as it is."""
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    sides = (b'"model": "plain"', b'"model": "best"')
    kept = [line for line in lines if b'"event": "confirm"' not in line or any(side in line for side in sides)]
    assert len(kept) < len(lines)
    (folder / "journal.jsonl").write_bytes(b"".join(kept))
    again = gapless(*finished.arguments, "--out", folder)
    assert again.code == 0, again.err
    assert (folder / "journal.jsonl").read_bytes().startswith(b"".join(kept))
    assert [e["event"] for e in events(folder)].count("finished") == 2
    assert figures(folder) == figures(finished.folder)


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
    assert not [r for r in recipes if r.augment.label_smoothing or r.augment.ops]
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
    monkeypatch.setattr("gapless.cli.tune._print_verdict", lambda tuned, as_json: written.append(tuned.content))
    ran = gapless(
        *("tune", "digits", *TINY, "--trials", 10, "--workers", 1, "--optimizer", "sgd", "--ema", 0.5),
        *("--out", tmp_path / "run"),
    )
    assert ran.code == 0, ran.err
    result, program = written[0].result, written[0].program
    assert result.training.optimizer == "sgd"
    assert bool(program) == (result.verdict == "improved"), "an empty recipe has no program"


def test_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way by the clock, by one that runs ten times as fast: speed, plan, search, verdict, the rest.

    It counts the time that this process works, so that a busy machine does not make the budget too small."""
    fast = SimpleNamespace(
        monotonic=lambda: 10 * time.process_time(), perf_counter=lambda: 10 * time.process_time(), time=time.time
    )
    for module in ("driver", "job"):
        monkeypatch.setattr(f"gapless.run.{module}.time", fast)
    options = TuneOptions(tmp_path / "run", minutes=1.8, epochs=4, batch_size=16, workers=1)
    done = tune(pictures(60), options, Silent(), lambda: False)
    told = events(tmp_path / "run")
    plan = next(e for e in told if e["event"] == "plan")
    assert plan["epochs"] == 4
    assert all(second > 0 for second in plan["speed"])
    assert all(e["epochs"] == plan["epochs"] for e in told if e.get("status") == "finished")
    seeds = [done.confirmation.seeds(model) for model in ("plain", "best")]
    assert seeds[0] == seeds[1]
    assert len(seeds[0]) >= 3
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
