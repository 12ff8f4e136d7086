from __future__ import annotations

import numpy as np
import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

RATES = tuple(float(r) for r in np.logspace(-3.5, 1.5, 11))
KINDS = {"plain": False, "batch norm": True}
TRAINS = 0.7
"""Right on training rows: what counts as having trained."""

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for lr in (0.01, 0.1, 1.0, 10.0):
    right = []
    for norm in (nn.Identity, lambda: nn.BatchNorm1d(64)):
        torch.manual_seed(0)
        hidden = nn.Linear(64, 64), norm(), nn.ReLU(), nn.Linear(64, 64), norm(), nn.ReLU()
        net = nn.Sequential(*hidden, nn.Linear(64, 10))
        optimizer = torch.optim.SGD(net.parameters(), lr=lr)
        for step in range(80):
            loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right.append(float((net(x[:300]).argmax(1) == y[:300]).float().mean()))
    print(f"rate {lr}: plain {right[0]:.0%}, with batch norm {right[1]:.0%} of the training rows")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)
    found: dict[str, np.ndarray | float] = {}
    for name, make in (("SGD", torch.optim.SGD), ("AdamW", torch.optim.AdamW)):
        for kind, norm in KINDS.items():
            curve: list[float] = []
            trains: list[float] = []
            for lr in RATES:
                torch.manual_seed(seed)
                model = mlp((64, 64, 64, 64, 10), norm)
                fit(model, make(model.parameters(), lr), x, y, lab.pick(120, 10))
                model.train(norm)
                with torch.no_grad():
                    learned = float((model(x).argmax(1) == y).float().mean())
                trains += [lr] if learned >= TRAINS else []
                curve.append(float(right(model, new, labels).mean()))
            lab.tick()
            found[f"{name} {kind}"] = np.array(curve)
            found[f"{name} {kind} largest"] = max(trains, default=RATES[0])
            found[f"{name} {kind} best"] = RATES[int(np.argmax(curve))]
    return found


def judge(seen: Evidence) -> Finding:
    largest = {n: seen.ratio(f"{n} batch norm largest", f"{n} plain largest") for n in ("SGD", "AdamW")}
    best = {n: seen.ratio(f"{n} batch norm best", f"{n} plain best") for n in ("SGD", "AdamW")}
    tenfold = {n: ratio.mean >= 7 for n, ratio in largest.items()}
    word = "holds here" if all(tenfold.values()) else "depends" if tenfold["SGD"] else "does not hold"
    return Finding(
        word,
        f"The largest rate that trains is {words(largest['SGD'])} times higher with batch norm under SGD and "
        f"{words(largest['AdamW'])} times under AdamW; the best rate {words(best['SGD'])} and {words(best['AdamW'])} "
        f"times.",
        lines(
            "learning rate",
            "right on new digits, %",
            RATES,
            {f"{n}, {kind}": seen.curve(f"{n} {kind}") for n in ("SGD", "AdamW") for kind in KINDS},
            log=True,
            scale=100,
        ),
        "How the learning rate is borne, with and without batch norm, by two optimizers",
        {f"largest rate, {n}, times": v for n, v in largest.items()}
        | {f"best rate, {n}, times": v for n, v in best.items()},
    )


EXPERIMENT = Experiment(
    name="higher-rates",
    row="B2",
    pillar="batchnorm",
    claim="Batch norm bears learning rates 10 to 100 times higher.",
    source="Ioffe and Szegedy, arXiv 1502.03167, sections 3.3 and 4.2.2",
    told="Inception trained at 5 and 30 times its rate; the sigmoid and plain variants did not train there.",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with three hidden layers of 64, with and without batch norm, by SGD and by AdamW, 120 steps "
    "at each of 11 rates from 0.0003 to 32, in plain torch",
    measured="the largest rate at which 70 % of training rows are right, and the rate best on new rows: ratios over "
    "seeds",
    rule="holds where the largest rate is about tenfold (7 or more; the ladder's rungs are a factor 3.2) for both "
    "optimizers; depends where only for SGD",
    breaks="The ladder bounds what can be seen. A rate that is borne is not a rate that is better; Adam scales its own "
    "steps, so much of batch norm's room is taken there already.",
    tune="It searches the learning rate of every recipe anew, for the best one moves when a pillar is switched on.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
)
