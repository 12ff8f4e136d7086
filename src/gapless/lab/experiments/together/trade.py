from __future__ import annotations

import numpy as np

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.setting import Lab
from gapless.recipe import Recipe
from gapless.recipe.parts import Dropout

RATES = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95)

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for p in (0.0, 0.3, 0.6, 0.95):
    torch.manual_seed(0)
    hidden = nn.Linear(64, 64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(p)
    net = nn.Sequential(*hidden, nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(150):
        loss = nn.functional.cross_entropy(net(x[:150]), y[:150])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = (net.eval()(x).argmax(1) == y).float()
    print(f"dropout {p}: {right[:150].mean():.1%} of training digits, {right[1000:].mean():.1%} of new ones")
"""


def trial(lab: Lab, seed: int) -> Measured:
    task = lab.task(150, seed)
    found: dict[str, np.ndarray] = {}
    for p in RATES:
        recipe = Recipe(dropout=Dropout(hidden=p, channel=p if lab.data is not None or lab.model else 0.0))
        trained = lab.train(task, recipe, steps=350, seed=seed)
        found[f"train {p}"], found[f"new {p}"] = trained.train, trained.new
    return found


def judge(seen: Evidence) -> Finding:
    best = max(RATES, key=lambda p: seen.mean(f"new {p}").mean)
    gain = seen.difference(f"new {best}", "new 0.0")
    paid = seen.difference("train 0.0", f"train {best}")
    falls = seen.difference(f"new {best}", f"new {RATES[-1]}")
    under = seen.difference("train 0.0", f"train {RATES[-1]}")
    trade = gain.low > 0 and paid.low > 0
    both = falls.low > 0 and under.low > 0
    word = "holds here" if trade and both else "depends" if both else "does not hold"
    return Finding(
        word,
        f"New rows gain {words(gain, 'points')} up to a rate of {best}, for {words(paid, 'points')} of the training "
        f"rows; from there to {RATES[-1]} both fall, new rows by {words(falls, 'points')} and training rows by "
        f"{words(under, 'points')} in all: underfitting.",
        lines(
            "rate of dropout",
            "right, %",
            RATES,
            {
                "on the training rows": [seen.mean(f"train {p}") for p in RATES],
                "on new rows": [seen.mean(f"new {p}") for p in RATES],
            },
            scale=100,
        ),
        "Training and new rows as regularization grows: first the gap closes, then both fall",
        {
            "new rows, best minus none": gain,
            "training rows, none minus best": paid,
            "new rows, best minus most": falls,
            "training rows, none minus most": under,
        },
    )


EXPERIMENT = Experiment(
    name="the-trade",
    row="T2",
    pillar="together",
    claim="Regularization trades training accuracy for new accuracy.",
    source="Goodfellow, Bengio and Courville, Deep Learning, 2016, sections 5.2 and 7",
    told="Regularization is meant to lower the generalization error, not the training error.",
    data="150 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64 and dropout from 0 to 0.95, AdamW, 350 steps",
    measured="right on training rows and on new rows by strength, paired by seed and row",
    rule="holds where new rows surely gain for surely fewer training rows, and both surely fall beyond; depends where "
    "both fall at the end but nothing is gained, or nothing is paid, before",
    breaks="A network with room to spare pays nothing: it still learns every training row, and gains. Regularization "
    "that also helps to train (batch norm) can raise both.",
    tune="It judges by new rows only; the report shows both, before and after.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
    takes=("image",),
)
