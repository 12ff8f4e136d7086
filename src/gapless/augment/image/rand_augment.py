"""RandAugment: every picture gets some operations, all of one magnitude."""

from __future__ import annotations

from dataclasses import replace

from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.policy_toml import preset
from gapless.errors import UsageError

GREATEST = 30


def rand_augment(operations: int = 2, magnitude: float = 9.0) -> Policy:
    """RandAugment(N, M): N operations of magnitude M, drawn with replacement, "leave it as it is" among them.

    Cubuk et al., RandAugment, arXiv 1909.13719, section 3, with the 14 operations and ranges of torchvision; signs are
    drawn. Strengths grow with M in a straight line, whole numbers are rounded. torchvision's shear grows by its
    tangent, which is 0.2 degrees away at the most.

    Args:
        operations: the paper's N, at least 1.
        magnitude: the paper's M, from 0 to 30.
    """
    if operations < 1:
        raise UsageError(f"operations must be at least 1, got {operations!r}")
    if not 0 <= magnitude <= GREATEST:
        raise UsageError(f"magnitude must be from 0 to {GREATEST}, got {magnitude!r}")
    full = preset("rand_augment_30")
    choices = [step for step in full.steps if isinstance(step, Choice)]
    options = tuple(tuple(_at(step, magnitude / GREATEST) for step in option) for option in choices[0].options)
    return replace(full, steps=(Choice(options),) * operations)


def _at(step: Step, share: float) -> Step:
    if step.record.law == "switch":
        return step
    strength = step.strength * share
    return replace(step, strength=strength if step.record.law == "uniform" else float(round(strength)))
