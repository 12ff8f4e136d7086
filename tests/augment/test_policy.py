"""Policies: how uniform numbers become choices."""

import numpy as np
import pytest

from gapless.augment.image.algebra import Color, Warp
from gapless.augment.image.policy import Choice, Policy, Step


def test_columns_count_what_the_steps_read() -> None:
    assert Policy(()).columns == 0
    steps = (Step("rotate", 15), Step("erase", 0.3))
    assert Policy(steps).columns == 2 + 4
    assert Policy(steps, pick=3).columns == 3 * 5


def test_a_table_of_the_wrong_shape_is_refused() -> None:
    policy = Policy((Step("rotate", 15),))
    with pytest.raises(ValueError, match=r"u must have shape \(B, 2\) for this policy, got \(4, 3\)"):
        policy.program(np.zeros((4, 3)), 8, 8)


def test_wrong_arguments_name_what_is_right() -> None:
    with pytest.raises(ValueError, match="fill must be one of black, gray, edge, reflect, got 'mirror'"):
        Policy((), fill="mirror")  # pyright: ignore[reportArgumentType]  # the point of the test
    with pytest.raises(ValueError, match="pick must be at least 1, or None for every step in order, got 0"):
        Policy((), pick=0)
    with pytest.raises(
        ValueError, match="that picks from its steps cannot have one that resizes among them; set `size`"
    ):
        Policy((Step("rotate", 5), Step("resized_crop", 0.5)), pick=1)
    with pytest.raises(ValueError, match="that picks from its steps cannot have choices among them"):
        Policy((Choice(((),)),), pick=1)
    with pytest.raises(ValueError, match="rotate: magnitude must be uniform or full, got 'half'"):
        Step("rotate", 1, magnitude="half")  # pyright: ignore[reportArgumentType]  # the point of the test
    with pytest.raises(ValueError, match=r"posterize: strength must be a whole number of bits, got 2\.5"):
        Step("posterize", 2.5)


def test_five_geometric_and_three_colour_steps_make_two_groups() -> None:
    steps = [Step(n, 0.1) for n in ("rotate", "scale", "translate_x", "shear_y")] + [Step("flip_x", 1, 0.5)]
    steps += [Step(n, 0.2) for n in ("brightness", "contrast", "saturation")]
    policy = Policy(tuple(steps))
    program = policy.program(np.random.default_rng(0).random((16, policy.columns)), 8, 8)
    assert [type(g.element) for g in program.groups] == [Warp, Color]


def test_rows_that_are_not_chosen_are_left_out() -> None:
    policy = Policy((Step("flip_x", 1, 0.5),))
    u = np.array([[0.2, 0.0], [0.7, 0.0], [0.4, 0.0]])
    (group,) = policy.program(u, 8, 8).groups
    assert group.rows is not None
    assert group.rows.tolist() == [0, 2]


def test_picks_are_equally_likely_and_the_identity_is_among_them() -> None:
    policy = Policy((Step("brightness", 0.5), Step("rotate", 10), Step("solarize", 200)), pick=1)
    u = np.random.default_rng(0).random((4000, policy.columns))
    rows = [g.rows for g in policy.program(u, 8, 8).groups]
    assert len(rows) == 3
    for chosen in rows:
        assert chosen is not None
        assert len(chosen) / 4000 == pytest.approx(1 / 4, abs=0.03)


def test_a_fixed_number_is_never_drawn_smaller() -> None:
    """Padding by 4 pixels and cropping: each of the 81 places is as likely as the others."""
    policy = Policy((Step("pad_crop", 4),))
    u = np.random.default_rng(0).random((8100, policy.columns))
    (group,) = policy.program(u, 32, 32).groups
    moves = np.zeros((8100, 2))
    moves[slice(None) if group.rows is None else group.rows] = group.element.data[:, :2, 2] * 16
    places, counts = np.unique(moves.round(9), axis=0, return_counts=True)
    assert len(places) == 81 and np.abs(places).max() == 4 and (places == np.rint(places)).all()
    assert counts.min() > 50 and counts.max() < 160
    assert policy.scaled(0.5).steps == (Step("pad_crop", 4, 0.5),)


def test_scaling_weakens_strengths_and_the_chance_of_switches() -> None:
    policy = Policy((Step("rotate", 20), Step("flip_x", 1, 0.5), Step("posterize", 4, 1.0)))
    half = policy.scaled(0.5)
    assert half.steps == (Step("rotate", 10), Step("flip_x", 1, 0.25), Step("posterize", 4, 0.5))
    assert policy.scaled(1) == policy
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 1\.5"):
        policy.scaled(1.5)
