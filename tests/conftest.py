"""What every test shares: one thread for torch, the flag for the long form of the truth tests, finished runs."""

import pytest
import torch
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
