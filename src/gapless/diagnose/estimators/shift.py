"""Whether rows from elsewhere differ from those at home, by what a trained model says of them.

A classifier tells the two apart, each row judged by one that has not seen it (Lopez-Paz and Oquab, arXiv 1610.06545).
It looks at the trained model's outputs, where few rows show most (Rabanser, Günnemann and Lipton, arXiv 1810.11953).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.floating]

LEVEL = 0.01
"""Chance of being called apart where there is no difference."""
ENOUGH = 30.0
"""Rows at home, at the least, that those which look like the others must be worth (Kish's effective sample size)."""
WEIGHED = 0.95
"""Area under the curve above which no weights make rows at home look like the others."""
_PARTS = 5
_WIDEST = 50


@dataclass(frozen=True)
class Told:
    """area: under the curve of the classifier; 0.5 is none. p: of so large an area by chance. score: the score at home
    of rows weighted to look like those elsewhere; None where too few do."""

    area: float
    p: float
    score: float | None

    @property
    def apart(self) -> bool:
        return self.p <= LEVEL and self.area > 0.5


def told_apart(home: Mapping[int, Floats], here: Mapping[int, Floats], held: Mapping[int, Floats]) -> Told:
    """Judged model by model: what it says of the rows it holds at home (n, K), of those elsewhere (m, K), and what the
    former are worth (n,)."""
    areas: list[float] = []
    chances: list[float] = []
    weights: list[Floats] = []
    worth: list[Floats] = []
    for fold in sorted(set(home) & set(here) & set(held)):
        log_odds = _log_odds(home[fold], here[fold])
        mine, theirs = log_odds[: len(home[fold])], log_odds[len(home[fold]) :]
        test = stats.mannwhitneyu(theirs, mine, alternative="greater")
        areas.append(float(test.statistic) / (len(mine) * len(theirs)))
        chances.append(float(test.pvalue))
        weights.append(mine)
        worth.append(held[fold])
    weight, each = np.concatenate(weights), np.concatenate(worth)
    weight = np.exp(weight - weight.max())
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    area, alike = float(np.mean(areas)), effective >= ENOUGH
    score = float((weight * each).sum() / weight.sum()) if alike and area <= WEIGHED else None
    # twice the median is valid whatever the dependence of the tests (Rüger 1978)
    return Told(area, min(1.0, 2 * float(np.median(chances))), score)


def _log_odds(home: Floats, here: Floats) -> Floats:
    """Of each row to be from elsewhere, as if both sets were of one size, by a classifier that has not seen it."""
    x = np.concatenate([home, here]).astype(np.float64)[:, :_WIDEST]
    y = np.arange(len(x)) >= len(home)
    found = np.empty(len(x))
    place = np.concatenate([np.arange(len(home)), np.arange(len(here))]) % _PARTS
    for part in range(_PARTS):
        learned, asked = place != part, place == part
        scaler = StandardScaler().fit(x[learned])
        model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=200)
        model.fit(scaler.transform(x[learned]), y[learned])
        found[asked] = model.decision_function(scaler.transform(x[asked]))
    return found
