from __future__ import annotations

import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.plain import digit_tensors, fit, mlp
from gapless.lab.setting import Lab

P = 0.5

CODE = """
import torch
from torch import nn

torch.manual_seed(0)
x, layer = torch.rand(64), nn.Linear(64, 32)
with torch.no_grad():
    dropped = nn.functional.dropout(x.expand(100_000, 64), 0.5)  # keeps half, and doubles what it keeps
    print(f"mean of a unit over the mean without: {(dropped.mean(0) / x).mean():.4f}")
    print(f"variance over x^2 p / (1 - p): {(dropped.var(0) / x.square()).mean():.4f}")
    linear, plain = layer(dropped), layer(x)
    print(f"linear layer, mean difference: {(linear.mean(0) - plain).abs().mean():.4f}")
    after = linear.relu().mean(0) - plain.relu()
    print(f"behind a ReLU, mean difference: {after.mean():.4f}")
assert after.mean() > 0.01 > (linear.mean(0) - plain).abs().mean()
"""


def trial(lab: Lab, seed: int) -> Measured:
    draws = lab.pick(20_000, 2_000)
    x, y, new, _ = digit_tensors(lab, 300, seed)
    model = mlp((64, 64, 64, 10), p=P)
    fit(model, torch.optim.AdamW(model.parameters(), 3e-3), x, y, lab.pick(400, 10))
    with torch.no_grad():
        row = torch.rand(64) + 0.5
        dropped = torch.nn.functional.dropout(row.expand(draws, 64), P)
        linear = model[0]
        bare, noisy = linear(row), linear(dropped)
        size = bare.relu().mean()
        some = new[:50]
        model.train()
        passes = torch.stack([model(some) for _ in range(draws // 50)]).mean(0)
        model.eval()
        outputs = model(some)
    return {
        "mean": float((dropped.mean(0) / row).mean()) - 1,
        "variance": float((dropped.var(0) / (row.square() * P / (1 - P))).mean()) - 1,
        "linear": float((noisy.mean(0) - bare).mean() / size),
        "relu": float((noisy.relu().mean(0) - bare.relu()).mean() / size),
        "net": float((passes - outputs).square().mean().sqrt() / outputs.std()),
    }


def judge(seen: Evidence) -> Finding:
    found = {name: seen.mean(name) for name in ("mean", "variance", "linear", "relu", "net")}
    exact = abs(found["mean"].mean) < 0.01 and abs(found["linear"].mean) < 0.02
    biased = found["relu"].low > 0.01
    names = {
        "mean": "mean of a unit",
        "variance": "variance against p / (1 - p) x²",
        "linear": "behind a linear layer",
        "relu": "behind its ReLU",
        "net": "outputs of a trained network (size)",
    }
    return Finding(
        "depends" if exact and biased else "holds here" if exact else "does not hold",
        f"A unit and a linear layer keep their mean to {words(found['linear'], '%')}, but behind the ReLU it is off by "
        f"{words(found['relu'], '%')}, and a trained network's outputs by {words(found['net'], '%')} of their spread.",
        dots("off by, %", {names[n]: v for n, v in found.items()}, scale=100, zero=0),
        "How far the mean over dropout's draws is from the value without dropout",
        {f"{names[n]}, relative": v for n, v in found.items()},
    )


EXPERIMENT = Experiment(
    name="dropout-expectation",
    row="D1",
    pillar="dropout",
    claim="Scaling by 1 / (1 - p) keeps the expectation the same.",
    source="Srivastava et al., Dropout, JMLR 15, 2014, section 4 and figure 2",
    told="Expected output of a unit at training time equals its output at test time; beyond one layer it is called an "
    "approximate averaging.",
    data="digits, and a row of 64 positive numbers",
    trained="a perceptron with two hidden layers of 64 and dropout 0.5, 400 steps, in plain torch",
    measured="mean over 20,000 draws with dropout against the value without: of a unit, behind a linear layer, behind "
    "its ReLU, and (400 draws) of a trained network's outputs",
    rule="holds where all means agree; depends where units and linear layers agree and the mean behind a ReLU is "
    "surely more than 1 % too large",
    breaks="A function that bends does not commute with the mean: E[relu(z)] >= relu(E[z]) (Jensen). The network is "
    "trained with that bias and bears it; the average over many masks is the exact thing.",
    tune="It trains with 1 / (1 - p) and scores without dropout, as torch does.",
    code=CODE,
    trial=trial,
    judge=judge,
)
