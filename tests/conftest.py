"""What every test shares: one thread for torch, the flag for the long form of the truth tests, finished runs."""

import os
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from command import TRIALS, Ran, gapless
from hypothesis import settings

from gapless.evidence.ledger import VARIABLE


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--truth", action="store_true", help="run tests/truth in its long form (up to an hour)")


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts of one test do not count in another, and never in the user's own ledger."""
    monkeypatch.setenv(VARIABLE, str(tmp_path_factory.mktemp("ledger")))


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """What a test draws without a generator of its own is the same in every run, in any order of tests."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - for libraries that draw from it
    torch.manual_seed(0)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_proposals: joint proposals by TPE, where others are drawn at random")
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix="gapless-ledger-")  # of fixtures that several tests share
    torch.set_num_threads(1)
    # A busy machine is no failure; the long form draws other examples each time, the short one the same.
    settings.register_profile("gapless", deadline=None, derandomize=not config.getoption("--truth"))
    settings.load_profile("gapless")


@pytest.fixture(scope="session")
def long_form(pytestconfig: pytest.Config) -> bool:
    """Whether the truth tests are to run in their long form."""
    return bool(pytestconfig.getoption("--truth"))


@dataclass(frozen=True)
class Finished:
    """A run that came to its verdict. Copy its folder before you change something in it."""

    folder: Path
    arguments: tuple[object, ...]
    ran: Ran


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Digits, one worker, as many trials as it takes to come past the openings."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    small = ("--train-size", 60, "--epochs", 4, "--width", 4, "--batch-size", 16)
    arguments = ("tune", "digits", *small, "--trials", TRIALS, "--workers", 1, "--seed", 1, "--json")
    return Finished(folder, arguments, gapless(*arguments, "--out", folder))
