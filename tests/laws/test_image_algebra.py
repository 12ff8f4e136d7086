"""The mathematics of the algebra: products, identities, and that merging changes nothing but the number of passes."""

import numpy as np
import pytest
import torch

from gapless.augment.image.algebra import Box, Color, Element, Hue, Lut, Warp
from gapless.augment.image.chains import Chains, Group, merge
from gapless.augment.image.ops import OPS, Size
from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.program import Program
from gapless.augment.image.torch.interpreter import run

SQUARE = Size(64, 64)


def draw(name: str, batch: int = 5, share: float = 0.3) -> Element:
    op = OPS[name]
    generator = np.random.default_rng(sorted(OPS).index(name))
    sign = generator.choice([-1, 1], batch) if op.signed else 1
    magnitude = generator.uniform(0.2, 1, batch) * sign * op.strong * share
    if op.law != "uniform":
        magnitude = np.rint(np.abs(magnitude) / share)
    return op.element(magnitude, generator.random((op.draws, batch)), SQUARE)


def smooth(batch: int = 5, size: int = 64) -> torch.Tensor:
    y, x = np.mgrid[:size, :size] / size
    waves = [0.5 + 0.2 * np.sin(6 * x + b + c) + 0.15 * np.cos(5 * y - c) for b in range(batch) for c in range(3)]
    return torch.from_numpy(np.array(waves, np.float32).reshape(batch, 3, size, size))


def program(chains: Chains) -> Program:
    return Program(len(chains.code), 64, 64, (64, 64), "edge", chains)


def chained(*elements: Element) -> Chains:
    """All pictures take all elements, in order."""
    return merge(len(elements[0]), [Group(element) for element in elements])


def product(*elements: Element) -> Element:
    """The one element that they merge into, the first one being done first."""
    (group,) = chained(*elements).groups()
    assert group.rows is None
    return group.element


def one_by_one(elements: list[Element], images: torch.Tensor) -> torch.Tensor:
    for element in elements:
        images = run(program(chained(element)), images)
    return images


def merged(elements: list[Element], images: torch.Tensor) -> torch.Tensor:
    return run(program(chained(*elements)), images)


@pytest.mark.parametrize("kind", [Warp, Color, Lut, Hue])
def test_the_product_is_associative_and_the_identity_neutral(kind: type[Element]) -> None:
    names = [n for n in sorted(OPS) if type(draw(n)) is kind]
    a, b, c = (draw(n, share=0.1 * (i + 1)) for i, n in enumerate((names * 3)[:3]))
    one = kind(np.repeat(kind.identity[None], 5, axis=0))
    np.testing.assert_allclose(product(product(a, b), c).data, product(a, product(b, c)).data, atol=1e-12)
    np.testing.assert_allclose(product(a, b, c).data, product(a, product(b, c)).data, atol=1e-12)
    np.testing.assert_array_equal(product(a, one).data, a.data)
    np.testing.assert_array_equal(product(one, a).data, a.data)
    assert chained(one, one).groups() == ()
    assert chained(a.where(np.zeros(5, bool))).groups() == ()


def test_merging_does_not_change_what_it_was_given() -> None:
    chain = [draw(n) for n in ("rotate", "scale", "brightness", "contrast", "gamma", "posterize", "hue", "hue")]
    before = [element.data.copy() for element in chain]
    assert len(chained(*chain).groups()) == 4
    for element, data in zip(chain, before, strict=True):
        np.testing.assert_array_equal(element.data, data)


def test_what_is_not_drawn_does_not_keep_neighbours_apart() -> None:
    """Only pictures that get the box are moved twice."""
    box = draw("erase").where(np.array([True, False, True, False, False]))
    chains = chained(draw("rotate"), box, draw("shear_x"))
    assert [[type(g.element), g.rows.tolist()] for g in chains.groups() if g.rows is not None] == [
        [Box, [0, 2]],
        [Warp, [0, 2]],
    ]
    images = smooth()
    out = run(program(chains), images)
    for b in range(5):
        alone = [element.take(slice(b, b + 1)) for element in (draw("rotate"), box, draw("shear_x"))]
        torch.testing.assert_close(out[b : b + 1], merged(alone, images[b : b + 1]))


def test_what_is_drawn_alike_is_run_together() -> None:
    """Whoever is not mirrored or not erased is warped and coloured together with the others."""
    flip, box = (draw(n).where(np.array([True, False, True, False, True])) for n in ("flip_x", "erase"))
    groups = chained(flip, draw("rotate"), box, draw("brightness"), draw("contrast")).groups()
    assert [type(g.element) for g in groups] == [Warp, Box, Color]
    assert [g.rows is None for g in groups] == [True, False, True]


def test_straight_warps_join_the_smooth_one_and_slanted_ones_do_not() -> None:
    crop, flip, turn = draw("resized_crop"), draw("flip_x"), draw("rotate")
    for chain in ((crop, flip), (flip, crop), (flip, crop, flip, crop)):
        element = product(*chain)
        assert isinstance(element, Warp) and element.smooth
    np.testing.assert_allclose(product(flip, crop).data, flip.data @ crop.data)
    assert [g.element.smooth for g in chained(turn, crop).groups() if isinstance(g.element, Warp)] == [False, True]
    assert [g.element.smooth for g in chained(crop, turn).groups() if isinstance(g.element, Warp)] == [True, False]


