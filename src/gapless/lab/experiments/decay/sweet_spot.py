from __future__ import annotations

from itertools import product

import numpy as np
import torch

from gapless.evidence.result import Interval
from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, number, verdict, words
from gapless.lab.figure import grid
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

STRENGTHS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 4.0)
RATES = {"SGD": (0.03, 0.1), "AdamW": (0.002, 0.008)}
TOLD = (1e-4, 1e-3, 1e-2)

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for decay in (0.0, 0.01, 1.0, 10.0):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=decay)
    for step in range(150):
        loss = nn.functional.cross_entropy(net(x[:150]), y[:150])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"decay {decay}: {(net(x[1000:]).argmax(1) == y[1000:]).float().mean():.1%} of new digits")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 150, seed)
    found: dict[str, np.ndarray] = {}
    for name, rates in RATES.items():
        for lr, strength in product(rates, STRENGTHS):
            torch.manual_seed(seed)
            model = mlp((64, 64, 64, 10))
            decay = strength if lr * strength < 0.5 else 0.5 / lr  # beyond that a step would throw the weights over
            weights = list(model.parameters())
            if name == "SGD":
                optimizer = torch.optim.SGD(weights, lr, momentum=0.9, weight_decay=decay)
            else:
                optimizer = torch.optim.AdamW(weights, lr, weight_decay=decay)
            fit(model, optimizer, x, y, lab.pick(200, 5))
            found[f"{name} {lr} {strength}"] = right(model, new, labels)
        lab.tick()
    return found


def judge(seen: Evidence) -> Finding:
    best: dict[str, dict[float, float]] = {}
    gains: dict[str, Interval] = {}
    beyond: dict[str, Interval] = {}
    for name, rates in RATES.items():
        best[name] = {r: max(STRENGTHS, key=lambda s, r=r, n=name: seen.mean(f"{n} {r} {s}").mean) for r in rates}
        inside = seen.best([f"{name} {r} {s}" for r in rates for s in TOLD])
        outside = seen.best([f"{name} {r} {s}" for r in rates for s in STRENGTHS if s not in TOLD and s])
        none = seen.best([f"{name} {r} 0.0" for r in rates])
        gains[name], beyond[name] = seen.difference(inside, none), seen.difference(outside, inside)
    there = [name for name in RATES if gains[name].low > 0 and beyond[name].low <= 0]
    apart = (beyond["SGD"].high < 0) != (beyond["AdamW"].high < 0)
    rates = RATES["AdamW"]
    cells = [(r, s, 100 * seen.mean(f"AdamW {r} {s}").mean) for s in reversed(STRENGTHS) for r in rates]
    spots = {n: ", ".join(f"{number(s)} at rate {number(r)}" for r, s in best[n].items()) for n in RATES}
    return Finding(
        verdict(holds=len(there) == 2, depends=bool(there) or apart, fails=True),
        f"From 1e-4 to 1e-2 the best gains {words(gains['SGD'], 'points')} over none with SGD and "
        f"{words(gains['AdamW'], 'points')} with AdamW; stronger than that gives {words(beyond['SGD'], 'points')} and "
        f"{words(beyond['AdamW'], 'points')} beyond. Best with SGD: {spots['SGD']}; with AdamW: {spots['AdamW']}.",
        grid("learning rate", "strength", cells),
        "Right on new digits with AdamW, per cent, by rate and strength; the best has a frame",
        {f"best of 1e-4 to 1e-2 minus none, {n}": v for n, v in gains.items()}
        | {f"best beyond minus best of 1e-4 to 1e-2, {n}": v for n, v in beyond.items()},
    )


EXPERIMENT = Experiment(
    name="sweet-spot",
    row="W4",
    pillar="decay",
    claim="Weight decay has a sweet spot between 1e-4 and 1e-2.",
    source="Wang and Aitchison, How to set AdamW's weight decay as you scale model and dataset size, arXiv 2405.13698",
    told="What counts is the timescale 1 / (lr x lambda) in epochs; its optimum stays while lambda's moves.",
    data="150 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64, SGD (momentum 0.9) and AdamW, two rates, seven strengths, 200 "
    "steps",
    measured="right on new rows; the best strength within 1e-4 to 1e-2 against none, and the best beyond against it, "
    "paired",
    rule="holds where for both optimizers the range surely gains and nothing beyond is surely better; depends where "
    "for one, or where stronger ones surely harm for one of the two only; otherwise it does not hold",
    breaks="The range is that of long trainings of image networks with SGD. A short training, or AdamW, needs far more "
    "for the same timescale; the best of several is a little flattered by being the best.",
    tune="It searches AdamW's strength over decades together with the rate, and starts from the timescale.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
)
