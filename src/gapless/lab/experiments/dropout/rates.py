from __future__ import annotations

import numpy as np

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.setting import Lab
from gapless.recipe import Recipe
from gapless.recipe.parts import Dropout

RATES = (0.0, 0.2, 0.35, 0.5, 0.8)
SIZES = (100, 600)

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for hidden, inputs in ((0.0, 0.0), (0.35, 0.0), (0.8, 0.0), (0.0, 0.2), (0.0, 0.8)):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Dropout(inputs), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(hidden), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for step in range(120):
        loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    print(f"hidden {hidden}, inputs {inputs}: {(net(x[1000:]).argmax(1) == y[1000:]).float().mean():.1%} of new digits")
"""


def trial(lab: Lab, seed: int) -> Measured:
    found: dict[str, np.ndarray] = {}
    for n in SIZES:
        task = lab.task(n, seed, short=n // 20 + 40)
        for p in RATES:
            hidden, inputs = Recipe(dropout=Dropout(hidden=p)), Recipe(dropout=Dropout(input=p))
            found[f"hidden {n} {p}"] = lab.train(task, hidden, steps=240, seed=seed).new
            found[f"input {n} {p}"] = found[f"hidden {n} {p}"]
            if p:
                found[f"input {n} {p}"] = lab.train(task, inputs, steps=240, seed=seed).new
    return found


def judge(seen: Evidence) -> Finding:
    few, many = SIZES
    hidden = {n: seen.difference(f"hidden {n} 0.35", f"hidden {n} 0.0") for n in SIZES}
    inputs = {n: seen.difference(f"input {n} 0.8", f"input {n} 0.0") for n in SIZES}
    kept = seen.difference(f"input {few} 0.2", f"input {few} 0.0")
    ruins = any(change.high < 0 for change in inputs.values())
    harms = any(change.high < 0 for change in hidden.values())
    return Finding(
        "does not hold" if ruins and harms else "depends" if ruins or harms else "holds here",
        f"Hidden layers bear 0.2 to 0.5 (0.35 changes new rows by {words(hidden[few], 'points')} at n = {few}), but "
        f"0.8 on the inputs costs: {words(inputs[few], 'points')} at n = {few}, {words(inputs[many], 'points')} at n = "
        f"{many}; 0.2 there: {words(kept, 'points')}.",
        lines(
            "rate of dropout",
            "right on new rows, %",
            RATES,
            {
                f"{place}, n = {n}": [seen.mean(f"{place} {n} {p}") for p in RATES]
                for place in ("hidden", "input")
                for n in SIZES
            },
            scale=100,
        ),
        "Hidden layers have a plateau; on the inputs it goes down soon",
        {f"hidden 0.35, n = {n}": v for n, v in hidden.items()}
        | {f"inputs 0.8, n = {n}": v for n, v in inputs.items()},
    )


EXPERIMENT = Experiment(
    name="dropout-rates",
    row="D5",
    pillar="dropout",
    claim="Rates of 0.2 to 0.5 suit hidden layers, up to 0.8 inputs.",
    source="Srivastava et al., Dropout, JMLR 15, 2014, section 7.3 and appendix A.4",
    told="Hidden units are kept with 0.5 to 0.8, inputs are kept with 0.8: a rate of 0.2, not of 0.8.",
    data="100 and 600 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64, dropout on the hidden layers or on the inputs, 240 steps",
    measured="right on new rows by rate, against none, paired by seed and row",
    rule="holds where neither 0.35 on hidden layers nor 0.8 on inputs surely harms at either size; depends where one "
    "of the two does; does not hold where both do",
    breaks="The paper's 0.8 is the share kept; retold as a rate it drops four of five pixels. Wider layers bear higher "
    "rates, and long trainings are needed for them to pay.",
    tune="It searches each place's rate on its own, with 0 as a choice, and inputs only from 0 to 0.3 or so.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
    takes=("image",),
)
