"""Policies as text, and the policies that are shipped."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.augment.image.batched import run
from gapless.augment.image.ops import OPS
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.policy_toml import dumps, load, loads, preset, presets
from gapless.augment.image.program import FILLS


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


def test_the_shipped_policies_are_the_published_ones() -> None:
    for name in ("cifar10", "imagenet", "svhn"):
        (choice,) = preset(f"autoaugment_{name}").steps
        assert isinstance(choice, Choice)
        assert [len(option) for option in choice.options] == [2] * 25
    cifar = preset("autoaugment_cifar10").steps[0]
    assert isinstance(cifar, Choice)
    assert cifar.options[1] == (
        Step("rotate", 6.66667, 0.7, "full"),
        Step("translate_x", 0.453172, 0.3, "full"),
    )
    rand = preset("rand_augment").steps
    assert len(rand) == 2 and rand[0] == rand[1]
    assert isinstance(rand[0], Choice)
    assert len(rand[0].options) == 14 and rand[0].options[0] == ()
    (wide,) = preset("trivial_augment").steps
    assert isinstance(wide, Choice)
    strengths = {option[0].op: option[0].strength for option in wide.options if option}
    assert len(wide.options) == 14
    assert strengths["rotate"] == 135 and strengths["posterize"] == 6 and strengths["brightness"] == 0.99
