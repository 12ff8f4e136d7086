"""Models that do not work: told before anything is written, or their trials fail and the search goes on."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from command import Ran, ended, events, gapless, start

MODELS = '''
import math
import torch
from torch import nn

def flat(outputs=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, outputs))

def works():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Dropout(0.1), nn.Linear(12, 10))

def nine_classes():
    return flat(9)

def raises_at_once():
    raise RuntimeError("no weights [bold]today[/bold]")

def no_module():
    return 7

def needs_an_argument(size):
    return flat()

class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = flat()
    def forward(self, x):
        return self.change(self.net(x))

class RaisesInForward(Wrapped):
    def change(self, out):
        raise ValueError("shapes do not fit")

class GivesATuple(Wrapped):
    def change(self, out):
        return out, out

class GivesASum(Wrapped):
    def change(self, out):
        return out.sum(1)

class GivesNaN(Wrapped):
    def change(self, out):
        return out * math.nan

class Frozen(Wrapped):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)
    def change(self, out):
        return out

class Detached(Wrapped):
    def change(self, out):
        return out.detach()

class Fragile(Wrapped):
    """Infinite once its weights have moved far: a learning rate of 0.01 diverges, one of 0.003 does not."""
    def __init__(self):
        super().__init__()
        with torch.no_grad():
            self.net[3].weight.zero_()
    def change(self, out):
        return out / 0 if float(self.net[3].weight.detach().abs().max()) > 0.038 else out

class FailsInEval(Wrapped):
    """Trains well and gives NaN when it is scored."""
    def change(self, out):
        return out if self.training else out * math.nan

class FailsAfterAWhile(Wrapped):
    calls = 0
    def change(self, out):
        FailsAfterAWhile.calls += 1
        if FailsAfterAWhile.calls > 5:
            raise RuntimeError("tired")
        return out

SHARED = flat()

def always_the_same():
    return SHARED

def lazy():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(10))

def parallel():
    return nn.DataParallel(flat())

class KeepsMore(Wrapped):
    def get_extra_state(self):
        return {"calls": 3}
    def set_extra_state(self, state):
        pass
    def change(self, out):
        return out

class Talks(Wrapped):
    def __init__(self):
        super().__init__()
        import os
        print("noise from Python")
        os.system("echo noise from a program")
        os.chdir("/")
    def change(self, out):
        print("noise in every batch")
        return out

class Leaves(Wrapped):
    def change(self, out):
        raise SystemExit(0)
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "bad_models.py").write_text(MODELS)
    return folder


def tune(model: str, home: Path, monkeypatch: pytest.MonkeyPatch, out: Path, *more: object) -> Ran:
    monkeypatch.chdir(home)
    budget = () if "--minutes" in more else ("--trials", 12)
    return gapless(
        *("tune", "digits", "--model", f"bad_models:{model}", "--train-size", 60, "--epochs", 3, "--batch-size", 16),
        *(*budget, "--workers", 1, "--out", out, "--json", *more),
    )


BROKEN: dict[str, str] = {
    "nine_classes": r"must return a tensor (4, 10) for a batch of 4, got (4, 9)",
    "raises_at_once": "RuntimeError",
    "no_module": "int",
    "always_the_same": "build a new module at every call",
    "lazy": "has lazy layers",
    "parallel": "DataParallel",
    "KeepsMore": "its state_dict holds more than tensors",
    "needs_an_argument": "size",
    "RaisesInForward": "raised ValueError on a batch (4, 1, 8, 8): shapes do not fit",
    "GivesATuple": "must return a tensor (4, 10) for a batch of 4, got tuple",
    "GivesASum": "got (4,)",
    "GivesNaN": "returned NaN or infinite numbers on its first batch",
    "Frozen": "has no parameters to train",
    "Detached": "has no parameters to train",
    "Leaves": "SystemExit",
}


@pytest.mark.parametrize("model", BROKEN)
def test_a_model_that_cannot_work_is_told_at_once(
    model: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tune(model, home, monkeypatch, tmp_path / "run")
    assert ran.code == 3, ran.err
    message = ran.json["error"]["message"]
    assert BROKEN[model] in message
    assert f"bad_models:{model}" in message
    assert "Traceback" not in ran.err
    assert not (tmp_path / "run").exists()  # nothing half-written


def test_a_model_that_prints_and_changes_the_folder(home: Path, tmp_path: Path) -> None:
    """Standard output is one document, all files lie in one folder, workers find what is relative to it."""
    arguments = (*("digits", "--model", "bad_models:Talks", "--train-size", 60, "--epochs", 3, "--batch-size", 16),)
    for workers in (1, 2):
        out = f"run-{tmp_path.name}-{workers}"
        process = start("tune", *arguments, "--trials", 10, "--workers", workers, "--out", out, "--json", cwd=home)
        ran = ended(process)
        assert ran.code == 0, ran.err
        assert json.loads(ran.out)["verdict"]
        assert "noise in every batch" in ran.err
        assert {"journal.jsonl", "result.json", "report.html"} <= {p.name for p in (home / out).iterdir()}


def failures(folder: Path) -> list[dict[str, Any]]:
    return [e for e in events(folder) if e.get("status") == "failed"]


def test_high_learning_rates_may_diverge(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their trials have failed, with the reason; lower learning rates are tried and the run comes to its verdict."""
    ran = tune("Fragile", home, monkeypatch, tmp_path / "run", "--trials", 30)
    assert ran.code == 0, ran.err
    failed = failures(tmp_path / "run")
    assert failed
    assert ran.json["trials"]["failed"] == len(failed)
    assert all("the loss became" in e["reason"] and "in epoch" in e["reason"] for e in failed)
    assert {e["candidate"] for e in failed} < {e["candidate"] for e in events(tmp_path / "run") if "candidate" in e}
    numbers = [v for side in ("plain", "best") for v in ran.json[side]["confirm"]["seeds"]]
    assert all(math.isfinite(v) for v in numbers)


@pytest.mark.parametrize("model", ["FailsInEval", "FailsAfterAWhile"])
def test_a_model_that_always_fails_ends_the_run_with_its_reason(
    model: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tune(model, home, monkeypatch, tmp_path / "run")
    assert ran.code == 4, ran.err
    said = {"FailsInEval": "NaN", "FailsAfterAWhile": "RuntimeError: tired"}[model]
    assert said in ran.json["error"]["message"]
    assert len(failures(tmp_path / "run")) == 12
    assert not (tmp_path / "run" / "result.json").exists()
    assert not list((tmp_path / "run").rglob("*.safetensors"))


# ── budgets ──


def test_a_budget_too_small_names_the_smallest(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = tune("works", home, monkeypatch, tmp_path / "run", "--minutes", 0.01, "--epochs", 4000)
    assert ran.code == 4, ran.err
    message = ran.json["error"]["message"]
    assert "--minutes 0.01 is too short for this model and data; the smallest that would do is about" in message
    assert float(message.split()[-1]) > 0.05
    assert not (tmp_path / "run" / "result.json").exists()


def test_so_few_trials_that_there_are_no_two_sides_yet(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first try with one trial ends in a verdict: the search goes on until there is something to compare."""
    state = torch.get_rng_state()
    ran = tune("works", home, monkeypatch, tmp_path / "run", "--trials", 1)
    assert ran.code == 0, ran.err
    searched = [e for e in events(tmp_path / "run") if e["event"] == "trial" and e["phase"] != "finals"]
    assert 2 <= len(searched) <= 12
    assert torch.equal(torch.get_rng_state(), state)  # nothing draws from a global generator, not even to try the model
