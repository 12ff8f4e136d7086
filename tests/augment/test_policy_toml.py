"""Policies as text, and the policies that are shipped."""

import math
from pathlib import Path

import numpy as np
import published
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.augment.image.ops import OPS
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.policy_toml import dumps, load, loads, preset, presets
from gapless.augment.image.program import FILLS
from gapless.augment.image.rand_augment import rand_augment
from gapless.augment.image.torch.interpreter import run


@st.composite
def steps(draw: st.DrawFn, resizing: bool = True) -> Step:
    name = draw(st.sampled_from([n for n in sorted(OPS) if resizing or n != "resized_crop"]))
    op = OPS[name]
    strength = draw(st.floats(0, op.strong)) if op.law == "uniform" else draw(st.integers(0, int(op.strong)))
    return Step(name, float(strength), draw(st.floats(0, 1)), draw(st.sampled_from(["uniform", "full"])))


choices = st.lists(st.lists(steps(resizing=False), max_size=2).map(tuple), min_size=1, max_size=3).map(
    lambda options: Choice(tuple(options))
)
sizes = st.none() | st.tuples(st.integers(1, 500), st.integers(1, 500))
fills = st.sampled_from(FILLS)
in_order = st.builds(Policy, st.lists(steps() | choices, max_size=5).map(tuple), pick=st.none(), fill=fills, size=sizes)
picking = st.builds(
    Policy, st.lists(steps(resizing=False), max_size=4).map(tuple), pick=st.integers(1, 4), fill=fills, size=sizes
)


@settings(max_examples=150, deadline=None)
@given(in_order | picking)
def test_what_is_written_reads_as_the_same_policy(policy: Policy) -> None:
    assert loads(dumps(policy)) == policy


