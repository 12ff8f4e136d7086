"""Every block of Python in README runs as it is written, on small data; only the budget of a search is made small."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gapless import Recipe
from gapless.recipe import Augment, BatchNorm, Decay, Dropout

BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", (Path(__file__).parents[2] / "README.md").read_text("utf-8"), re.M | re.S
)
Names = dict[str, Any]


def customers() -> Names:
    """A table as the first block expects one, in the working folder."""
    rng = np.random.default_rng(0)
    rows = [f"{age},{money:.2f},{'yes' if age > 40 else 'no'}" for age, money in rng.uniform(20, 60, (120, 2))]
    Path("customers.csv").write_text("age,money,churn\n" + "\n".join(rows) + "\n")
    return {}


def own_loop() -> Names:
    """A model, a loader and a recipe of every pillar."""
    recipe = Recipe(
        dropout=Dropout(hidden=0.1),
        batchnorm=BatchNorm(insert=True),
        decay=Decay(strength=0.05),
        augment=Augment(mixup=0.2),
    )
    Path("recipe.toml").write_text(recipe.to_toml())
    images, labels = torch.rand(12, 1, 8, 8), torch.arange(12) % 10
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    loader = [(images[:6], labels[:6]), (images[6:], labels[6:])]
    generator = torch.Generator().manual_seed(0)
    return {"model": model, "loader": loader, "generator": generator, "cross_entropy": cross_entropy}


def pictures() -> Names:
    rng = np.random.default_rng(0)
    return {"pictures": rng.integers(0, 256, (40, 16, 16, 3), np.uint8), "labels": np.arange(40) % 4}


def tuned_a_table(names: Names) -> None:
    assert (names["tuned"].folder / "report.html").exists()
    assert "Gap between training rows and new ones" in str(names["tuned"])


def learnt(names: Names) -> None:
    assert names["loss"].isfinite()
    assert any(isinstance(module, nn.BatchNorm2d) for module in names["model"].modules())


def batches(names: Names) -> None:
    assert names["images"].shape == (40, 3, 16, 16)


@dataclass(frozen=True)
class Setting:
    """What a block finds, what is made small in it, and what it must have done."""

    prepare: Callable[[], Names]
    check: Callable[[Names], None]
    smaller: tuple[str, str] = ("", "")


SETTINGS = {  # by what a block begins with
    "import gapless": Setting(customers, tuned_a_table, ("tune(task)", "tune(task, trials=12, epochs=1, workers=1)")),
    "from gapless import Recipe": Setting(own_loop, learnt),
    "from gapless.augment.image import": Setting(pictures, batches),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def setting(block: str) -> str:
    fitting = [begins for begins in SETTINGS if re.match(rf"{re.escape(begins)}\b", block)]
    assert fitting, f"a block of README has no setting here: {block.splitlines()[0]}"
    return max(fitting, key=len)


def test_every_setting_has_its_block() -> None:
    assert sorted(map(setting, BLOCKS)) == sorted(SETTINGS)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
@pytest.mark.usefixtures("here")
def test_the_block_runs(block: str) -> None:
    small, (written, smaller) = SETTINGS[setting(block)], SETTINGS[setting(block)].smaller
    assert written in block
    names = small.prepare()
    exec(compile(block.replace(written, smaller) if written else block, "README.md", "exec"), names)
    small.check(names)
