from __future__ import annotations

import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)
KINDS = {"without": 0.0, "with decay 0.5": 0.5}

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for decay in (0.0, 0.5):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=decay)
    for step in range(400):
        loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    size = torch.cat([net[0].weight.flatten(), net[2].weight.flatten()]).abs()
    median, largest = size.median(), size.max()
    print(f"decay {decay}: median {median:.3f}, largest {largest:.3f}, ratio {largest / median:.1f}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)
    found = {}
    for name, decay in KINDS.items():
        torch.manual_seed(seed)
        model = mlp((64, 64, 64, 10))
        fit(model, torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=decay), x, y, lab.pick(1000, 10))
        lab.tick()
        size = torch.cat([p.detach().flatten().abs() for p in model.parameters() if p.ndim > 1])
        quantiles = torch.quantile(size, torch.tensor(QUANTILES))
        found[name], found[f"{name} new"] = quantiles.numpy(), right(model, new, labels)
        found[f"{name} largest"], found[f"{name} typical"] = float(quantiles[-1]), float(quantiles[2])
        found[f"{name} dominates"] = float(quantiles[-1] / quantiles[2])
    return found


def judge(seen: Evidence) -> Finding:
    without, with_ = KINDS
    large = seen.difference(f"{without} largest", f"{with_} largest")
    typical = seen.difference(f"{without} typical", f"{with_} typical")
    ratio = seen.ratio(f"{with_} dominates", f"{without} dominates")
    shrinks = large.low > typical.high
    word = "does not hold" if not shrinks else "holds here" if ratio.high < 1 else "depends"
    return Finding(
        word,
        f"With decay the largest weights (99.9 %) are smaller by {words(large)} and the median one by "
        f"{words(typical)}; largest over median is {words(ratio)} times what it is without: decay "
        + ("evens weights." if ratio.high < 1 else "does not even weights; what nothing needs goes first."),
        lines(
            "share of the weights that are smaller",
            "size of a weight",
            QUANTILES,
            {name: seen.curve(name) for name in KINDS},
        ),
        "Sizes of the trained weights, from small to large",
        {
            "largest, taken off": large,
            "median, taken off": typical,
            "largest / median, with / without": ratio,
            "new rows, with minus without": seen.difference(f"{with_} new", f"{without} new"),
        },
    )


EXPERIMENT = Experiment(
    name="single-weights",
    row="W3",
    pillar="decay",
    claim="Weight decay keeps any single weight from dominating.",
    source="Krogh and Hertz, NeurIPS 1991, section 1; Hinton, Connectionist Learning Procedures, 1989",
    told="It suppresses components of the weights that the data do not need, choosing the smallest vector.",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64, AdamW at 0.003, 1,000 steps, decay 0 and 0.5, in plain torch",
    measured="quantiles of the sizes of weights; how much smaller the largest and the median are; largest over median",
    rule="holds where the largest surely lose more than the median and largest over median surely falls; depends where "
    "only the first; otherwise it does not hold",
    breaks="Decoupled decay multiplies all weights by the same factor; those that the loss pulls at come back. What it "
    "shrinks most, relatively, are weights that nothing needs, and that makes the rest stand out.",
    tune="It searches one strength for all weights and spares biases and norms.",
    code=CODE,
    trial=trial,
    judge=judge,
)
