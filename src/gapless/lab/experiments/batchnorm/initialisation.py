from __future__ import annotations

import numpy as np
import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

SCALES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
KINDS = {"plain": False, "batch norm": True}
WORKS = 0.8

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for scale in (0.01, 0.1, 1.0, 10.0):
    right = []
    for norm in (nn.Identity, lambda: nn.BatchNorm1d(64)):
        torch.manual_seed(0)
        hidden = nn.Linear(64, 64), norm(), nn.ReLU(), nn.Linear(64, 64), norm(), nn.ReLU()
        net = nn.Sequential(*hidden, nn.Linear(64, 10))
        with torch.no_grad():
            for layer in (net[0], net[3]):
                layer.weight *= scale
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(80):
            loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right.append(float((net(x[1000:]).argmax(1) == y[1000:]).float().mean()))
    print(f"weights x {scale}: plain {right[0]:.0%}, with batch norm {right[1]:.0%} of new digits")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)
    found: dict[str, np.ndarray | float] = {}
    for kind, norm in KINDS.items():
        curve: list[float] = []
        for scale in SCALES:
            torch.manual_seed(seed)
            model = mlp((64, 64, 64, 64, 10), norm)
            with torch.no_grad():
                for layer in [m for m in model if isinstance(m, torch.nn.Linear)][:-1]:
                    layer.weight *= scale
            fit(model, torch.optim.SGD(model.parameters(), 0.1), x, y, lab.pick(250, 10))
            curve.append(float(right(model, new, labels).mean()))
        lab.tick()
        found[kind] = np.array(curve)
        found[f"{kind} works"] = float(sum(score >= WORKS * max(curve) for score in curve))
    return found


def judge(seen: Evidence) -> Finding:
    wider = seen.difference("batch norm works", "plain works")
    plain, norm = seen.mean("plain works"), seen.mean("batch norm works")
    all_of_them = norm.mean > len(SCALES) - 1
    word = "does not hold" if wider.low <= 0 else "holds here" if all_of_them else "depends"
    return Finding(
        word,
        f"Of {len(SCALES)} scales from 0.01 to 100, {words(norm)} work with batch norm and {words(plain)} without.",
        lines(
            "weights of the hidden layers, times the usual ones",
            "right on new digits, %",
            SCALES,
            {kind: seen.curve(kind) for kind in KINDS},
            log=True,
            scale=100,
        ),
        "A start from weights that are too small or too large",
        {"scales that work, with batch norm": norm, "without": plain, "difference": wider},
    )


EXPERIMENT = Experiment(
    name="careless-start",
    row="B3",
    pillar="batchnorm",
    claim="With batch norm the initial weights need less care.",
    source="Ioffe and Szegedy, arXiv 1502.03167, sections 1 and 3.3",
    told="BN(aWu) = BN(Wu): the scale of the weights does not change the layer's output.",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with three hidden layers of 64, SGD at 0.1, 250 steps; hidden weights times 0.01 to 100",
    measured="right on new digits by scale; how many scales come within 80 % of the best",
    rule="holds where surely more scales work and all but one do with batch norm; depends where surely more do",
    breaks="The output does not depend on the scale, but the step does: the gradient falls with 1 / scale, so very "
    "large weights hardly turn within a short training, and very small ones are thrown about at first.",
    tune="It keeps each model's own start; it inserts batch norm as it is, gamma 1 and beta 0.",
    code=CODE,
    trial=trial,
    judge=judge,
)
