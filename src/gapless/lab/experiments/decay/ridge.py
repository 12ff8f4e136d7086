from __future__ import annotations

import numpy as np
import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.setting import Lab

ROWS, COLUMNS, NOISE, NEW = 100, 80, 0.7, 2000
STRENGTHS = tuple(float(s) for s in np.logspace(-3, 1, 21))

CODE = """
import torch

torch.manual_seed(0)
x, teacher = torch.randn(100, 80), torch.randn(80) / 80**0.5
y = x @ teacher + 0.7 * torch.randn(100)
new = torch.randn(2000, 80)
best = 0.7**2 * 80 / 100  # noise variance x columns / (rows x |teacher|^2)
for decay in (0.0, 0.1, best, 2.0):
    w = torch.nn.Parameter(torch.zeros(80))
    optimizer = torch.optim.SGD([w], lr=0.2, weight_decay=decay)
    for step in range(1000):
        optimizer.zero_grad()
        ((x @ w - y).square().mean() / 2).backward()
        optimizer.step()
    print(f"decay {decay:.2f}: error on new rows {(new @ (w.detach() - teacher)).square().mean():.3f}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x = torch.randn(ROWS, COLUMNS, dtype=torch.float64)
    teacher = torch.randn(COLUMNS, 1, dtype=torch.float64) / COLUMNS**0.5
    y = x @ teacher + NOISE * torch.randn(ROWS, 1, dtype=torch.float64)
    strengths = torch.tensor([0.0, *STRENGTHS], dtype=torch.float64)
    w = torch.zeros(COLUMNS, len(strengths), dtype=torch.float64)  # a column of weights for each strength
    square, product = x.T @ x / ROWS, x.T @ y / ROWS
    top = torch.linalg.eigvalsh(square)[-1]  # steps as long as each strength bears
    for _ in range(lab.pick(5000, 200)):
        w -= (square @ w - product + strengths * w) / (top + strengths)
    error = (torch.randn(NEW, COLUMNS, dtype=torch.float64) @ (w - teacher)).square().mean(0)
    optimum = NOISE**2 * COLUMNS / ROWS / float(teacher.square().sum())
    exact = torch.linalg.solve(square + optimum * torch.eye(COLUMNS, dtype=torch.float64), product)
    least = float((exact - teacher).square().sum())
    best = int(error[1:].argmin())
    return {
        "curve": error[1:].numpy(),
        "chosen": STRENGTHS[best],
        "optimum": optimum,
        "none": float(error[0]),
        "best": float(error[1 + best]),
        "exact": least,
    }


def judge(seen: Evidence) -> Finding:
    factor, gain = seen.ratio("chosen", "optimum"), seen.ratio("best", "none")
    within = 0.5 <= factor.mean <= 2
    return Finding(
        "holds here"
        if within and factor.low > 0.25 and factor.high < 4
        else "undecided"
        if within
        else "does not hold",
        f"The strength that does best on new rows is {words(factor)} times the closed form sigma² d / (n |w|²), and "
        f"leaves {words(gain)} of the error that none leaves.",
        lines("strength of the decay", "error on new rows", STRENGTHS, {"decay": seen.curve("curve")}, log=True),
        "Error of linear students by the strength of their decay",
        {
            "chosen / closed form": factor,
            "error, best / none": gain,
            "closed form": seen.mean("optimum"),
            "error, trained by steps / solved": seen.ratio("best", "exact"),
        },
    )


EXPERIMENT = Experiment(
    name="ridge-optimum",
    row="W5",
    pillar="decay",
    claim="The best weight decay is the ridge optimum.",
    source="Hoerl and Kennard, Ridge Regression, Technometrics 12, 1970; Krogh and Hertz, NeurIPS 1991, section 3",
    told="The optimal decay is the noise's variance over the teacher's mean squared weight (over n).",
    data="100 rows of 80 normal numbers, a linear teacher of size 1 and noise of 0.7; 2,000 new rows",
    trained="linear students by gradient descent (5,000 steps) with 21 strengths from 0.001 to 10, and without",
    measured="the strength best on new rows over the closed form sigma² d / (n |w|²)",
    rule="holds where the mean ratio is between a half and two, and its interval between a quarter and four",
    breaks="It needs the noise and the teacher, which nobody knows outside of such a world; for networks there is no "
    "closed form. The valley is flat: half or twice the best costs little.",
    tune="It finds the strength by trying, over three decades, on rows that were not trained on.",
    code=CODE,
    trial=trial,
    judge=judge,
)