def test_a_choice_drawn_twice_is_written_once() -> None:
    choice = Choice(((), (Step("rotate", 10),)))
    text = dumps(Policy((choice, choice, Step("flip_x", 1, 0.5))))
    assert text.count("one_of") == 1
    assert "times = 2" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 1\nsteps = 3", "p.toml: steps must be a list, got 3"),
        ("steps = []", "p.toml: schema must be 1, got None"),
        ("schema = 1\nfil = 'black'", "p.toml: there is no key 'fil'. Did you mean 'fill'?"),
        ("schema = 1\nfill = 'blck'", "p.toml: fill must be one of black, gray, edge, reflect, got 'blck'"),
        ("schema = 1\nsize = [3]", r"p.toml: size must be \[height, width\], got \[3\]"),
        ("schema = 1\npick = true", "p.toml: pick must be a whole number, got True"),
        ("schema = 1\n[[steps]]\nop = 'rotate'", r"steps\[0\]: strength must be given"),
        ("schema = 1\n[[steps]]\nop = 'rotate'\nstrength = '9'", r"steps\[0\]: strength must be a number, got '9'"),
        ("schema = 1\n[[steps]]\nop = 'rotat'\nstrength = 9", r"steps\[0\]: there is no image operation 'rotat'."),
        ("schema = 1\n[[steps]]\nop = 'rotate'\nstrengt = 9", r"steps\[0\]: there is no key 'strengt'. Did you mean"),
        (
            "schema = 1\n[[steps]]\none_of = [[], [{ op = 'rotate', strength = 999 }]]",
            r"p.toml: steps\[0\]: one_of\[1\]\[0\]: rotate: strength must be from 0 to 180 deg, got 999",
        ),
        ("schema = 1\n[[steps]]\none_of = []", r"steps\[0\]: a choice needs at least one option"),
        ("schema = 1\n[[steps]]\none_of = [[]]\ntimes = 0", r"steps\[0\]: times must be at least 1, got 0"),
        ("schema = ", "p.toml is not TOML: "),
    ],
)
def test_mistakes_are_named_with_their_place(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loads(text, "p.toml")


def test_files(tmp_path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(dumps(preset("classic")))
    assert load(path) == preset("classic")
    with pytest.raises(ValueError, match=r"the policy .*missing.toml cannot be read: No such file"):
        load(tmp_path / "missing.toml")
    with pytest.raises(ValueError, match=r"there is no policy 'clasic'\. Did you mean 'classic'\?"):
        preset("clasic")


@pytest.mark.parametrize("name", presets())
def test_every_shipped_policy_runs(name: str) -> None:
    policy = preset(name)
    images = torch.rand(40, 3, 32, 32)
    u = np.random.default_rng(0).random((40, policy.columns))
    out = run(policy.program(u, 32, 32), images)
    assert out.shape == images.shape
    assert (out != images).flatten(1).any(1).float().mean() > 0.5
    assert loads(dumps(policy)) == policy


OWN_NAMES = {
    "Color": "saturation",
    "AutoContrast": "autocontrast",
    "ShearX": "shear_x",
    "ShearY": "shear_y",
    "TranslateX": "translate_x",
    "TranslateY": "translate_y",
}


def own_strength(name: str, share: float) -> float:
    """The strength of an operation of the AutoAugment paper at a share of its range (table 6)."""
    if name.startswith("Shear"):
        return math.degrees(math.atan(0.3 * share))
    if name == "Posterize":
        return round(4 * share)
    ranges = {"TranslateX": 150 / 331, "TranslateY": 150 / 331, "Rotate": 30, "Solarize": 256}
    return ranges.get(name, 0.9) * share


@pytest.mark.parametrize("name", ["cifar10", "svhn", "imagenet"])
def test_autoaugment_is_the_papers_table(name: str) -> None:
    (choice,) = preset(f"autoaugment_{name}").steps
    assert isinstance(choice, Choice)
    lines = getattr(published, name.upper()).strip().splitlines()
    assert len(choice.options) == len(lines) == 25
    for option, line in zip(choice.options, lines, strict=True):
        words = line.split()
        for step, op, p, level in zip(option, words[::3], words[1::3], words[2::3], strict=True):
            assert step.op == OWN_NAMES.get(op, op.lower()), line
            assert step.p == float(p), line
            if level != ".":
                assert step.magnitude == "full"
                assert step.strength == pytest.approx(own_strength(op, int(level) / 9), rel=1e-5), line


def test_rand_augment_is_torchvisions_at_any_magnitude() -> None:
    ops = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness")
    for magnitude in (0, 4, 9, 17, 30):
        policy = rand_augment(3, magnitude)
        assert len(set(policy.steps)) == 1 and len(policy.steps) == 3
        assert isinstance(policy.steps[0], Choice)
        options = {option[0].op: option[0] for option in policy.steps[0].options if option}
        assert len(policy.steps[0].options) == 14
        for op in (*ops, "Posterize", "Solarize"):
            step = options[OWN_NAMES.get(op, op.lower())]
            assert step.magnitude == "full"
            assert step.strength == pytest.approx(own_strength(op, magnitude / 30), abs=0.2 if "Shear" in op else 1e-4)
    rand = preset("rand_augment").steps
    assert len(rand) == 2 and rand[0] == rand[1]
    assert isinstance(rand[0], Choice)
    ours = rand_augment().steps[0]
    assert isinstance(ours, Choice)
    for shipped, made in zip(rand[0].options, ours.options, strict=True):
        assert [s.op for s in shipped] == [s.op for s in made]
        assert [s.strength for s in shipped] == pytest.approx([s.strength for s in made], rel=0.03)
    with pytest.raises(ValueError, match="magnitude must be from 0 to 30, got 31"):
        rand_augment(2, 31)
    with pytest.raises(ValueError, match="operations must be at least 1, got 0"):
        rand_augment(0)


def test_trivial_augment_is_the_papers_wide_space() -> None:
    (wide,) = preset("trivial_augment").steps
    assert isinstance(wide, Choice)
    assert len(wide.options) == 14 and wide.options[0] == ()
    steps = {option[0].op: option[0] for option in wide.options if option}
    assert {step.magnitude for step in steps.values()} == {"uniform"}
    slope = math.degrees(math.atan(0.99))
    wanted = {"shear_x": slope, "shear_y": slope, "shift_x": 32, "shift_y": 32, "rotate": 135, "posterize": 6}
    wanted |= {"solarize": 256, "autocontrast": 1, "equalize": 1}
    wanted |= dict.fromkeys(("brightness", "saturation", "contrast", "sharpness"), 0.99)
    assert {op: step.strength for op, step in steps.items()} == pytest.approx(wanted, rel=1e-5)


def test_three_augment_and_classic_are_what_they_say() -> None:
    flip, choice, *jitter = preset("three_augment").steps
    assert flip == Step("flip_x", 1, 0.5)
    assert isinstance(choice, Choice)
    assert [[s.op for s in option] for option in choice.options] == [["grayscale"], ["solarize"], ["blur"]]
    assert jitter == [Step("brightness", 0.3), Step("contrast", 0.3), Step("saturation", 0.3)]
    classic = {step.op: step for step in preset("classic").steps if isinstance(step, Step)}
    assert classic["flip_x"] == Step("flip_x", 1, 0.5)
    for op, strength in {"rotate": 15, "brightness": 0.2, "contrast": 0.2, "saturation": 0.2}.items():
        assert classic[op] == Step(op, strength)
    assert {"crop", "translate_x", "translate_y", "shear_x", "shear_y"} < set(classic)
    ends = Policy((Step("scale", classic["scale"].strength),)).program(np.array([[0, 0], [0, 1 - 1e-12]]), 8, 8)
    sizes = [1 / matrix[0, 0] for matrix in ends.groups[0].element.data]
    assert sizes == pytest.approx([0.8, 1.2])


def test_augmix_is_no_policy() -> None:
    assert "augmix" not in presets()
    with pytest.raises(ValueError, match=r"use AugMix\.paper\(\)"):
        preset("augmix")


def test_a_policy_reads_and_writes_itself(tmp_path: Path) -> None:
    policy = preset("three_augment")
    assert Policy.loads(policy.to_toml()) == policy
    (tmp_path / "mine.toml").write_text(policy.to_toml(), encoding="utf-8")
    assert Policy.load(tmp_path / "mine.toml") == policy
    with pytest.raises(ValueError, match=r"mine\.txt cannot be read"):
        Policy.load(tmp_path / "mine.txt")
