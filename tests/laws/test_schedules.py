"""Schedules: closed forms, their ranges, and what they refuse. One list of members, every law over each."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless import augment, decay, dropout
from gapless.errors import UsageError
from gapless.schedule import Constant, Cosine, Early, FlatCosine, Late, Linear, PerEpoch, Schedule

MEMBERS: dict[str, tuple[Schedule, dict[float, float]]] = {
    "constant": (Constant(), {0: 1, 0.5: 1, 1: 1}),
    "constant share": (Constant(0.3), {0: 0.3, 1: 0.3}),
    "linear": (Linear(), {0: 1, 0.25: 0.75, 1: 0}),
    "growing": (Linear(0.0, 2.0), {0: 0, 0.5: 1, 1: 2}),
    "cosine": (Cosine(), {0: 1, 1 / 3: 0.75, 0.5: 0.5, 1: 0}),
    "dino": (Cosine(1.0, 10.0), {0: 1, 0.5: 5.5, 1: 10}),
    "flat cosine": (FlatCosine(), {0: 1, 0.5: 1, 0.75: 0.5, 1: 0}),
    "cosine from the start": (FlatCosine(0.0), {0: 1, 0.5: 0.5, 1: 0}),
    "early": (Early(0.25, fade=False), {0: 1, 0.24: 1, 0.25: 0, 1: 0}),
    "fading": (Early(0.5, fade=True), {0: 1, 0.25: 0.5, 0.5: 0, 1: 0}),
    "late": (Late(0.25), {0: 0, 0.24: 0, 0.25: 1, 1: 1}),
}
each = pytest.mark.parametrize(("schedule", "points"), MEMBERS.values(), ids=MEMBERS)


@each
def test_a_schedule_goes_through_its_points(schedule: Schedule, points: dict[float, float]) -> None:
    assert [schedule(t) for t in points] == pytest.approx(list(points.values()), abs=1e-12)


@each
@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_a_schedule_moves_one_way_between_its_ends(
    schedule: Schedule, points: dict[float, float], a: float, b: float
) -> None:
    first, last = schedule(0.0), schedule(1.0)
    earlier, later = schedule(min(a, b)), schedule(max(a, b))
    assert min(first, last) - 1e-12 <= earlier <= max(first, last) + 1e-12 < math.inf
    assert (later - earlier) * (last - first) >= -1e-12


@each
@given(epoch=st.integers(0, 200), epochs=st.integers(1, 50), start=st.integers(0, 50))
def test_per_epoch_is_the_schedule_stretched_over_epochs(
    schedule: Schedule, points: dict[float, float], epoch: int, epochs: int, start: int
) -> None:
    share = min(max(epoch - start, 0) / epochs, 1.0)
    assert PerEpoch(schedule, epochs, start)(epoch) == schedule(share)


def test_flat_cosine_is_continuous_where_it_turns() -> None:
    assert FlatCosine(0.5)(0.5 + 1e-6) == pytest.approx(1, abs=1e-9)


def test_the_pillars_hand_out_the_same_schedules() -> None:
    assert dropout.FlatCosine is decay.FlatCosine is FlatCosine
    assert augment.image.RampUp(4, 0.5) == PerEpoch(Linear(0.5, 1.0), 4)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Constant(1.5), r"Constant: share must be in \[0, 1\], got 1.5"),
        (lambda: Linear(-1.0), "Linear: start must be a finite number >= 0, got -1.0"),
        (lambda: Cosine(1.0, math.inf), "Cosine: end must be a finite number >= 0, got inf"),
        (lambda: FlatCosine(1.0), r"FlatCosine: flat must be in \[0, 1\), got 1.0"),
        (lambda: FlatCosine(-0.1), r"FlatCosine: flat must be in \[0, 1\), got -0.1"),
        (lambda: Early(0.0, fade=True), r"Early: until must be in \(0, 1\], got 0.0"),
        (lambda: Early(1.5, fade=False), r"Early: until must be in \(0, 1\], got 1.5"),
        (lambda: Late(1.0), r"Late: since must be in \[0, 1\), got 1.0"),
        (lambda: Late(math.nan), r"Late: since must be in \[0, 1\), got nan"),
        (lambda: PerEpoch(Constant(), 0), "PerEpoch: epochs must be at least 1, got 0"),
        (lambda: PerEpoch(Constant(), 1, -1), "PerEpoch: start must be at least 0, got -1"),
    ],
)
def test_what_cannot_be_is_refused(build: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build()
