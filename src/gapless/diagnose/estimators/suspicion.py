"""Which labels look wrong: what models that have not seen a row say of it, and how a row is learned.

Two measures, both the better the larger: the margin of a row's label on a model that was trained without the row, and
the area under the margin along a training with it (Pleiss et al., arXiv 2001.10528). Where theirs marks off wrong
labels by an extra class, here labels that were put wrong on purpose do, half of them; the other half tells how many are
found again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import log_softmax, softmax

from gapless.evidence.result import Interval

Floats = NDArray[np.floating]
Index = NDArray[np.int64]

SURE = 1 / 3
"""Share of the rows, those a model is surest of, whose labels it may contradict."""
RECALL = 0.8
"""Share of the planted labels below the threshold."""


def margins(logits: Floats, labels: Index) -> Floats:
    """(N,) the label's logit minus the largest of the others, of logits (N, K)."""
    own = np.take_along_axis(logits, labels[:, None], 1)[:, 0]
    others = logits.copy()
    np.put_along_axis(others, labels[:, None], -np.inf, 1)
    return own - others.max(1)


def calibrated(logits: Floats, labels: Index) -> Floats:
    """(N, K) probabilities at the temperature, of quarters of an octave, at which the labels are likeliest."""
    inverse = 2 ** np.arange(-4, 3.25, 0.25)
    rows = np.arange(len(labels))
    losses = [-float(log_softmax(t * logits, axis=1)[rows, labels].mean()) for t in inverse]
    return softmax(inverse[int(np.argmin(losses))] * logits, axis=1)


def confident_joint(probabilities: Floats, labels: Index) -> Floats:
    """(K, K) share of rows by given label and likely one: Northcutt, Jiang and Chuang (JAIR 70, 2021, section 3.1).

    A row counts for class j where its probability of j is at least the mean of that over the rows labelled j, for the
    likeliest of several; each given label's counts are scaled to its share of the rows. It takes hard rows for wrong
    ones: good for which classes are confused, too large as a share.
    """
    n, classes = probabilities.shape
    thresholds = np.array(
        [probabilities[labels == k, k].mean() if (labels == k).any() else 2.0 for k in range(classes)]
    )
    above = np.where(probabilities >= thresholds - 1e-9, probabilities, -1.0)
    counted = above.max(1) >= 0
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[counted], above.argmax(1)[counted]), 1)
    sizes = np.bincount(labels, minlength=classes)
    empty = joint.sum(1) == 0
    joint[empty, empty] = 1
    return joint / joint.sum(1, keepdims=True) * sizes[:, None] / n


@dataclass(frozen=True)
class Contradicted:
    """How many labels were contradicted, of how many that all judges are sure of.

    worth: rows that say as much as one would that is drawn by itself, where rows belong together (Kish's design effect,
    Survey Sampling, 1965).
    """

    count: int
    of: int
    worth: float = 1.0

    @property
    def share(self) -> Interval:
        """With the exact interval of Clopper and Pearson (Biometrika 26, 1934)."""
        if not self.of:
            return Interval(0.0, 0.0, 1.0)
        count, of = self.count / self.worth, self.of / self.worth
        low = float(stats.beta.ppf(0.025, count, of - count + 1)) if self.count else 0.0
        high = float(stats.beta.ppf(0.975, count + 1, of - count)) if self.count < self.of else 1.0
        return Interval(self.count / self.of, low, high)

    def above(self, share: float) -> float:
        """The chance of so many where the true share is no more than this."""
        count, of = self.count / self.worth, self.of / self.worth
        return float(stats.beta.cdf(share, count, of - count + 1)) if self.count else 1.0


def contradicted(logits: Floats, labels: Index, alike: NDArray[np.bool_], groups: Index | None = None) -> Contradicted:
    """Labels against which the model is, among the third of the rows that it is surest of.

    Where classes merely overlap, rows far from the border are all labelled as the model says, and the share falls to
    nothing; labels that are wrong anywhere stay wrong there.

    Args:
        alike: (N,) whether other judges say the same of the row; other rows do not count.
        groups: (N,) where rows belong together.
    """
    highest = np.sort(logits, 1)
    sureness = highest[:, -1] - highest[:, -2]
    sure = alike & (sureness >= np.quantile(sureness, 1 - SURE))
    wrong = (logits.argmax(1) != labels)[sure]
    worth = 1.0 if groups is None else _design_effect(wrong, groups[sure])
    return Contradicted(int(wrong.sum()), int(sure.sum()), worth)


def _design_effect(wrong: NDArray[np.bool_], groups: Index) -> float:
    """The variance of a share over groups by that over rows; their mean size where no row, or every one, is wrong."""
    if not len(wrong):
        return 1.0
    number = np.unique(groups, return_inverse=True)[1]
    count, share = int(number.max()) + 1, float(wrong.mean())
    if count < 2 or not 0 < share < 1:
        return len(wrong) / count
    sums = np.bincount(number, wrong - share)
    return max(1.0, float((sums**2).sum()) * count / (count - 1) / (len(wrong) * share * (1 - share)))


@dataclass(frozen=True)
class Marked:
    """rows: those that look wrong, the worst first. found, planted: labels put wrong on purpose that did not set the
    threshold, and how many of them it finds."""

    rows: Index
    found: int
    planted: int

    @property
    def recall(self) -> float:
        """With one found and one missed beside them, so that none is certain."""
        return (self.found + 1) / (self.planted + 2)


def marked(held: Floats, area: Floats, planted_held: Floats, planted_area: Floats) -> Marked:
    """Rows that look as planted wrong labels do.

    Args:
        held, area: (N,) the two measures of each row's given label.
        planted_held, planted_area: (P,) likewise of labels put wrong; every other one sets the threshold.
    """
    scales = float(held.std()) or 1.0, float(area.std()) or 1.0
    looks = held / scales[0] + area / scales[1]
    planted = planted_held / scales[0] + planted_area / scales[1]
    # a label that both measures speak for is not suspected, however hard the planted ones are to tell
    threshold = min(0.0, float(np.quantile(planted[::2], RECALL)))
    rows = np.flatnonzero(looks < threshold)
    return Marked(
        rows[np.argsort(looks[rows], kind="stable")], int((planted[1::2] < threshold).sum()), len(planted[1::2])
    )
