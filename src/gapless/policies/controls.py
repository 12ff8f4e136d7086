"""What a learned policy is held against in the same run: nothing, chance, and what others have published."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gapless.augment import image
from gapless.augment.image import rand_augment
from gapless.augment.policies.space import Policy, Space
from gapless.augment.text import policy_toml as texts
from gapless.errors import UsageError
from gapless.policies.children import Nursery
from gapless.policies.options import Method
from gapless.policies.searchers import recipe_of
from gapless.recipe import Recipe

GRID = tuple((n, m) for n in (1, 2) for m in (4.0, 9.0, 14.0))
"""RandAugment's operations a picture and magnitudes, of 30."""
SHARE = 0.05
"""Length of the trainings that choose in the grid and among the published ones, in full trainings."""
RANDOM, TRIVIAL, RAND, PUBLISHED = "random policy", "TrivialAugment", "RandAugment", "published policy"


def random_policy(space: Space, method: Method, seed: int) -> Callable[[int], Recipe]:
    """For each seed of the verdict another policy, drawn from the table of the search and in the search's form."""
    drawn = space.drawn_spread if method == "strength" else space.drawn
    return lambda number: recipe_of(drawn(seed, number))


def chosen(nursery: Nursery, space: Space) -> dict[str, tuple[str, Recipe]]:
    """TrivialAugment, and the best of RandAugment's grid and of the published policies on select: what each is, and
    its recipe. Published ones are as published, the guard has no say in them."""
    epochs = max(1, round(SHARE * nursery.full))
    if space.kind == "text":
        trivial = space.spread([r.op for r in space.ranges], 1.0)
        published: dict[str, Policy] = {name: texts.preset(name) for name in texts.presets()}
        return {
            TRIVIAL: ("all operations of the table, one a text", recipe_of(trivial)),
            PUBLISHED: _best(nursery, published, epochs),
        }
    grid: dict[str, Policy] = {f"N {n}, M {m:g}": rand_augment(n, m) for n, m in GRID}
    return {
        TRIVIAL: ("its wide ranges", recipe_of(image.preset("trivial_augment"))),
        RAND: _best(nursery, grid, epochs),
        PUBLISHED: _best(nursery, _published(), epochs),
    }


def _published() -> dict[str, Policy]:
    """Those that are shipped and have a recipe's form, but for the kinds that are controls of their own."""
    found: dict[str, Policy] = {}
    for name in image.presets():
        if name.startswith(("trivial", "rand")):
            continue
        try:
            recipe_of(image.preset(name))
        except UsageError:
            continue
        found[name] = image.preset(name)
    return found


def _best(nursery: Nursery, policies: dict[str, Policy], epochs: int) -> tuple[str, Recipe]:
    recipes = {name: recipe_of(policy) for name, policy in policies.items()}
    losses = nursery.losses([nursery.child(recipe, epochs) for recipe in recipes.values()])
    name = list(recipes)[int(np.argmin([np.inf if each is None else each.mean() for each in losses]))]
    return f"{name}, the best of {len(recipes)}", recipes[name]
