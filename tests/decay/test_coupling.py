import math
from typing import Any

import pytest

from gapless.decay import COUPLINGS, convert, timescale, weight_decay_for


@pytest.mark.parametrize(
    ("strength", "source", "target", "settings", "expected"),
    [
        (1e-4, "textbook", "l2", {}, 2e-4),
        (5e-4, "l2", "textbook", {}, 2.5e-4),
        (5e-4, "l2", "decoupled", {}, 5e-4),
        (5e-4, "l2", "decoupled", {"momentum": 0.9}, 5e-3),
        (5e-3, "decoupled", "textbook", {"momentum": 0.9}, 2.5e-4),
        (0.1, "decoupled", "independent", {"peak_lr": 1e-3}, 1e-4),
        (1e-4, "independent", "decoupled", {"peak_lr": 1e-3}, 0.1),
        (1e-4, "independent", "constant", {}, 1e-4),
        (0.1, "decoupled", "corrected", {}, 0.1),
        (0.05, "textbook", "constant", {"peak_lr": 0.1}, 0.01),
        (1e-4, "textbook", "l2", {"adaptive": True}, 2e-4),
    ],
)
def test_known_conversions(
    strength: float, source: Any, target: Any, settings: dict[str, Any], expected: float
) -> None:
    assert convert(strength, source, target, **settings) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ((-1.0, "l2", "textbook"), {}, "strength must be a finite number >= 0, got -1.0"),
        (
            (1.0, "L2", "textbook"),
            {},
            r"there is no coupling 'L2'\. Did you mean 'l2'|there is no coupling 'L2'\. Choose",
        ),
        ((1.0, "l2", "decouple"), {}, r"there is no coupling 'decouple'\. Did you mean 'decoupled'\?"),
        ((1.0, "l2", "decoupled"), {"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1.0"),
        ((1.0, "l2", "decoupled"), {"adaptive": True}, "no factor converts l2 to decoupled in an adaptive optimizer"),
        ((1.0, "decoupled", "constant"), {}, "peak_lr is needed to convert from decoupled to constant"),
        ((1.0, "decoupled", "constant"), {"peak_lr": 0.0}, "peak_lr must be a finite number > 0, got 0.0"),
    ],
)
def test_conversions_that_are_refused(arguments: tuple[Any, ...], settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        convert(*arguments, **settings)


def test_timescale_in_epochs() -> None:
    assert timescale(1e-3, 0.1, 1000) == pytest.approx(10)
    assert timescale(0.1, 5e-4, 500, coupling="l2", momentum=0.9) == pytest.approx(4)
    assert timescale(1e-3, 1e-4, 1000, coupling="independent") == pytest.approx(10)
    assert timescale(5e-4, 1e-4, 1000, coupling="independent", peak_lr=1e-3) == pytest.approx(20)
    assert timescale(1e-3, 0.0, 1000) == math.inf
    assert weight_decay_for(10, 1e-3, 1000) == pytest.approx(0.1)
    assert timescale(3e-4, weight_decay_for(7.5, 3e-4, 123), 123) == pytest.approx(7.5)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_every_coupling_has_a_timescale(coupling: Any) -> None:
    strength = convert(0.1, "decoupled", coupling, peak_lr=1e-3, momentum=0.5)
    assert timescale(1e-3, strength, 1000, coupling=coupling, momentum=0.5) == pytest.approx(10)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: timescale(0.0, 0.1, 10), "lr must be a finite number > 0, got 0.0"),
        (lambda: timescale(0.1, 0.1, 0), "steps_per_epoch must be at least 1, got 0"),
        (lambda: timescale(0.1, 0.1, 1, coupling="adamw"), "there is no coupling 'adamw'"),
        (lambda: timescale(0.1, -0.1, 1), "strength must be a finite number >= 0, got -0.1"),
        (lambda: weight_decay_for(0.0, 0.1, 10), "epochs must be a finite number > 0, got 0.0"),
    ],
)
def test_timescales_that_are_refused(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()
