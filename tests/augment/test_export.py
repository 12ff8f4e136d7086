"""Code for other libraries: it is Python, it says what it cannot say, and it does there what it does here."""

import ast
import re
from typing import Any

import numpy as np
import pytest
import torch

from gapless.augment.image.ops import OPS
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.policy_toml import preset, presets
from gapless.augment.image.program import FILLS, Fill
from gapless.augment.image.torch.interpreter import run

TORCHVISION = {
    "Compose": "transforms",
    "RandomApply": "transforms p",
    "RandomChoice": "transforms p",
    "Identity": "",
    "Resize": "size interpolation max_size antialias",
    "RandomRotation": "degrees interpolation expand center fill",
    "RandomAffine": "degrees translate scale shear interpolation fill center",
    "RandomHorizontalFlip": "p",
    "RandomVerticalFlip": "p",
    "RandomPerspective": "distortion_scale p interpolation fill",
    "RandomResizedCrop": "size scale ratio interpolation antialias",
    "RandomCrop": "size padding pad_if_needed fill padding_mode",
    "ColorJitter": "brightness contrast saturation hue",
    "Grayscale": "num_output_channels",
    "RandomInvert": "p",
    "RandomChannelPermutation": "",
    "RandomPosterize": "bits p",
    "RandomSolarize": "threshold p",
    "RandomAutocontrast": "p",
    "RandomEqualize": "p",
    "RandomAdjustSharpness": "sharpness_factor p",
    "GaussianBlur": "kernel_size sigma",
    "JPEG": "quality",
    "GaussianNoise": "mean sigma clip",
}
"""The transforms of `torchvision.transforms.v2` 0.21 that are written, with their arguments in order."""


def write(library: str, policy: Policy) -> str:
    return policy.to_torchvision() if library == "torchvision" else policy.to_albumentations()


def middle(name: str, magnitude: str = "uniform", p: float = 1.0) -> Step:
    op = OPS[name]
    return Step(name, op.strong * 0.3 if op.law == "uniform" else 1.0, p, magnitude)  # pyright: ignore[reportArgumentType]


def calls(text: str) -> list[ast.Call]:
    """Every call of torchvision in the code."""
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [call for call in found if not (isinstance(call.func, ast.Name) and call.func.id == "range")]


@pytest.mark.parametrize("library", ["torchvision", "albumentations"])
@pytest.mark.parametrize("name", sorted(OPS))
@pytest.mark.parametrize("magnitude", ["uniform", "full"])
def test_an_operation_is_written_or_said_to_have_no_equivalent(library: str, name: str, magnitude: str) -> None:
    text = write(library, Policy((middle(name, magnitude, 0.3),), size=(40, 40)))
    (steps,) = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.List)][:1]
    resize = 0 if name == "resized_crop" else 1
    assert ("Resize((40, 40))" in text or "Resize(40, 40," in text) == bool(resize)
    if len(steps.elts) > resize:
        assert "no equivalent" not in text
        assert "0.3" in text
    else:
        assert f"# {name}, strength" in text and "p 0.3: no equivalent" in text


@pytest.mark.parametrize("name", [*sorted(OPS), *presets()])
@pytest.mark.parametrize("fill", FILLS)
def test_torchvision_has_what_is_written(name: str, fill: Fill) -> None:
    policies = (
        [preset(name)] if name in presets() else [Policy((middle(name, m),), size=(9, 9)) for m in ("full", "uniform")]
    )
    for policy in (Policy(p.steps, p.pick, fill, p.size) for p in policies):
        text = policy.to_torchvision()
        for call in calls(text):
            assert isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
            assert call.func.value.id == "v2"
            names = TORCHVISION[call.func.attr].split()
            assert len(call.args) <= len(names), text
            given = [*names[: len(call.args)], *(keyword.arg for keyword in call.keywords)]
            assert len(set(given)) == len(given) and set(given) <= set(names), text
        if "v2.RandomRotation(" in text or "v2.RandomAffine(" in text:
            assert text.count("InterpolationMode.BILINEAR") >= text.count("v2.RandomAffine(")
            assert ("fill=128" in text) == (fill == "gray")
        assert (f"# fill {fill}: no equivalent" in text) == (fill in ("edge", "reflect"))


@pytest.mark.parametrize("library", ["torchvision", "albumentations"])
@pytest.mark.parametrize("name", presets())
def test_every_shipped_policy_is_written_in_full(library: str, name: str) -> None:
    policy = preset(name)
    text = write(library, policy)
    steps = [
        step
        for entry in policy.steps
        for option in (entry.options if isinstance(entry, Choice) else ((entry,),))
        for step in option
        if not step.idle
    ]
    for op in {step.op for step in steps}:
        alone = [write(library, Policy((step,), fill=policy.fill)) for step in steps if step.op == op]
        unknown = sum(f"# {op}, strength" in code for code in alone)
        assert len(re.findall(rf"# {op}, strength", text)) == unknown
        for code in alone:
            (call,) = re.findall(r"^        (\S.*),$", code, re.MULTILINE) or [""]
            assert call in text


