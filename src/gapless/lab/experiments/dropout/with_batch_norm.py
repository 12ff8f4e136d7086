from __future__ import annotations

import numpy as np
import torch

from gapless.batchnorm import dropout_shift
from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.plain import digit_tensors, fit
from gapless.lab.setting import PLAIN, Lab
from gapless.recipe import Recipe
from gapless.recipe.parts import BatchNorm, Dropout

P = 0.5
RECIPES = {
    "neither": PLAIN,
    "dropout": Recipe(dropout=Dropout(hidden=P)),
    "batch norm": Recipe(batchnorm=BatchNorm(insert=True)),
    "both": Recipe(dropout=Dropout(hidden=P), batchnorm=BatchNorm(insert=True)),
}

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
layers = nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU()
net = nn.Sequential(*layers, nn.Linear(64, 10))
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
for step in range(300):
    loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    noisy = net[:4](x[:300]).var(0)
    ratio = (net.eval()[:4](x[:300]).var(0) / noisy).mean()
print(f"variance that batch norm meets when tested, over that when trained: {ratio:.2f}")
assert ratio < 0.95
"""


def trial(lab: Lab, seed: int) -> Measured:
    task = lab.task(200, seed)
    found: dict[str, np.ndarray | float] = {
        name: lab.train(task, recipe, steps=400, seed=seed).new for name, recipe in RECIPES.items()
    }
    x, y, _, _ = digit_tensors(lab, 300, seed)
    for name, p in (("shift none", 0.01), ("shift half", 0.5)):
        nn = torch.nn
        parts = nn.Linear(64, 64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU()
        model = nn.Sequential(*parts, nn.Linear(64, 10))
        fit(model, torch.optim.AdamW(model.parameters(), 5e-3), x, y, lab.pick(300, 10))
        found[name] = float(np.mean([shift.ratio for shift in dropout_shift(model, [x], seed=seed)]))
    return found


def judge(seen: Evidence) -> Finding:
    alone = seen.difference("dropout", "neither")
    beside = seen.difference("both", "batch norm")
    together = seen.interaction("both", "batch norm", "dropout", "neither")
    shift = seen.mean("shift half")
    sure = together.high < 0
    word = "holds here" if sure else "does not hold" if together.low > 0 else "undecided"
    return Finding(
        word,
        f"Dropout gives {words(alone, 'points')} alone and {words(beside, 'points')} beside batch norm: the two "
        f"together give {words(together, 'points')} beyond their sum; behind dropout 0.5 batch norm meets "
        f"{words(shift)} of the variance it was trained with.",
        dots("right on new rows, %", {name: seen.mean(name) for name in RECIPES}, scale=100),
        "New rows right with neither, one and both",
        {
            "dropout alone": alone,
            "dropout beside batch norm": beside,
            "interaction": together,
            "variance in eval / in training, dropout 0.5 before batch norm": shift,
            "the same, dropout 0.01": seen.mean("shift none"),
        },
    )


EXPERIMENT = Experiment(
    name="dropout-with-batchnorm",
    row="D9",
    pillar="dropout",
    claim="With batch norm, less dropout is needed.",
    source="Ioffe and Szegedy, arXiv 1502.03167, section 3.4; Li et al., arXiv 1801.05134, section 3 (variance shift)",
    told="Batch norm can replace dropout; put before it, dropout shifts the variance that it has learned.",
    data="200 digits to train on (300 for the variance); 797 new ones",
    trained="a perceptron with two hidden layers of 64, with dropout 0.5, batch norm, both and neither, 400 steps",
    measured="right on new rows; the interaction (what both give beyond the sum of each), paired by seed and row; the "
    "variance of batch norm's input when tested over that when trained",
    rule="holds where the interaction is surely below zero; does not hold where it is surely above",
    breaks="Where the gap is wide both can help, one behind the other. Dropout behind the last batch norm shifts "
    "nothing.",
    tune="It searches both together, puts dropout behind batch norm, and reports what each gave beside the other.",
    code=CODE,
    trial=trial,
    judge=judge,
    takes=("image",),
)
