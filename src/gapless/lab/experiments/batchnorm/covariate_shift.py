from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.plain import digit_tensors, fit, right
from gapless.lab.setting import Lab

DEPTH, WIDTH, EVERY, LR = 5, 48, 10, 0.1
KINDS = ("plain", "batch norm", "batch norm, then noise")

CODE = """
import torch
from torch import nn

class NoisyNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
    def forward(self, x):
        shift, scale = 0.5 * torch.randn(2, x.shape[1])  # drawn anew at every step
        return self.norm(x) * (1 + scale) + shift

torch.manual_seed(0)
layer, x = NoisyNorm(4), torch.randn(256, 4)
print("means of two steps:", layer(x).mean(0).tolist(), layer(x).mean(0).tolist())
"""


class _Noise(nn.Module):
    """A shift and a scale drawn anew for each unit at every step, so that the distribution never rests."""

    def forward(self, x: Tensor) -> Tensor:
        shift, scale = 0.5 * torch.randn(2, x.shape[1])
        return x * (1 + scale) + shift if self.training else x


def network(kind: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for wide in (64, *[WIDTH] * (DEPTH - 1)):
        norm = [] if kind == "plain" else [nn.BatchNorm1d(WIDTH)]
        layers += [nn.Linear(wide, WIDTH), *norm, *([_Noise()] if "noise" in kind else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


def watched(model: nn.Sequential, x: Tensor, y: Tensor, steps: int) -> tuple[float, float]:
    """Trains; how far the last layer's input moves in ten steps, in its deviations, and the mean loss."""
    seen: list[Tensor] = []
    losses: list[float] = []

    def each(step: int, loss: Tensor) -> None:
        losses.append(float(loss))
        if step % EVERY == 0:
            with torch.no_grad():
                inputs = model[:-1](x)  # in training mode: what the last layer gets to see at this step
            seen.append(torch.stack([inputs.mean(0), inputs.std(0)]))

    fit(model, torch.optim.SGD(model.parameters(), LR), x, y, steps, each=each)
    moves = [(after - before).square().mean().sqrt() / before[1].mean() for before, after in pairwise(seen)]
    return float(torch.stack(moves).mean()), float(np.mean(losses))


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)
    found: dict[str, np.ndarray | float] = {}
    for kind in KINDS:
        torch.manual_seed(seed)
        model = network(kind)
        found[f"drift {kind}"], found[f"loss {kind}"] = watched(model, x, y, lab.pick(300, 40))
        found[f"new {kind}"] = right(model, new, labels)
    return found


def judge(seen: Evidence) -> Finding:
    plain, norm, noisy = KINDS
    more = seen.ratio(f"drift {noisy}", f"drift {plain}")
    less = seen.ratio(f"drift {norm}", f"drift {plain}")
    learns = seen.difference(f"loss {noisy}", f"loss {plain}")
    gain = seen.difference(f"new {noisy}", f"new {plain}")
    refuted = more.low > 1 and (learns.high < 0 or gain.low > 0)
    return Finding(
        "does not hold" if refuted else "holds here" if less.high < 1 and gain.high < 0 else "depends",
        f"With noise behind the norm the last layer's input drifts {words(more)} times as much as without a norm, and "
        f"yet the mean training loss is {words(learns)} from the plain one's and new rows change by "
        f"{words(gain, 'points')}; batch norm itself has {words(less)} times the drift.",
        dots("drift of the last layer's input, in deviations", {k: seen.mean(f"drift {k}") for k in KINDS}, zero=0),
        "Drift of what the last layer gets to see; all three have the same rate and steps",
        {
            "drift, noisy norm / plain": more,
            "drift, batch norm / plain": less,
            "mean training loss, noisy norm minus plain": learns,
            "new rows, noisy norm minus plain": gain,
        },
    )


EXPERIMENT = Experiment(
    name="covariate-shift",
    row="B6",
    pillar="batchnorm",
    claim="Batch norm works because it reduces internal covariate shift.",
    source="Santurkar et al., How Does Batch Normalization Help Optimization?, arXiv 1805.11604, section 2",
    told="With noise behind batch norm, layers shift more than in plain networks and train as well.",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with five hidden layers of 48, SGD, 300 steps: plain, batch norm, noise behind it",
    measured="how far mean and deviation of the last layer's input move in ten steps; training loss; right on new rows",
    rule="does not hold where the noisy one surely drifts more than plain and yet surely learns faster or is better; "
    "holds where batch norm drifts less and drift undoes its gain; otherwise it depends",
    breaks="Drift has more than one definition; the paper also measures how gradients turn between steps.",
    tune="It asks whether batch norm helps on your data, and needs no reason why.",
    code=CODE,
    trial=trial,
    judge=judge,
)
