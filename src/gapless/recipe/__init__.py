"""Recipe: everything that regularizes, one frozen value, one part per pillar."""

from gapless.recipe.parts import PILLARS, Augment, BatchNorm, Decay, Dropout, Op
from gapless.recipe.recipe import Recipe
from gapless.recipe.shipped import preset, presets

__all__ = ["PILLARS", "Augment", "BatchNorm", "Decay", "Dropout", "Op", "Recipe", "preset", "presets"]