def test_ranges_and_signs_are_the_policys() -> None:
    steps = (Step("rotate", 12), Step("scale", 0.2, 0.5), Step("brightness", 0.2, magnitude="full"))
    text = Policy(steps).to_torchvision()
    assert "v2.RandomRotation((-12, 12), interpolation=v2.InterpolationMode.BILINEAR)," in text
    assert "v2.RandomApply([v2.RandomAffine(0, scale=(0.8, 1.2), interpolation=v2.Interp" in text
    assert "v2.RandomChoice([v2.ColorJitter(brightness=(0.8, 0.8)), v2.ColorJitter(brightness=(1.2, 1.2))])," in text
    picked = Policy((Step("invert", 1), Step("rotate", 5)), pick=2).to_albumentations()
    assert picked.count("A.OneOf(") == 2 and picked.count("A.NoOp(p=1)") == 2
    four = Policy((Step("pad_crop", 4),), size=(32, 32), fill="reflect").to_torchvision()
    assert "v2.RandomCrop((32, 32), padding=4, padding_mode='symmetric')," in four


def test_steps_that_do_nothing_are_left_out() -> None:
    assert "Rotation" not in Policy((Step("rotate", 0), Step("rotate", 5, 0.0))).to_torchvision()


# ── albumentations, executed ──

HEIGHT, WIDTH = 64, 80
_Y, _X = np.mgrid[:HEIGHT, :WIDTH]
PHOTO = np.stack([128 + 90 * np.sin(_X / 9 + c) + 30 * np.cos(_Y / (5 + c)) for c in range(3)], 2).astype(np.uint8)


def theirs(policy: Policy, times: int) -> list[np.ndarray]:
    namespace: dict[str, Any] = {}
    exec(policy.to_albumentations(), namespace)
    namespace["augment"].set_random_seed(0)
    return [namespace["augment"](image=PHOTO)["image"] for _ in range(times)]


def ours(policy: Policy, u: np.ndarray) -> np.ndarray:
    images = torch.from_numpy(PHOTO).permute(2, 0, 1)[None].expand(len(u), -1, -1, -1)
    return run(policy.program(u, HEIGHT, WIDTH), images).permute(0, 2, 3, 1).numpy()


DRAWN = {"noise", "salt_pepper", "channel_shuffle", "pad_crop", "resized_crop"}
"""Random in themselves: compared by what they may give."""
ELSEWHERE = {
    "translate_x": "whole pixels only",
    "translate_y": "whole pixels only",
    "jpeg": "OpenCV's encoder",
    "equalize": "counts a level among those that are darker",
}
"""Not the same numbers there, and why."""


@pytest.mark.parametrize("name", sorted(set(OPS) - DRAWN - set(ELSEWHERE)))
@pytest.mark.parametrize("fill", ["black", "gray", "edge", "reflect"])
def test_albumentations_does_the_same_to_a_picture(name: str, fill: Fill) -> None:
    policy = Policy((middle(name, "full"),), fill=fill)
    if "no equivalent" in policy.to_albumentations():
        return
    got = theirs(policy, 24)
    for sign in (0.0, 0.9):
        wanted = ours(policy, np.array([[0.5, sign, *[0.5] * (policy.columns - 2)]]))[0]
        # Half pixels at the border of the filled part are blended differently.
        assert min(np.abs(picture.astype(float) - wanted).mean() for picture in got) < 1.7, name
        inner = (slice(16, -16), slice(20, -20))
        assert min(np.abs(picture[inner].astype(float) - wanted[inner]).mean() for picture in got) < 1, name


def test_what_albumentations_can_say() -> None:
    said = {name for name in OPS if "no equivalent" not in Policy((middle(name),), size=(9, 9)).to_albumentations()}
    here_only = {"aspect", "crop", "perspective", "hue_matrix", "solarize_add", "sharpness"}
    assert set(OPS) - said == here_only | {"erase", "erase_area", "grid_mask"}


def test_albumentations_draws_from_the_same_places_and_amounts() -> None:
    u = np.random.default_rng(0).random((400, 4))
    padded = Policy((Step("pad_crop", 2),), fill="reflect")
    known = {picture.tobytes() for picture in ours(padded, u)}
    assert len(known) == 25
    assert {picture.tobytes() for picture in theirs(padded, 40)} <= known
    for name, strength in (("noise", 0.1), ("salt_pepper", 0.1)):
        policy = Policy((Step(name, strength, magnitude="full"),))
        mine = ours(policy, u[:20, : policy.columns]).astype(float) - PHOTO
        other = np.stack(theirs(policy, 20)).astype(float) - PHOTO
        assert other.std() == pytest.approx(mine.std(), rel=0.05), name
    orders = {picture.mean((0, 1)).tobytes() for picture in theirs(Policy((Step("channel_shuffle", 1),)), 60)}
    assert orders <= {p.mean((0, 1)).tobytes() for p in ours(Policy((Step("channel_shuffle", 1),)), u[:200, :3])}


def test_albumentations_crops_and_resizes_alike() -> None:
    whole = Policy((), size=(20, 30))
    got = np.abs(theirs(whole, 1)[0].astype(float) - ours(whole, np.zeros((1, 0)))[0])
    assert got.mean() < 2 and got.shape == (20, 30, 3)
    crop = Policy((Step("resized_crop", 0.7, magnitude="full"),), size=(20, 30))
    spread = np.stack(theirs(crop, 300)).astype(float).std(0).mean()
    mine = ours(crop, np.random.default_rng(1).random((300, crop.columns))).astype(float).std(0).mean()
    assert spread == pytest.approx(mine, rel=0.12)


@pytest.mark.parametrize("name", presets())
def test_albumentations_runs_every_shipped_policy(name: str) -> None:
    pictures = theirs(preset(name), 30)
    assert {picture.shape for picture in pictures} == {PHOTO.shape}
    assert sum((picture != PHOTO).any() for picture in pictures) >= 12
