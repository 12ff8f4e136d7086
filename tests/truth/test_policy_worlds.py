"""Worlds whose right policy is known: the guard finds the ranges, the search uses them, harm is answered by none."""

from __future__ import annotations

from pathlib import Path

from nursery import nursery
from scipy import stats
from symmetries import HARMFUL, symmetry

import gapless
from gapless.augment.image import Step
from gapless.augment.policies.space import Range, Space
from gapless.policies.guard import Guarded, fill_of, guard, widest
from gapless.policies.searchers import strength

OPS = ("rotate", "flip_x", "flip_y", "contrast", "brightness", "sharpness")


def ranges(seed: int, ops: tuple[str, ...]) -> dict[str, Guarded]:
    task = symmetry(160, seed)
    fill = fill_of(task)
    found = guard(task, widest(task, ops, fill), fill, seed, 1e9, lambda share: None)
    return {one.op: one for one in found}


def test_the_guard_finds_the_planted_ranges(long_form: bool) -> None:
    for seed in range(10 if long_form else 2):
        found = ranges(seed, OPS)
        assert 25 <= found["rotate"].high <= 40
        assert found["flip_x"].high == found["flip_y"].high == 0
        assert found["contrast"].high > 0.3
        assert any("mirrored" in pair for pair in found["flip_x"].points[0].collisions)


def learned(
    seed: int, folder: Path, ops: tuple[str, ...], rows: int, epochs: int, guarded: bool = True
) -> gapless.LearnedPolicy:
    return gapless.learn_policy(
        symmetry(rows, seed),
        minutes=60,
        ops=ops,
        guard=guarded,
        epochs=epochs,
        lr=0.01,
        seed=seed,
        workers=1,
        out=folder,
    )


def test_where_every_operation_harms_the_answer_is_none(tmp_path: Path) -> None:
    found = learned(0, tmp_path, HARMFUL, 160, 2)
    assert found.verdict == "none"
    assert not found.recipe.active
    assert found.result.rivals == ()
    assert "the guard leaves no operation" in str(found)


def test_searches_use_what_is_planted_and_nothing_that_harms(long_form: bool, tmp_path: Path) -> None:
    """Inside the guard's ranges; what harms is given to the search unguarded, so that it has to find out itself."""
    uses, harmed = list[tuple[float, float]](), list[float]()
    for seed in range(10 if long_form else 2):
        kept = [one for one in ranges(seed, OPS).values() if one.high > 0]
        with nursery(symmetry(64, seed), tmp_path / str(seed), 100, seed) as nest:
            found = strength(nest, Space(tuple(Range(one.op, one.high) for one in kept)), lambda: True)
            used = [] if found.policy is None else [step.op for step in found.policy.steps if isinstance(step, Step)]
            uses.append((used.count("rotate"), used.count("flip_x") + used.count("flip_y")))
            harmful = Space((Range("flip_x", 1.0), Range("flip_y", 1.0), Range("quarter_turn", 3.0)))
            harmed.append(strength(nest, harmful, lambda: True).gain)
    turns, flips = zip(*uses, strict=True)
    assert sum(turns) > sum(flips)
    assert max(harmed) < 0
    if long_form:
        assert stats.mannwhitneyu(turns, flips, alternative="greater").pvalue < 0.01
        _fresh_pictures(tmp_path)


def _fresh_pictures(folder: Path) -> None:
    """Whole runs, guarded: the learned policies beat no augmentation; where all harms nothing is handed back."""
    gains: list[float] = []
    for seed in range(10):
        gains.append(learned(seed, folder / f"run-{seed}", OPS, 64, 48).result.gain.mean)
        harmful = learned(seed, folder / f"harmful-{seed}", HARMFUL, 64, 12, guarded=False)
        assert not harmful.recipe.active
    assert stats.wilcoxon(gains, alternative="greater").pvalue < 0.01
