"""Policies with choices as a part of a recipe: the published ones go in, through TOML and back, and draw the same."""

import numpy as np
import pytest
import torch

from gapless.augment import image
from gapless.augment.image import Choice, Policy, Step, preset, rand_augment, run
from gapless.augment.text import Policy as TextPolicy
from gapless.augment.text import Step as TextStep
from gapless.errors import UsageError
from gapless.recipe import Augment, Op, Recipe

AS_THEY_ARE = ("autoaugment_svhn", "autoaugment_cifar10", "trivial_augment", "rand_augment", "classic")


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_published_policies_go_through_a_recipe(name: str) -> None:
    recipe = Recipe(augment=Augment.of(preset(name)))
    again = Recipe.from_toml(recipe.to_toml("by hand"))
    assert again == recipe
    assert {o.op for o in again.augment.every_op} == {s.op for s in preset(name).every_step if s.p > 0}
    again.augment.require("image")
    with pytest.raises(UsageError, match="operation on pictures"):
        again.augment.require("text")


def test_what_is_drawn_is_what_the_policy_draws() -> None:
    policy = rand_augment(2, 9)
    part = Augment.of(policy)
    assert part.times == 2
    assert part.policy() == policy
    pictures = torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8)
    u = np.random.default_rng(0).random((6, policy.columns))
    assert torch.equal(run(part.policy().program(u, 8, 8), pictures), run(policy.program(u, 8, 8), pictures))
    varied, _ = Recipe(augment=part).batch(pictures, torch.zeros(6, dtype=torch.int64), torch.Generator(), 2)
    assert not torch.equal(varied, pictures)


def test_texts_have_their_form_too() -> None:
    policy = TextPolicy((TextStep("swap", 0.1), TextStep("delete", 0.2, 0.5)), pick=1)
    assert Augment.of(policy).text_policy() == policy


def test_what_has_no_place_in_a_recipe_is_refused() -> None:
    turn, flip = Step("rotate", 10), Step("flip_x", 1)
    for policy in (
        Policy((turn,), size=(8, 8)),
        Policy((turn,), reading="nearest"),
        Policy((Choice(((turn,),)), flip)),
        Policy((Choice(((turn,),)), Choice(((flip,),)))),
        preset("three_augment"),
    ):
        with pytest.raises(UsageError, match="a recipe has a policy's steps, then one choice"):
            Augment.of(policy)
    with pytest.raises(
        UsageError,
        match=r"recipe line 4.*there is no 'augment.one_of.0.0.strengh' in a recipe. Did you mean 'strength'",
    ):
        Recipe.from_toml('schema = 1\n\n[augment]\none_of = [[{ op = "rotate", strengh = 3.0 }]]\n')
    with pytest.raises(UsageError, match="there is no operation 'rotaet'"):
        Recipe.from_toml('schema = 1\n[augment]\none_of = [[{ op = "rotaet", strength = 3.0 }]]\n')
    with pytest.raises(UsageError, match="one_of is for operations on pictures"):
        Augment(one_of=((Op(op="swap", strength=0.1),),))
    assert image.Policy(()) == Augment().policy()
