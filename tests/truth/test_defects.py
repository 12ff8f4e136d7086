"""Defects that were planted come first or second in a diagnosis, and a healthy set gives no alarm."""

from pathlib import Path

import pytest
from defects import WORLDS, World
from scipy import stats

from gapless.diagnose.diagnosis import Diagnosis
from gapless.diagnose.door import Silent, find_causes
from gapless.diagnose.experiment.options import DiagnoseOptions

SHORT = ("healthy", "near copies", "too short", "imbalance")
SEEDS = 20


def diagnosed(world: World, seed: int, folder: Path) -> Diagnosis:
    options = DiagnoseOptions(folder, 60, world.epochs, world.lr, seed=seed, workers=1)
    return find_causes(world.task, options, Silent(), lambda: False)


def right(world: World, found: Diagnosis) -> bool:
    """Whether a planted cause comes first or second; of a healthy world, whether nothing does."""
    if not world.causes:
        return not found
    return bool({f.cause for f in found.findings[:2]} & set(world.causes))


@pytest.mark.parametrize("name", SHORT)
def test_one_of_each(name: str, tmp_path: Path) -> None:
    world = WORLDS[name](0)
    found = diagnosed(world, 0, tmp_path)
    assert right(world, found), str(found)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", WORLDS)
def test_rates(name: str, tmp_path: Path, long_form: bool) -> None:
    """Nine in ten of each defect; of healthy sets, no more alarms than one in twenty would give by chance."""
    if not long_form:
        pytest.skip("in the long form: --truth")
    hits = 0
    for seed in range(SEEDS):
        world = WORLDS[name](seed)
        hits += right(world, diagnosed(world, seed, tmp_path / str(seed)))
    print(f"{name}: {hits} of {SEEDS}")
    least = 0.9 * SEEDS if WORLDS[name](0).causes else stats.binom.ppf(0.01, SEEDS, 0.95)
    assert hits >= least, (name, hits)
