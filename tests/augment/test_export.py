"""Code for other libraries: it is Python, it says what it cannot say, and it does there what it does here."""

import ast
import re

import numpy as np
import pytest
import torch

from gapless.augment.image.batched import run
from gapless.augment.image.export import to_albumentations, to_torchvision
from gapless.augment.image.ops import OPS
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.policy_toml import preset, presets

WRITERS = {"torchvision": to_torchvision, "albumentations": to_albumentations}


def middle(name: str, magnitude: str = "uniform", p: float = 1.0) -> Step:
    op = OPS[name]
    return Step(name, op.strong * 0.3 if op.law == "uniform" else 1.0, p, magnitude)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("library", WRITERS)
@pytest.mark.parametrize("name", sorted(OPS))
@pytest.mark.parametrize("magnitude", ["uniform", "full"])
def test_an_operation_is_written_or_said_to_have_no_equivalent(library: str, name: str, magnitude: str) -> None:
    text = WRITERS[library](Policy((middle(name, magnitude, 0.3),), size=(40, 40)))
    (call,) = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.List)][:1]
    if call.elts:
        assert "no equivalent" not in text
        assert "0.3" in text
    else:
        assert f"# {name}, strength" in text and "p 0.3: no equivalent" in text


@pytest.mark.parametrize("library", WRITERS)
@pytest.mark.parametrize("name", presets())
def test_every_shipped_policy_is_written_in_full(library: str, name: str) -> None:
    policy = preset(name)
    text = WRITERS[library](policy)
    ast.parse(text)
    for entry in policy.steps:
        for option in entry.options if isinstance(entry, Choice) else ((entry,),):
            for step in option:
                written = re.search(rf"# {step.op}, strength", text) is not None
                known = (
                    step.record.torchvision if library == "torchvision" else step.record.albumentations
                ) is not None
                assert written or known


def test_ranges_and_signs_are_the_policys() -> None:
    steps = (Step("rotate", 12), Step("scale", 0.25, 0.5), Step("brightness", 0.2, magnitude="full"))
    text = to_torchvision(Policy(steps))
    assert "v2.RandomRotation((-12, 12))," in text
    assert "v2.RandomApply([v2.RandomAffine(0, scale=(0.8, 1.25))], p=0.5)," in text
    assert "v2.RandomChoice([v2.ColorJitter(brightness=(0.8, 0.8)), v2.ColorJitter(brightness=(1.2, 1.2))])," in text
    picked = to_albumentations(Policy((Step("invert", 1), Step("rotate", 5)), pick=2))
    assert picked.count("A.OneOf(") == 2 and picked.count("A.NoOp(p=1)") == 2


def test_steps_that_do_nothing_are_left_out() -> None:
    assert "Rotation" not in to_torchvision(Policy((Step("rotate", 0), Step("rotate", 5, 0.0))))


def test_albumentations_does_the_same_to_a_picture() -> None:
    pytest.importorskip("albumentations")
    y, x = np.mgrid[:64, :80]
    photo = np.stack([128 + 90 * np.sin(x / 9 + c) + 30 * np.cos(y / (5 + c)) for c in range(3)], 2).astype(np.uint8)
    images = torch.from_numpy(photo).permute(2, 0, 1)[None]
    inner = (slice(12, -12), slice(12, -12))
    # Random in themselves, or whole pixels there, or another algorithm.
    others = {"noise", "salt_pepper", "channel_shuffle", "translate_x", "translate_y", "jpeg", "equalize"}
    checked = 0
    for name in sorted(set(OPS) - others):
        policy = Policy((middle(name, "full"),))
        text = to_albumentations(policy)
        if "no equivalent" in text:
            continue
        namespace: dict[str, object] = {}
        exec(text, namespace)
        theirs = [namespace["augment"](image=photo)["image"] for _ in range(12)]  # pyright: ignore[reportCallIssue]
        for sign in (0.0, 0.9):
            u = np.full((1, policy.columns), 0.5)
            u[0, 1] = sign
            ours = run(policy.program(u, 64, 80), images)[0].permute(1, 2, 0).numpy()
            assert min(np.abs(t[inner].astype(float) - ours[inner]).mean() for t in theirs) < 1, name
        checked += 1
    assert checked >= 12
