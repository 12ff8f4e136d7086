"""Scores less what is chance in them: what is taken away, when nothing is, and that better recipes are found by it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.evidence.shrinkage import FEWEST, LASTING, Line, Point, fitted

SLOPE = -0.8


def search(
    seed: int, candidates: int = 30, splits: int = 5, rest: float = 0.0, chance: float = 0.012, slope: float = SLOPE
) -> tuple[list[Point], np.ndarray]:
    """The points of a search and the true quality of its candidates.

    Quality is slope * (loss - mean) + a rest that the loss does not tell, which has this deviation; each split has a
    level of its own, and each training a score that is off by chance.
    """
    rng = np.random.default_rng(seed)
    loss, level = rng.normal(0.55, 0.008, candidates), rng.normal(0.7, 0.02, splits)
    quality = slope * (loss - loss.mean()) + rng.normal(0, rest, candidates)
    points = [
        Point(c, s, level[s] + quality[c] + rng.normal(0, chance), loss[c] + level[s] + rng.normal(0, 0.001))
        for c in range(candidates)
        for s in range(splits)
    ]
    return points, quality


def means(scores: dict[tuple[int, int], float], candidates: int, splits: int = 5) -> np.ndarray:
    return np.array([np.mean([scores[c, s] for s in range(splits)]) for c in range(candidates)])


def raw(points: list[Point]) -> dict[tuple[int, int], float]:
    return {(p.candidate, p.split): p.score for p in points}


def test_the_line_is_found() -> None:
    lines = [fitted(search(seed)[0]) for seed in range(20)]
    assert np.mean([line.slope for line in lines]) == pytest.approx(SLOPE, abs=0.1)
    assert np.mean([line.chance for line in lines]) == pytest.approx(0.012**2, rel=0.15)


def test_what_lasts_is_told_from_chance() -> None:
    lines = [line for seed in range(40) if (line := fitted(search(seed, rest=0.01)[0])).slope]
    assert len(lines) > 20
    assert np.mean([line.lasting for line in lines]) == pytest.approx(0.01**2, rel=0.25)
    nothing = [fitted(search(seed)[0]) for seed in range(20)]
    assert np.mean([line.lasting for line in nothing]) < 0.25 * 0.012**2
    assert all(line.lasting >= LASTING * line.chance for line in nothing)


@pytest.mark.parametrize("rest", [0.0, 0.004, 0.01])
def test_the_best_by_it_is_better_than_the_best_by_score(rest: float) -> None:
    by_score, corrected = [], []
    for seed in range(60):
        points, quality = search(seed, rest=rest)
        by_score.append(quality[means(raw(points), 30).argmax()])
        corrected.append(quality[means(fitted(points).corrected(points), 30).argmax()])
    assert np.mean(corrected) > np.mean(by_score)


def test_it_promises_less_than_the_score_of_the_best() -> None:
    """The best score of many is too good; what is left of it after the correction is nearer to what it is worth."""
    errors = []
    for seed in range(40):
        points, quality = search(seed)
        level = np.mean([p.score for p in points])
        for scores in (raw(points), fitted(points).corrected(points)):
            found = means(scores, 30)
            errors.append(found.max() - level - (quality[found.argmax()] - quality.mean()))
    by_score, corrected = errors[::2], errors[1::2]
    assert np.mean(by_score) > 2 * abs(np.mean(corrected))


@pytest.mark.parametrize("slope", [0.0, 0.8])
def test_losses_that_do_not_tell_leave_scores_alone(slope: float) -> None:
    """Unrelated ones nearly always; those that mislead, always."""
    kept = 0
    for seed in range(20):
        points, _ = search(seed, rest=0.005, slope=slope)
        kept += fitted(points).corrected(points) == raw(points)
    assert kept >= (18 if slope == 0 else 20)


def test_too_few_trainings_leave_scores_alone() -> None:
    points, _ = search(0)
    assert fitted(points[: FEWEST - 1]) == Line()
    assert fitted([]) == Line()
    assert Line().corrected(points) == raw(points)


def test_trainings_that_are_not_repeated_keep_half_of_what_the_loss_does_not_tell() -> None:
    points, _ = search(0, candidates=60, splits=1)
    line = fitted(points)
    assert line.slope == pytest.approx(SLOPE, abs=0.4)
    assert line.lasting == line.chance > 0
    loss = np.array([p.loss for p in points])
    score = np.array([p.score for p in points])
    told = score.mean() + line.slope * np.minimum(loss - loss.mean(), line.farthest)
    assert [line.corrected(points)[p.candidate, 0] for p in points] == pytest.approx(list((score + told) / 2))


def test_a_score_that_is_a_function_of_the_loss_is_left_alone() -> None:
    """But for the worst one's, which lies beyond the end of the line; it stays the worst."""
    points = [Point(c, s, 1 - 0.01 * c - 0.1 * s, 0.5 + 0.02 * c) for c in range(10) for s in range(3)]
    before, after = raw(points), fitted(points).corrected(points)
    assert {k: after[k] for k in after if k[0] < 9} == pytest.approx({k: before[k] for k in before if k[0] < 9})
    assert means(after, 10, 3).argmin() == 9


def test_more_splits_keep_more_of_what_the_loss_does_not_tell() -> None:
    line = Line(slope=-1.0, farthest=1.0, lasting=1.0, chance=4.0)
    base = [Point(c, s, 0.5, 0.5) for c in (1, 2, 3) for s in range(4)]
    once = line.corrected([*base, Point(0, 0, 0.9, 0.5)])[0, 0]
    often = line.corrected([*base, *(Point(0, s, 0.9, 0.5) for s in range(4))])[0, 0]
    # a quarter of the distance from the mean 0.6 is a fifth after one split, and half after four
    assert once == pytest.approx(0.6 + 0.3 / 5)
    assert often == pytest.approx(0.6 + 0.3 / 2)


def test_far_from_the_others_the_loss_says_no_more() -> None:
    line = Line(slope=-1.0, farthest=0.1, lasting=0.0, chance=1.0)
    points = [Point(0, 0, 0.8, 0.3), Point(1, 0, 0.7, 0.3), Point(2, 0, 0.6, 0.3), Point(3, 0, 0.5, 1.3)]
    worst = line.corrected(points)[3, 0]
    assert worst == pytest.approx(0.65 - 0.1)  # the mean, less what a loss 0.1 above the mean costs


@given(st.integers(0, 99), st.floats(-1, 1), st.floats(-1, 1), st.randoms(use_true_random=False))
def test_levels_of_a_split_and_the_order_of_trainings_do_not_matter(
    seed: int, score: float, loss: float, random: object
) -> None:
    points, _ = search(seed)
    moved = [
        Point(p.candidate, p.split, p.score + score * (p.split == 1), p.loss + loss * (p.split == 1)) for p in points
    ]
    random.shuffle(moved)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    before, after = fitted(points).corrected(points), fitted(moved).corrected(moved)
    for (candidate, split), value in before.items():
        assert after[candidate, split] == pytest.approx(value + score * (split == 1), abs=1e-9)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.floats(0, 1), st.floats(0, 50)), max_size=60),
)
def test_any_points_give_numbers(rows: list[tuple[int, int, float, float]]) -> None:
    points = list({(c, s): Point(c, s, score, loss) for c, s, score, loss in rows}.values())
    scores = fitted(points).corrected(points)
    assert scores.keys() == {(p.candidate, p.split) for p in points}
    assert np.isfinite(list(scores.values())).all()
