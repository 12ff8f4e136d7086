"""What can be turned in a recipe: knobs that read what they write, and moves that go one step."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.recipe import PILLARS, Augment, Op, Recipe, presets
from gapless.search.joint import propose
from gapless.search.space import KNOBS, OFF, PARAPHRASED, RATES, Knob, fit, knobs, moves, summary, tidy

ALL = [(kind, knob) for kind, found in KNOBS.items() for knob in found]


def turned(kind: str, positions: list[float]) -> Recipe:
    """A recipe as the search makes them: every knob of a kind of data at a position."""
    recipe = Recipe()
    for knob, position in zip(KNOBS[kind], positions, strict=True):
        recipe = knob.write(recipe, knob.value(position))
    return recipe


def searched(kind: str) -> st.SearchStrategy[Recipe]:
    size = len(KNOBS[kind])
    return st.lists(st.floats(OFF, 1), min_size=size, max_size=size).map(lambda positions: turned(kind, positions))


WHOLE = {"batch norm", "pick"}
"""Knobs that take whole numbers."""
OTHER_WORDS = {"back translation", "contextual"}
YIELD = {"pick", *OTHER_WORDS}
"""Knobs of which not every combination is possible: one that is turned may turn the others."""


def valid(recipe: Recipe) -> bool:
    """Whether it is one that can be written, read and applied: copies of a part are not checked when they are made."""
    return Recipe.from_dict(recipe.to_dict()) == recipe


def reads(recipe: Recipe, kind: str) -> dict[str, float]:
    return {k.name: k.read(recipe) for k in KNOBS[kind]}


@pytest.mark.parametrize(("kind", "knob"), ALL, ids=[f"{k} {n.name}" for k, n in ALL])
class TestKnob:
    def test_position_is_the_inverse_of_value(self, kind: str, knob: Knob) -> None:
        for n in range(11):
            assert knob.position(knob.value(n / 10)) == pytest.approx(n / 10, abs=1e-9)
        assert knob.value(0) == pytest.approx(knob.low)
        assert knob.value(1) == pytest.approx(knob.high)
        assert knob.low <= knob.usual <= knob.high

    def test_below_zero_is_off(self, kind: str, knob: Knob) -> None:
        for position in (OFF, OFF / 2, -1e-9):
            assert knob.value(position) == 0
        assert OFF < knob.position(0) < 0

    def test_beyond_the_ends(self, kind: str, knob: Knob) -> None:
        assert knob.position(knob.high * 3) == 1
        assert knob.position(knob.low / 3) == 0

    @settings(max_examples=25)
    @given(data=st.data(), position=st.floats(0, 1))
    def test_reads_what_it_writes_and_touches_nothing_else(
        self, kind: str, knob: Knob, data: st.DataObject, position: float
    ) -> None:
        recipe = data.draw(searched(kind))
        value = knob.value(position)
        written = knob.write(recipe, value)
        expected = max(1, round(value)) if knob.name in WHOLE else float(f"{value:.2g}")
        assert knob.read(written) == expected
        before, after = reads(recipe, kind), reads(written, kind)
        may = {knob.name, *YIELD} if kind == "text" and knob.name in YIELD else {knob.name}
        assert {k: v for k, v in after.items() if k not in may} == {k: v for k, v in before.items() if k not in may}
        for pillar in PILLARS:
            assert pillar == knob.pillar or written.part(pillar) == recipe.part(pillar)
        assert valid(written)
        assert knob.write(written, value) == written

    @settings(max_examples=25)
    @given(data=st.data())
    def test_off_is_off(self, kind: str, knob: Knob, data: st.DataObject) -> None:
        recipe = data.draw(searched(kind))
        written = knob.write(recipe, 0.0)
        assert knob.read(written) == 0
        assert valid(written)

    def test_usual_strength_on_the_empty_recipe(self, kind: str, knob: Knob) -> None:
        written = knob.write(Recipe(), knob.usual)
        assert knob.read(written) > 0
        assert written.pillars() == (() if knob.name == "pick" else (knob.pillar,))
        if knob.name != "pick":
            assert knob.name in summary(written, KNOBS[kind])


def test_names_are_unique_and_pillars_known() -> None:
    for found in KNOBS.values():
        assert len({k.name for k in found}) == len(found)
        assert {k.pillar for k in found} == set(PILLARS)


def test_every_preset_is_made_of_knobs() -> None:
    """With all knobs off nothing is left of a preset: the search can reach it, and every strength of it."""
    for kind, found in KNOBS.items():
        for name, recipe in presets(kind).items():
            for knob in found:
                assert knob.read(recipe) == 0 or knob.low <= knob.read(recipe) <= knob.high, (name, knob.name)
                recipe = knob.write(recipe, 0.0)
            assert not recipe.active, (name, recipe)


def test_a_regression_has_no_labels_to_smooth() -> None:
    assert "label smoothing" in {k.name for k in knobs("table", 3)}
    assert "label smoothing" not in {k.name for k in knobs("table", 0)}
    strong = presets("image")["strong"]
    assert strong.augment.label_smoothing
    assert not fit(strong, "image", 0).augment.label_smoothing
    assert fit(strong, "image", 10) == strong


def test_summary() -> None:
    assert summary(Recipe(), KNOBS["image"]) == "plain"
    words = summary(presets("image")["strong"], KNOBS["image"])
    assert words.startswith("dropout 0.1, batch norm, decay 0.05, mixup 0.2")
    assert "rotate 30" in words


def test_rates_are_notches_that_climb() -> None:
    for rates in RATES.values():
        assert list(rates.notches) == sorted(set(rates.notches))
        assert set(rates.first) <= set(rates.notches)
        assert rates.notches[0] < min(rates.first)
        assert max(rates.first) < rates.notches[-1]


# ── operations that put in another text ──


def of(recipe: Recipe) -> tuple[list[str], int | None]:
    part = recipe.augment
    return [o.op for o in part.ops], part.pick


def test_one_that_puts_in_another_text_stands_first_and_beside_pick_1() -> None:
    by_name = {k.name: k for k in KNOBS["text"]}
    back, other, pick, typos = (by_name[n] for n in ("back translation", "contextual", "pick", "typos"))
    some = typos.write(Recipe(), 0.1)
    one = back.write(some, 0.5)
    assert of(one) == (["back_translate", "typos", "keyboard"], None)
    assert of(typos.write(back.write(Recipe(), 0.5), 0.1)) == of(one)
    assert one.augment.ops[0] == Op(op="back_translate", strength=1.0, p=0.5)
    two = other.write(one, 0.25)
    assert of(two) == (["contextual", "back_translate", "typos", "keyboard"], 1), "both: each text gets one of them"
    assert of(pick.write(two, 0.0)) == (["contextual", "typos", "keyboard"], None)
    assert of(pick.write(two, 2.0)) == (["typos", "keyboard"], 2)
    assert of(back.write(pick.write(some, 3.0), 0.5)) == (["back_translate", "typos", "keyboard"], 1)
    assert of(back.write(two, 0.0)) == (["contextual", "typos", "keyboard"], 1), "pick is left as it is"


@settings(max_examples=150)
@given(data=st.data(), recipe=searched("text"))
def test_whatever_the_search_reaches_is_valid(data: st.DataObject, recipe: Recipe) -> None:
    """From any joint proposal, by moves and by knobs turned off for want of a place, with both kinds of paraphrases."""
    from gapless.search.supported import only

    assert valid(recipe) and valid(tidy(recipe))
    for _ in range(data.draw(st.integers(1, 6))):
        recipe = data.draw(st.sampled_from([m.recipe for m in moves(recipe, 0.01, KNOBS["text"], RATES["adamw"])]))
        assert valid(recipe)
    kept = data.draw(st.lists(st.sampled_from(KNOBS["text"]), unique_by=lambda k: k.name))
    fitted = only(recipe, tuple(kept), "text", 2)
    assert valid(fitted)
    assert {k.name for k in KNOBS["text"] if k.read(fitted)} <= {k.name for k in kept}


@pytest.mark.parametrize("way", ["moves", "joint"])
def test_the_search_reaches_back_translation_beside_every_pick_there_is(way: str) -> None:
    """Or the test above would be one of a search that never goes there."""
    seen: set[tuple[tuple[str, ...], int | None]] = set()
    recipes = (
        starts("text") if way == "moves" else [propose([], KNOBS["text"], RATES["adamw"], s)[0] for s in range(80)]
    )
    for recipe in recipes:
        ops, pick = of(recipe)
        seen.add((tuple(sorted(o for o in ops if o in PARAPHRASED.values())), pick))
    assert seen >= {(("back_translate",), None), (("back_translate",), 1), (("contextual",), 1), ((), 1), ((), None)}
    assert way == "moves" or seen >= {(("back_translate", "contextual"), 1), ((), 2), ((), 3)}


# ── moves ──


def starts(kind: str) -> list[Recipe]:
    """The presets, a single op to pick from, and what two further moves make of them."""
    found = list(presets(kind).values())
    if kind == "image":
        only = Augment(ops=(Op(op="rotate", strength=10.0),), pick=1, mixup=0.2)
        found.append(found[0].replace("augment", only))
    for _ in range(2):
        steps = [m.recipe for recipe in found for m in moves(recipe, 0.01, KNOBS[kind], RATES["adamw"])]
        found = [*found, *steps[:: max(1, len(steps) // 40)]]
    return found


@pytest.mark.parametrize("kind", KNOBS)
def test_moves_go_one_step(kind: str) -> None:
    for recipe in starts(kind):
        before = reads(recipe, kind)
        names: list[str] = []
        for move in moves(recipe, 0.01, KNOBS[kind], RATES["adamw"]):
            names.append(move.name)
            assert (move.recipe, move.lr) != (recipe, 0.01), move.name
            assert valid(move.recipe), move.name
            after = reads(move.recipe, kind)
            changed = {k for k in before if before[k] != after[k]}
            pillars = {p for p in PILLARS if recipe.part(p) != move.recipe.part(p)}
            subject, _, word = move.name.rpartition(" ")
            if move.name.endswith("learning rate"):
                assert move.recipe == recipe
                assert 0.4 < move.lr / 0.01 < 2.5
                continue
            assert move.lr == 0.01
            assert len(pillars) == 1, move.name
            if word in ("weaker", "stronger"):
                assert pillars == {subject}
                assert changed
                assert all((after[k] < before[k]) == (word == "weaker") for k in changed), (move.name, before, after)
                assert all(after[k] > 0 for k in changed)
            elif subject in PILLARS and changed != {subject}:
                assert not move.recipe.part(subject).active
            else:
                assert subject in changed
                assert changed <= {subject, "pick"} | (YIELD if subject == "pick" else set())
                assert (after[subject] > 0) == (word == "on")
        assert len(set(names)) >= len(names) - 2  # "dropout off" is a pillar and a knob


@pytest.mark.parametrize("kind", KNOBS)
def test_moves_leave_nothing_without_effect_behind(kind: str) -> None:
    """Two recipes that do the same must be equal, or the search tries both: no pick without ops to pick from."""
    for recipe in starts(kind):
        for move in moves(recipe, 0.01, KNOBS[kind], RATES["adamw"]):
            part = move.recipe.augment
            assert part.ops or part.pick is None, move.name


@pytest.mark.parametrize("kind", KNOBS)
def test_every_knob_can_be_reached_from_the_empty_recipe(kind: str) -> None:
    names = {m.name for m in moves(Recipe(), 0.01, KNOBS[kind], RATES["adamw"])}
    assert {f"{k.name} on" for k in KNOBS[kind] if k.name != "pick"} <= names


def test_learning_rates_stay_within_the_notches() -> None:
    for lr in (1e-4, 1.2e-4, 0.09, 0.1):
        for move in moves(Recipe(), lr, KNOBS["table"], RATES["adamw"]):
            assert 1e-4 <= move.lr <= 0.1
