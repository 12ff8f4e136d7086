from __future__ import annotations

import numpy as np
import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, number, words
from gapless.lab.figure import dots
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

LR, DECAY = 0.1, 0.01

CODE = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 64)
net = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
before = net(x)
net[0].weight.grad = None
before.square().mean().backward()
slope = net[0].weight.grad.norm()
with torch.no_grad():
    net[0].weight *= 10  # ten times the weights, and their bias
    net[0].bias *= 10
net.zero_grad()
after = net(x)
after.square().mean().backward()
print(f"outputs change by {(after - before).abs().max():.1e}")
print(f"the gradient is {net[0].weight.grad.norm() / slope:.3f} times as long")
assert torch.allclose(after, before, atol=1e-3)
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)
    found: dict[str, np.ndarray | float] = {}
    for name, decay in (("without", 0.0), ("with", DECAY)):
        torch.manual_seed(seed)
        model = mlp((64, 64, 64, 10), norm=True)
        hidden = [m for m in model if isinstance(m, torch.nn.Linear)][:-1]
        weights = [layer.weight for layer in hidden]
        others = [p for p in model.parameters() if all(p is not w for w in weights)]
        groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
        fit(model, torch.optim.SGD(groups, LR, momentum=0.9), x, y, lab.pick(800, 10))
        lab.tick()
        found[f"new {name}"] = right(model, new, labels)
        found[f"rate {name}"] = float(np.mean([LR / float(w.detach().square().sum()) for w in weights]))
    with torch.no_grad():
        model.train()
        before = model(x)
        for layer in hidden:
            layer.weight.mul_(10)
            layer.bias.mul_(10)
        after = model(x)
    found["function"] = float((after - before).abs().max() / before.abs().max())
    return found


def judge(seen: Evidence) -> Finding:
    rate, gain = seen.ratio("rate with", "rate without"), seen.difference("new with", "new without")
    same = float(seen.table("function").max())
    free = same < 1e-2 and rate.low > 1
    return Finding(
        "does not hold" if free else "holds here",
        f"Ten times the weights before batch norm change the outputs by {number(same)} of their size at most: their "
        f"size says nothing about the function. Decay raised the effective rate lr / |w|² {words(rate)} times, and "
        f"changed new rows by {words(gain, 'points')}.",
        dots("times the value without decay", {"effective learning rate": rate}, zero=1),
        "What decay of weights before batch norm changes: the length of the steps",
        {
            "effective rate, with / without": rate,
            "new rows, with minus without": gain,
            "change of outputs under ten times the weights": seen.mean("function"),
        },
    )


EXPERIMENT = Experiment(
    name="decay-before-norms",
    row="W6",
    pillar="decay",
    claim="Smaller weights make a simpler function, in every architecture.",
    source="van Laarhoven, L2 Regularization versus Batch and Weight Normalization, arXiv 1706.05350, section 2",
    told="With normalization, L2 has no regularizing effect on the function; it sets the effective learning rate.",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64 and batch norm, SGD at 0.1 with momentum, 800 steps, with and "
    "without decay 0.01 on the weights before the norms",
    measured="change of the outputs when those weights are multiplied by ten; lr / |w|² at the end; right on new rows",
    rule="does not hold where outputs stay (to 1 %) under ten times the weights, while decay surely changes the "
    "effective learning rate; holds where outputs change",
    breaks="Only layers directly before a norm are free of scale; the last layer, and nets without norms, are not. eps "
    "makes it inexact for tiny weights.",
    tune="It searches decay and learning rate together, since one moves the other, and reports decay's own share.",
    code=CODE,
    trial=trial,
    judge=judge,
)
