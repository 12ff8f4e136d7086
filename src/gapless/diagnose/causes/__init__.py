"""The causes, one a file, in the order in which time is spent on them."""

from gapless.diagnose.case import Cause
from gapless.diagnose.causes import copies, gap, imbalance, length, rate, rivals, underfit, wrong_labels

CAUSES: tuple[Cause, ...] = (
    copies.CAUSE,
    imbalance.CAUSE,
    gap.CAUSE,
    rivals.CAUSE,
    length.CAUSE,
    rate.CAUSE,
    underfit.CAUSE,
    wrong_labels.CAUSE,
)
