"""The searches on real children: what they cost, that they are the same again, and that a stopped one goes on."""

from pathlib import Path

import numpy as np
import pytest
from nursery import nursery
from small_tasks import pictures, texts

from gapless.augment.image import Choice, Policy
from gapless.augment.policies.space import Range, Space
from gapless.policies import searchers
from gapless.policies.options import COST
from gapless.policies.searchers import SEARCHES, Searched, recipe_of
from gapless.run.driver import Interrupted

SPACE = Space((Range("rotate", 20.0), Range("contrast", 0.5), Range("translate_x", 0.2)))
FULL = {"strength": 24, "density": 6, "controller": 4}
"""Epochs of a full training: as few as each search can do with."""


@pytest.fixture(autouse=True)
def _few_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searchers, "PROPOSED", 8)


def searched(method: str, folder: Path, seed: int = 0) -> tuple[Searched, float]:
    """What a search came to, and what it cost in full trainings."""
    with nursery(pictures(60), folder, FULL[method], seed) as nest:
        found = SEARCHES[method](nest, SPACE, lambda: True)
        matched = sum(e["ran"] for e in nest.run.events("match"))
        return found, (nest.ended.epochs + matched) / FULL[method]


@pytest.mark.parametrize("method", ["strength", "density", "controller"])
def test_a_search_keeps_to_its_cost_and_is_the_same_again(method: str, tmp_path: Path) -> None:
    found, cost = searched(method, tmp_path / "one")
    again, _ = searched(method, tmp_path / "two")
    assert recipe_of(found.policy).to_toml().encode() == recipe_of(again.policy).to_toml().encode()
    assert found == again
    assert 0.5 * COST[method] <= cost <= COST[method]
    if found.policy is not None:
        assert isinstance(found.policy, Policy)
        highest = {r.op: r.high for r in SPACE.ranges}
        assert all(0 < s.strength <= highest[s.op] for s in found.policy.every_step)
        spread = found.policy.pick == 1
        assert spread == (method == "strength")
        assert spread or all(isinstance(step, Choice) for step in found.policy.steps)


def test_a_search_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole, _ = searched("controller", tmp_path / "whole")
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 60

    with pytest.raises(Interrupted), nursery(pictures(60), tmp_path / "cut", 4, stop=stop) as nest:
        SEARCHES["controller"](nest, SPACE, lambda: True)
    with nursery(pictures(60), tmp_path / "cut", 4) as nest:
        before = len(nest.run.events("child"))
        assert before > 8
        rest = SEARCHES["controller"](nest, SPACE, lambda: True)
        assert len(nest.run.events("child")) > before
    assert rest == whole


def test_without_time_a_search_ends_with_what_it_has(tmp_path: Path) -> None:
    with nursery(pictures(60), tmp_path, 4) as nest:
        found = SEARCHES["controller"](nest, SPACE, lambda: False)
        assert len(found.tried) == 8
        assert np.isfinite(found.gain)


@pytest.mark.parametrize(("operations", "full"), [(3, 2), (3, 12), (14, 12), (14, 40), (14, 300), (30, 60)])
def test_the_strength_search_costs_two_trainings_however_long_they_are(operations: int, full: int) -> None:
    singly, longer, epochs = searchers._affordable(operations, full)
    children = (operations + 1 if singly else 0) + 1 + (9 if singly else 3) + 2 * longer * 4
    assert full < 10 or 1.0 < (0.75 * full + children * epochs) / full <= 2.0
    assert singly == (full > 39)


def test_texts_have_a_strength_search_too(tmp_path: Path) -> None:
    space = Space((Range("swap", 0.3), Range("delete", 0.2)))
    with nursery(texts(60), tmp_path, 24) as nest:
        found = SEARCHES["strength"](nest, space, lambda: True)
    assert {t.name for t in found.tried[:2]} == {"swap", "delete"}
