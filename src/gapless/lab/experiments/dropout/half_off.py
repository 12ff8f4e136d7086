from __future__ import annotations

import torch
from scipy import stats

from gapless.dropout import Dropout
from gapless.evidence.result import Interval
from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.setting import Lab

RATES = (0.1, 0.2, 0.5, 0.8)
UNITS = 100

CODE = """
import torch
from torch import nn

torch.manual_seed(0)
layer = nn.Dropout(0.5)
off = (layer(torch.ones(1000, 100)) == 0).float()
print(f"off: {off.mean():.2%} of all; in one pass from {off.sum(1).min():.0f} to {off.sum(1).max():.0f} of 100 units")
assert abs(off.mean() - 0.5) < 0.01
"""


def trial(lab: Lab, seed: int) -> Measured:
    passes = lab.pick(2_000, 200)
    found: dict[str, float] = {}
    for p in RATES:
        off = (Dropout(p).train()(torch.ones(passes, UNITS)) == 0).sum(1).float()
        found[f"off {p}"], found[f"spread {p}"] = float(off.mean()) / UNITS, float(off.std())
        found[f"drawn {p}"] = float(passes * UNITS)
    return found


def judge(seen: Evidence) -> Finding:
    shares: dict[str, Interval] = {}
    inside: list[bool] = []
    for p in RATES:
        drawn = int(seen.table(f"drawn {p}").sum())
        share = float(seen.table(f"off {p}").mean())
        # four rates are asked at once: each interval at 1 - 0.05 / 4, so that all hold together at 95 %
        low, high = stats.binomtest(round(share * drawn), drawn).proportion_ci(1 - 0.05 / len(RATES), "exact")
        shares[f"p = {p}"] = Interval(share, float(low), float(high))
        inside.append(low <= p <= high or abs(share - p) < 0.002)
    spread = seen.mean("spread 0.5")
    return Finding(
        "holds here" if all(inside) else "does not hold",
        f"At p = 0.5, {words(shares['p = 0.5'], '%')} of all units were off; in a single pass the number off varies by "
        f"{words(spread)} of {UNITS} units, so 'half' is a mean, not a count.",
        dots("units off, %", shares, scale=100),
        "The share of units that is off at each rate (exact binomial intervals)",
        {**shares, f"standard deviation in one pass, of {UNITS} units": spread},
    )


EXPERIMENT = Experiment(
    name="half-off",
    row="D2",
    pillar="dropout",
    claim="At p = 0.5 half of the units are off.",
    source="Srivastava et al., Dropout, JMLR 15, 2014, section 4",
    told="Each unit is kept with a fixed probability, independent of other units.",
    data="none: rows of 100 ones",
    trained="nothing",
    measured="the share of zeros behind the layer over 1,000,000 units, at four rates",
    rule="holds where the exact binomial interval contains p at each rate (or is off by less than 0.2 points)",
    breaks="Channel dropout switches off whole maps, DropBlock squares, word dropout words: p is then the share of "
    "those. Units that ReLU had at zero anyway are not counted here.",
    tune="It draws masks keyed by seed, epoch and row, so a training can be repeated to the bit.",
    code=CODE,
    trial=trial,
    judge=judge,
)