def test_pictures_are_resized_in_the_same_slot_whatever_they_had_before() -> None:
    """Some are mirrored first, which joins the resize; some turned first, which does not."""
    crop = draw("resized_crop")
    flip, turn = draw("flip_x").take(slice(0, 2)), draw("rotate").take(slice(2, 4))
    first = [Group(flip, np.array([0, 1])), Group(turn, np.array([2, 3]))]
    groups = merge(5, [first, Group(crop)], resizes=True).groups()
    assert [None if g.rows is None else g.rows.tolist() for g in groups] == [[2, 3], None]


def test_merged_colours_are_the_colours_one_by_one() -> None:
    images = smooth()
    chain = [draw(n, share=0.07) for n in ("contrast", "brightness", "saturation", "contrast", "brightness")]
    expected = one_by_one(chain, images)
    assert expected.min() > 0 and expected.max() < 1, "the law holds where nothing is cut"
    assert len(chained(*chain).groups()) == 1
    torch.testing.assert_close(merged(chain, images), expected, atol=2e-6, rtol=0)
    assert (merged(chain[1:], images) - expected).abs().max() > 0.005, "every factor shows, so the test has teeth"


def test_merging_leaves_elements_alone_unless_they_are_given_away() -> None:
    chain = [draw("brightness"), draw("contrast"), draw("rotate"), draw("scale")]
    before = [element.data.copy() for element in chain]
    tables = chained(*chain).tables
    assert all(np.array_equal(element.data, data) for element, data in zip(chain, before, strict=True))
    given = merge(len(chain[0]), [Group(element) for element in chain], ours=True).tables
    assert all(np.array_equal(one, other) for one, other in zip(tables, given, strict=True))
    assert np.shares_memory(given.color, chain[0].data) and np.shares_memory(given.warp, chain[2].data)


def test_merged_tables_are_the_tables_one_by_one() -> None:
    images = (smooth() * 255).to(torch.uint8)
    chain = [draw("gamma"), draw("solarize", share=0.9), draw("posterize")]
    assert len(chained(*chain).groups()) == 1
    assert (merged(chain, images) == one_by_one(chain, images)).all()


def test_a_merged_warp_is_the_warps_one_by_one_up_to_resampling() -> None:
    images = smooth()
    chain = [draw(n, share=0.15) for n in ("rotate", "shear_x", "translate_y", "scale")]
    inside = (slice(None), slice(None), slice(20, 44), slice(20, 44))
    levels = 255 * (merged(chain, images) - one_by_one(chain, images))[inside].abs()
    wrong = 255 * (merged(chain[::-1], images) - one_by_one(chain, images))[inside].abs()
    assert levels.mean() < 0.3
    assert levels.max() < 2
    assert wrong.max() > 5, "the product in the wrong order must show"


def test_a_product_of_warps_moves_a_point_as_its_factors_do() -> None:
    a, b = draw("rotate"), draw("translate_x")
    point = np.array([0.3, -0.2, 1.0])
    np.testing.assert_allclose(product(a, b).data @ point, np.einsum("bij,bj->bi", a.data, b.data @ point), atol=1e-12)


def test_kinds_without_a_product_stay_apart() -> None:
    for name in ("sharpness", "blur", "equalize", "jpeg", "noise", "erase", "grid_mask"):
        assert len(chained(draw(name), draw(name)).groups()) == 2


def test_elements_never_change_places_across_kinds() -> None:
    chains = chained(draw("rotate"), draw("gamma"), draw("shear_x"), draw("brightness"))
    kinds = [type(g.element) for g in chains.groups()]
    assert kinds == [Warp, Lut, Warp, Color]


def test_chains_of_their_own_are_each_pictures_steps_one_by_one() -> None:
    batch = 8
    images = smooth(batch)
    names = ["rotate", "shear_x", "brightness", "contrast", "solarize", "posterize", "sharpness", "erase"]
    generator = np.random.default_rng(0)
    slots, chains = [], [[] for _ in range(batch)]
    for _ in range(4):
        choice = generator.integers(0, len(names) + 1, batch)
        slot = []
        for number, name in enumerate(names):
            rows = np.flatnonzero(choice == number)
            element = draw(name, len(rows), 0.1)
            slot.append(Group(element, rows))
            for i, row in enumerate(rows):
                chains[row].append(element.take(slice(i, i + 1)))
        slots.append(slot)
    out = run(program(merge(batch, slots)), images)
    for b, chain in enumerate(chains):
        expected = merged(chain, images[b : b + 1])
        assert (out[b : b + 1] - expected).abs().mean() < 1e-5


def test_a_policy_that_picks_treats_each_picture_alone() -> None:
    steps = (Step("rotate", 30), Step("brightness", 0.5), Step("solarize", 256), Step("sharpness", 0.9, 0.5))
    policy = Policy(steps, pick=3)
    images = smooth(12)
    u = np.random.default_rng(3).random((12, policy.columns))
    together = run(policy.program(u, 64, 64), images)
    for b in range(12):
        alone = run(policy.program(u[b : b + 1], 64, 64), images[b : b + 1])
        assert (alone - together[b : b + 1]).abs().max() < 1e-5


@pytest.mark.parametrize("pick", [None, 2])
def test_a_program_in_parts_is_the_whole_program(pick: int | None) -> None:
    steps = (Step("rotate", 30), Step("flip_x", 1, 0.5), Step("brightness", 0.5, 0.4), Step("sharpness", 0.9, 0.3))
    policy = Policy(steps, pick=pick)
    images = smooth(11)
    whole = policy.program(np.random.default_rng(3).random((11, policy.columns)), 64, 64)
    out = run(whole, images)
    for start, stop in ((0, 4), (4, 5), (5, 5), (5, 11)):
        torch.testing.assert_close(run(whole.part(start, stop), images[start:stop]), out[start:stop])
