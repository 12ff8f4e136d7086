"""Policies as operations for the guard."""

from dataclasses import replace

import numpy as np
import pytest

from gapless.augment import image, text
from gapless.augment.image.augmix import AugMix
from gapless.augment.text.resources import Resources
from gapless.diagnose.label_ops import WHOLE, image_ops, text_ops
from gapless.errors import UsageError

TEXTS = [f"The quiet teacher painted a green window near the old river {n} times" for n in range(40)]
PICTURES = np.random.default_rng(0).integers(0, 256, (300, 9, 7, 1), dtype=np.uint8)


def test_steps_of_a_text_policy_by_themselves_and_together() -> None:
    steps = (text.Step("swap", 0.2, p=0.1), text.Step("delete", 0.3), text.Step("delete", 0.5), text.Step("typos", 0.0))
    policy = text.Policy(steps, pick=1)
    ops = text_ops(policy)
    assert list(ops) == ["swap", "delete", WHOLE]
    swapped = ops["swap"](1.0, TEXTS, 0)
    assert sum(a != b for a, b in zip(TEXTS, swapped, strict=True)) > 30, "whatever its p"
    assert all(sorted(a.lower().split()) == sorted(b.lower().split()) for a, b in zip(TEXTS, swapped, strict=True))
    halves = [sum(len(t.split()) for t in ops["delete"](share, TEXTS, 0)) for share in (0.0, 0.5, 1.0)]
    words = sum(len(t.split()) for t in TEXTS)
    assert halves[0] == words
    assert words - halves[1] == pytest.approx((words - halves[2]) / 2, rel=0.3)
    whole = ops[WHOLE](1.0, TEXTS, 5)
    assert whole == policy.apply(TEXTS, 5, 0, range(len(TEXTS)))
    assert 0 < sum(a == b for a, b in zip(TEXTS, whole, strict=True)) < len(TEXTS), "drawn as training draws it"
    assert ops["swap"](1.0, TEXTS, 0) == swapped != ops["swap"](1.0, TEXTS, 1)


def test_resources_go_to_the_operations() -> None:
    policy = text.Policy((text.Step("back_translate", 1.0),))
    found = {t: (t.replace("green", "verdant"),) for t in TEXTS}
    ops = text_ops(policy, Resources(paraphrases={"back_translate": found}))
    assert ops["back_translate"](1.0, TEXTS, 0) == [found[t][0] for t in TEXTS]
    with pytest.raises(UsageError, match="back_translate picks from paraphrases"):
        text_ops(policy)["back_translate"](1.0, TEXTS, 0)


def test_steps_of_a_picture_policy_keep_the_size() -> None:
    policy = image.Policy((image.Step("flip_x", 1, p=0.5), image.Step("brightness", 0.2)), size=(5, 5))
    ops = image_ops(policy)
    assert list(ops) == ["flip_x", "brightness", WHOLE]
    np.testing.assert_array_equal(ops["flip_x"](1.0, PICTURES, 0), PICTURES[:, :, ::-1])
    whole = ops[WHOLE](1.0, PICTURES, 3)
    assert whole.shape == PICTURES.shape and whole.dtype == np.uint8
    np.testing.assert_array_equal(ops[WHOLE](1.0, PICTURES[:280], 3), whole[:280])  # by row, not by batch
    assert (ops[WHOLE](1.0, PICTURES, 4) != whole).any()
    np.testing.assert_array_equal(ops["brightness"](0.0, PICTURES, 0), PICTURES)


def test_choices_and_chains_are_opened() -> None:
    choice = image.policy.Choice(((image.Step("invert", 1),), (), (image.Step("rotate", 10), image.Step("rotate", 30))))
    ops = image_ops(image.Policy((choice,)))
    assert list(ops) == ["invert", "rotate", WHOLE]
    np.testing.assert_array_equal(ops["invert"](1.0, PICTURES, 0), 255 - PICTURES)
    mix = replace(AugMix.paper(), width=2)
    ops = image_ops(mix)
    assert list(ops) == [*dict.fromkeys(step.op for step in mix.steps), WHOLE]
    mixed = ops[WHOLE](1.0, PICTURES[:9], 0)
    assert mixed.shape == (9, 9, 7, 1) and (mixed != PICTURES[:9]).any()


def test_a_policy_that_changes_nothing_has_no_operations() -> None:
    assert text_ops(text.Policy((text.Step("swap", 0.0),))) == {}
    assert image_ops(image.Policy(())) == {}


def test_one_step_that_is_always_taken_is_the_whole_policy() -> None:
    assert list(text_ops(text.Policy((text.Step("swap", 0.5),)))) == ["swap"]
    assert list(text_ops(text.Policy((text.Step("swap", 0.5, p=0.5),)))) == ["swap", WHOLE]
