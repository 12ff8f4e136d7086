"""What every test shares: one thread for torch, the flag for the long form of the truth tests, finished runs."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from command import TINY, Ran, gapless
from hypothesis import settings


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--truth", action="store_true", help="run tests/truth in its long form (up to an hour)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_proposals: joint proposals by TPE, where others are drawn at random")
    torch.set_num_threads(1)
    settings.register_profile("gapless", deadline=None)  # a busy machine is no failure
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
    """Digits, twelve trials, one worker."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    arguments = ("tune", "digits", *TINY, "--trials", 12, "--workers", 1, "--seed", 1, "--json")
    return Finished(folder, arguments, gapless(*arguments, "--out", folder))
