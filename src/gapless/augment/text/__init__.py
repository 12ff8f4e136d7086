"""Text augmentation that keeps the meaning: words in, a list of edits out, one applier.

policy = Policy((Step("synonyms", 0.2), Step("typos", 0.05, p=0.3)))
augmented = policy.apply(texts, seed=0, epoch=3, indices=range(len(texts)))
"""

from gapless.augment.text.ops import OPS, Op
from gapless.augment.text.policy import Policy, Step
from gapless.augment.text.protect import Protect
from gapless.augment.text.resources import Resources

__all__ = ["OPS", "Op", "Policy", "Protect", "Resources", "Step"]
