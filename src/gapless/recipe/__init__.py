"""Recipe: everything that regularizes, one frozen value, one part per pillar."""

from torch.serialization import add_safe_globals

from gapless.recipe.parts import PILLARS, Augment, BatchNorm, Decay, Dropout, Op
from gapless.recipe.recipe import Recipe
from gapless.recipe.shipped import preset, presets

__all__ = ["PILLARS", "Augment", "BatchNorm", "Decay", "Dropout", "Op", "Recipe", "preset", "presets"]

# Values and nothing that runs: a checkpoint that holds one (Lightning's hparams) is read with weights_only=True.
add_safe_globals([Recipe, Augment, BatchNorm, Decay, Dropout, Op])
