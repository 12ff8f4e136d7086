from __future__ import annotations

import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, number
from gapless.lab.figure import lines
from gapless.lab.setting import Lab

LR, LAMBDA, STEPS = 0.1, 0.05, 50

CODE = """
import torch

w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
by_hand = torch.nn.Parameter(w.detach().clone())
lr, lam = 0.1, 0.05
decay = torch.optim.SGD([w], lr=lr, weight_decay=2 * lam)  # torch adds weight_decay * w to the gradient
plain = torch.optim.SGD([by_hand], lr=lr)
for step in range(50):
    for optimizer, loss in ((decay, 0 * w.sum()), (plain, lam * by_hand.square().sum())):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(w.tolist(), by_hand.tolist(), (1 - 2 * lr * lam) ** 50)
assert torch.allclose(w, by_hand) and torch.allclose(w[0], torch.tensor((1 - 2 * lr * lam) ** 50))
"""


def trial(lab: Lab, seed: int) -> Measured:
    start = torch.randn(100, dtype=torch.float64)

    def shrunk(weight_decay: float, penalty: float, momentum: float = 0.0) -> list[float]:
        w = torch.nn.Parameter(start.clone())
        optimizer = torch.optim.SGD([w], LR, weight_decay=weight_decay, momentum=momentum)
        sizes: list[float] = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            (penalty * w.square().sum() + 0 * w.sum()).backward()
            optimizer.step()
            sizes.append(float((w.detach() / start).mean()))
        return sizes

    told = torch.tensor([(1 - 2 * LR * LAMBDA) ** (k + 1) for k in range(STEPS)], dtype=torch.float64)
    ways = {"penalty": shrunk(0, LAMBDA), "decay": shrunk(2 * LAMBDA, 0), "wrong": shrunk(LAMBDA, 0)}
    ways["momentum"] = shrunk(2 * LAMBDA, 0, 0.9)
    curves = {name: torch.tensor(sizes, dtype=torch.float64) for name, sizes in ways.items()}
    off = {f"{name} off": float((curve / told - 1).abs().max()) for name, curve in curves.items()}
    return {**{name: curve.numpy() for name, curve in curves.items()}, **off, "told": told.numpy()}


def judge(seen: Evidence) -> Finding:
    off = {name: seen.mean(f"{name} off") for name in ("penalty", "decay", "wrong", "momentum")}
    exact = max(seen.table("penalty off").max(), seen.table("decay off").max()) < 1e-9
    return Finding(
        "holds here" if exact else "does not hold",
        f"After {STEPS} steps the penalty and weight_decay = 2 lambda agree with (1 - 2 alpha lambda)^k to "
        f"{number(max(off['penalty'].mean, off['decay'].mean))}; weight_decay = lambda is off by "
        f"{100 * off['wrong'].mean:.0f} %, and with momentum 0.9 the formula is off by "
        f"{100 * off['momentum'].mean:.0f} %.",
        lines(
            "step",
            "size of the weights, of the start's",
            list(range(1, STEPS + 1)),
            {
                "the formula": seen.curve("told"),
                "weight_decay = 2 lambda": seen.curve("decay"),
                "weight_decay = lambda": seen.curve("wrong"),
                "2 lambda, momentum 0.9": seen.curve("momentum"),
            },
        ),
        "Weights without any gradient of the loss, step by step",
        {f"{name}, off at most": v for name, v in off.items()},
    )


EXPERIMENT = Experiment(
    name="decay-factor",
    row="W1",
    pillar="decay",
    claim="L + lambda sum w² multiplies each weight by 1 - 2 alpha lambda a step.",
    source="Krogh and Hertz, A Simple Weight Decay Can Improve Generalization, NeurIPS 1991, equations 2 and 3",
    told="The penalty adds -lambda w to the change of each weight, so that it decays.",
    data="none: 100 weights without a gradient of the loss",
    trained="nothing: 50 steps of SGD at 0.1 with lambda 0.05",
    measured="the weights against (1 - 2 alpha lambda)^k, by the penalty, by torch's weight_decay, and with momentum",
    rule="holds where the penalty and weight_decay = 2 lambda follow the formula to 1e-9",
    breaks="torch's weight_decay is 2 lambda: copying lambda from a formula halves it. Momentum keeps pulling, and "
    "Adam divides by the size of the gradient (decay-by-optimizer).",
    tune="Its decay is AdamW's: each step multiplies by 1 - lr x strength; gapless.decay.convert tells other "
    "conventions.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=3,
)
