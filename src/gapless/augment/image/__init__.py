"""The image engine: operations declared once, merged into few passes, run on a whole batch.

policy = Policy((Step("rotate", 15), Step("flip_x", 1, p=0.5), Step("brightness", 0.2)))
u = numpy.random.default_rng(0).random((len(images), policy.columns))
augmented = run(policy.program(u, height, width), images)
"""

from gapless.augment.image.batched import run
from gapless.augment.image.ops import OPS, Op
from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.program import Program

__all__ = ["OPS", "Op", "Policy", "Program", "Step", "run"]
