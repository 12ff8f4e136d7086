"""Joint proposals: drawn from the priors, the same for the same seed, drawn to what did well."""

import math
import warnings

import numpy as np
import pytest
import torch

from gapless.recipe import Recipe, presets
from gapless.search.joint import propose
from gapless.search.space import KNOBS, RATES, knobs

Tried = list[tuple[Recipe, float, float]]
ADAMW = RATES["adamw"]


def tried(kind: str, count: int = 14) -> Tried:
    """Earlier proposals with made-up values: learning rates near 0.03 do well."""
    found: Tried = [(r, 0.01, 0.0) for r in presets(kind).values()]
    for seed in range(count):
        recipe, lr = propose([], KNOBS[kind], ADAMW, seed)
        found.append((recipe, lr, -abs(math.log(lr / 0.03))))
    return found


@pytest.mark.parametrize("kind", KNOBS)
def test_same_seed_same_proposal(kind: str) -> None:
    for known in ([], tried(kind)):
        first = [propose(known, KNOBS[kind], ADAMW, seed) for seed in range(4)]
        assert first == [propose(known, KNOBS[kind], ADAMW, seed) for seed in range(4)]
        assert len({recipe.to_toml() for recipe, _ in first}) == 4


@pytest.mark.parametrize("optimizer", RATES)
@pytest.mark.parametrize("kind", KNOBS)
def test_within_the_priors(kind: str, optimizer: str) -> None:
    rates, off = RATES[optimizer], dict.fromkeys((k.name for k in KNOBS[kind]), 0)
    for seed in range(150):
        recipe, lr = propose([], KNOBS[kind], rates, seed)
        assert Recipe.from_dict(recipe.to_dict()) == recipe
        assert rates.notches[1] * 0.95 <= lr <= rates.notches[-2] * 1.05
        assert lr == float(f"{lr:.2g}")
        assert recipe.augment.ops or recipe.augment.pick is None
        for knob in KNOBS[kind]:
            value = knob.read(recipe)
            off[knob.name] += value == 0
            assert value == 0 or knob.low * 0.95 <= value <= knob.high * 1.05, knob.name
    # "off" is a third of every prior, but two operations that put in another text switch the pick on
    least = {"pick": 0.1} if kind == "text" else {}
    assert all(least.get(name, 0.2) < share / 150 < 0.47 for name, share in off.items()), off


def test_only_the_knobs_it_is_given() -> None:
    few = [k for k in knobs("table", 0) if k.name in ("decay", "noise")]
    for seed in range(20):
        recipe, _ = propose([], few, ADAMW, seed)
        assert set(recipe.pillars()) <= {"decay", "augment"}
        assert not recipe.augment.mixup


def test_drawn_to_what_did_well() -> None:
    known = tried("image", 40)
    blind = [abs(math.log(propose([], KNOBS["image"], ADAMW, 1000 + s)[1] / 0.03)) for s in range(25)]
    led = [abs(math.log(propose(known, KNOBS["image"], ADAMW, 1000 + s)[1] / 0.03)) for s in range(25)]
    assert np.mean(led) < 0.6 * np.mean(blind)


def test_order_of_what_was_tried_is_part_of_the_book_and_nothing_global_is_read() -> None:
    known = tried("table")
    before = propose(known, KNOBS["table"], ADAMW, 5)
    np.random.seed(99)  # noqa: NPY002
    torch.manual_seed(99)
    state, torch_state = repr(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    assert propose(known, KNOBS["table"], ADAMW, 5) == before
    assert repr(np.random.get_state()) == state  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_what_lies_outside_of_the_priors_is_taken_in_at_their_ends() -> None:
    """A preset or a move may be stronger than the prior reaches, or have a learning rate beyond it."""
    strong = presets("image")["strong"]
    known = [(strong, 0.1, 1.0), (Recipe(), 1e-4, 0.5)] * 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipe, lr = propose(known, KNOBS["image"], ADAMW, 0)
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert 1e-4 <= lr <= 0.1
