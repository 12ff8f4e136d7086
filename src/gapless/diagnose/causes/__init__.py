"""The causes, one a file, in the order in which time is spent on them."""

from gapless.diagnose.case import Cause
from gapless.diagnose.causes.reach import augmentation, gap, more_data, rivals, seeds
from gapless.diagnose.causes.rows import copies, elsewhere, groups, imbalance, leaky_column, wrong_labels
from gapless.diagnose.causes.training import length, rate, statistics, underfit

CAUSES: tuple[Cause, ...] = (
    copies.CAUSE,
    imbalance.CAUSE,
    gap.CAUSE,
    rivals.CAUSE,
    elsewhere.CAUSE,
    statistics.CAUSE,
    groups.CAUSE,
    leaky_column.CAUSE,
    length.CAUSE,
    rate.CAUSE,
    underfit.CAUSE,
    wrong_labels.CAUSE,
    more_data.CAUSE,
    augmentation.CAUSE,
    seeds.CAUSE,
)
