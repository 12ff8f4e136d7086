"""The image engine: operations declared once, merged into few passes, run on a whole batch.

policy = Policy((Step("rotate", 15), Step("flip_x", 1, p=0.5), Step("brightness", 0.2)))
u = numpy.random.default_rng(0).random((len(images), policy.columns))
augmented = run(policy.program(u, height, width), images)
"""

from gapless.augment.image.augmix import AugMix, jensen_shannon
from gapless.augment.image.ops import OPS, Op
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.policy_toml import preset, presets
from gapless.augment.image.program import Program
from gapless.augment.image.rand_augment import rand_augment
from gapless.augment.image.schedule import RampDown, RampUp
from gapless.augment.image.targets import move_boxes, move_masks, move_points
from gapless.augment.image.torch.interpreter import run

__all__ = [
    "OPS",
    "AugMix",
    "Choice",
    "Op",
    "Policy",
    "Program",
    "RampDown",
    "RampUp",
    "Step",
    "jensen_shannon",
    "move_boxes",
    "move_masks",
    "move_points",
    "preset",
    "presets",
    "rand_augment",
    "run",
]
