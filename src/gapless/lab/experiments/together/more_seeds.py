from __future__ import annotations

import numpy as np
from scipy import stats

from gapless.evidence.intervals import mean_interval
from gapless.evidence.result import Interval
from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.setting import PLAIN, Lab
from gapless.recipe import Recipe
from gapless.recipe.parts import Decay, Dropout

RIVALS = {"dropout 0.3": Recipe(dropout=Dropout(hidden=0.3)), "decay 0.3": Recipe(decay=Decay(strength=0.3))}
COUNTS = (1, 2, 3, 5, 8, 11)

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x, gains = x.float() / 8 - 0.6, []
for seed in range(6):
    right = []
    for p in (0.0, 0.3):
        torch.manual_seed(seed)
        rows = torch.randperm(1000)[:150]
        net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 10))
        optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
        for step in range(120):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right.append(float((net.eval()(x[1000:]).argmax(1) == y[1000:]).float().mean()))
    gains.append(round(100 * (right[1] - right[0]), 1))
print("dropout minus plain, points, seed by seed:", gains)
"""


def trial(lab: Lab, seed: int) -> Measured:
    task = lab.task(150, seed)
    found: dict[str, np.ndarray] = {"plain": lab.train(task, PLAIN, steps=250, seed=seed).new}
    return found | {name: lab.train(task, recipe, steps=250, seed=seed).new for name, recipe in RIVALS.items()}


def judge(seen: Evidence) -> Finding:
    pairs = {f"{name} against plain": (name, "plain") for name in RIVALS} | {"one against the other": tuple(RIVALS)}
    wrong: dict[str, Interval] = {}
    unsure: dict[str, list[float]] = {}
    for name, (one, other) in pairs.items():
        each = seen.table(one) - seen.table(other)
        gains = each.mean(1)
        flips = int((gains * gains.mean() < 0).sum())
        low, high = stats.binomtest(flips, len(gains)).proportion_ci(0.95, "wilson")
        wrong[name] = Interval(flips / len(gains), float(low), float(high))
        counts = [c for c in COUNTS if c <= len(gains)]
        halves = [mean_interval(each[: max(2, c)], 1.0) for c in counts]
        unsure[name] = [
            100 * (h.high - h.low) / 2 * (2**0.5 if c == 1 else 1) for c, h in zip(counts, halves, strict=True)
        ]
    worst = max(wrong, key=lambda name: wrong[name].mean)
    word = "does not hold" if wrong[worst].low > 0.05 else "holds here" if wrong[worst].high < 0.05 else "undecided"
    first, last = unsure[worst][0], unsure[worst][-1]
    return Finding(
        word,
        f"A single seed gives the wrong order in {words(wrong[worst], '%')} of the runs ({worst}); the half width of "
        f"the interval goes from about {first:.1f} points with one seed to {last:.1f} with {len(seen.table('plain'))}.",
        lines("seeds", "half width of the interval, points", COUNTS[: len(unsure[worst])], unsure),
        "How far a difference of two recipes is uncertain, by the number of seeds",
        {f"wrong order from one seed, {name}": v for name, v in wrong.items()}
        | {f"{name}, gain": seen.difference(*pair) for name, pair in pairs.items()},
    )


EXPERIMENT = Experiment(
    name="more-seeds",
    row="T4",
    pillar="together",
    claim="One run shows which of two recipes is better.",
    source="Bouthillier et al., Accounting for Variance in Machine Learning Benchmarks, arXiv 2103.03098, sections 2 "
    "and 4",
    told="Differences between methods are often as small as what seeds and splits alone change.",
    data="150 digits drawn by the seed; 797 new ones",
    trained="a perceptron with two hidden layers of 64, plain, with dropout 0.3 and with decay 0.3, 250 steps, 16 "
    "seeds",
    measured="how often a single seed orders two of them otherwise than the mean over all; the interval by number of "
    "seeds",
    rule="does not hold where the share of wrong orders is surely above 5 % for one pair; holds where it is surely "
    "below for all",
    breaks="A large difference is seen in one run. The mean over 12 seeds is itself not the truth; where two recipes "
    "are alike there is no right order, and every run still shows one.",
    tune="It trains plain and winner on the same seeds until the interval is settled or the time is over.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=12,
    takes=("image", "table"),
)
