"""A recipe as a value: the empty one, its parts, and the way to plain values and TOML and back."""

import io
import pickle
import tomllib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from recipe_draws import recipes

from gapless.errors import UsageError
from gapless.recipe import PILLARS, Augment, BatchNorm, Decay, Dropout, Op, Recipe, preset, presets

PARTS = {
    "dropout": Dropout(hidden=0.2),
    "batchnorm": BatchNorm(insert=True),
    "decay": Decay(strength=0.1),
    "augment": Augment(mixup=0.2),
}


# ── parts ──


def test_empty_recipe_is_off_everywhere() -> None:
    empty = Recipe()
    assert not empty.active
    assert empty.pillars() == ()
    assert empty.to_dict() == {}
    assert Recipe.from_dict({}) == empty
    assert Recipe.from_toml("schema = 1") == empty


@pytest.mark.parametrize("pillar", PILLARS)
def test_one_pillar_on_and_off(pillar: str) -> None:
    recipe = Recipe().replace(pillar, PARTS[pillar])
    assert recipe.pillars() == (pillar,)
    assert recipe.active
    assert recipe.part(pillar) == PARTS[pillar]
    assert recipe.without(pillar) == Recipe()
    for other in PILLARS:
        assert (recipe.without(other) == recipe) == (other != pillar)


def test_pillars_come_in_the_order_of_the_house() -> None:
    recipe = Recipe(augment=Augment(noise=0.1), dropout=Dropout(input=0.1), decay=Decay(strength=1e-3))
    assert recipe.pillars() == ("dropout", "decay", "augment")


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(decay=Decay(on="everything")),
        Recipe(augment=Augment(pick=1)),
        Recipe(augment=Augment(fill="reflect")),
    ],
    ids=["decay on everything, strength 0", "pick without ops", "fill without ops"],
)
def test_settings_without_a_strength_switch_nothing_on(recipe: Recipe) -> None:
    assert not recipe.active
    assert recipe.pillars() == ()
    assert Recipe.from_toml(recipe.to_toml()) == recipe  # but they are kept


@pytest.mark.parametrize(
    "augment",
    [
        Augment(ops=(Op(op="rotate", strength=5.0),)),
        Augment(mixup=0.1),
        Augment(cutmix=0.1),
        Augment(label_smoothing=0.1),
        Augment(noise=0.1),
    ],
)
def test_every_strength_of_augmentation_switches_it_on(augment: Augment) -> None:
    assert Recipe(augment=augment).pillars() == ("augment",)


def test_a_pillar_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no pillar 'dropuot'. Did you mean 'dropout'"):
        Recipe().without("dropuot")
    with pytest.raises(UsageError, match="no pillar 'augment_part'"):
        Recipe().replace("augment_part", Augment())


def test_a_part_of_another_pillar_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the part for dropout must be a gapless\.recipe\.Dropout, got Decay"):
        Recipe().replace("dropout", Decay(strength=0.1))


def test_frozen_and_hashable() -> None:
    recipe = preset("image", "strong")
    with pytest.raises(ValidationError, match="frozen"):
        recipe.dropout = Dropout()
    with pytest.raises(ValidationError, match="frozen"):
        recipe.augment.mixup = 1.0
    assert hash(recipe) == hash(Recipe.from_dict(recipe.to_dict()))
    assert pickle.loads(pickle.dumps(recipe)) == recipe


# ── plain values and TOML ──


@given(recipes)
def test_through_plain_values_and_back(recipe: Recipe) -> None:
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@given(recipes, st.text(max_size=60))
def test_through_toml_and_back(recipe: Recipe, comment: str) -> None:
    text = recipe.to_toml(comment)
    assert Recipe.from_toml(text) == recipe
    assert {k: v for k, v in tomllib.loads(text).items() if k != "schema"} == recipe.to_dict()


@given(recipes)
def test_plain_values_hold_only_what_differs_from_off(recipe: Recipe) -> None:
    values = recipe.to_dict()
    assert set(recipe.pillars()) <= set(values)
    for pillar, part in values.items():
        off = type(recipe.part(pillar))().model_dump(mode="json")
        assert part
        assert all(off[key] != value for key, value in part.items())


def test_comment_stands_above_the_first_line() -> None:
    text = Recipe(decay=Decay(strength=1e-5)).to_toml("Tuned on digits.\n\n[dropout]")
    assert text == "# Tuned on digits.\n#\n# [dropout]\nschema = 1\n\n[decay]\nstrength = 1e-05\n"


def test_from_dict_leaves_its_argument_alone() -> None:
    values = preset("image", "strong").to_dict()
    before = repr(values)
    Recipe.from_dict(values)
    assert repr(values) == before


# ── presets ──


@pytest.mark.parametrize("kind", ["image", "table", "text"])
def test_presets_load_and_differ(kind: str) -> None:
    shipped = presets(kind)
    assert len(shipped) >= 4
    assert "strong" in shipped
    assert len(set(shipped.values())) == len(shipped)
    for name, recipe in shipped.items():
        assert len(recipe.pillars()) >= 2, name
        assert preset(kind, name) == recipe
        assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_presets_of_tables_need_no_pictures() -> None:
    for recipe in presets("table").values():
        assert not recipe.augment.ops
        assert not recipe.augment.cutmix
        assert not recipe.dropout.channel


def test_a_preset_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"no preset 'strnog' for images. Did you mean 'strong'"):
        preset("image", "strnog")
    with pytest.raises(UsageError, match=r"no presets for 'sound'. Choose one of: image, table, text"):
        presets("sound")


@given(recipes)
def test_a_checkpoint_that_holds_one_is_loaded_as_weights_only(recipe: Recipe) -> None:
    file = io.BytesIO()
    torch.save({"hyper_parameters": {"recipe": recipe}}, file)
    file.seek(0)
    assert torch.load(file, weights_only=True)["hyper_parameters"]["recipe"] == recipe
