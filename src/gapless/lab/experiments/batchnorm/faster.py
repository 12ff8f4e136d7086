from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
EVERY = 10
KINDS = {"plain": False, "batch norm": True}

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for name, norm, lr in (("plain", nn.Identity, 0.2), ("batch norm", lambda: nn.BatchNorm1d(64), 0.3)):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), norm(), nn.ReLU(), nn.Linear(64, 64), norm(), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    for step in range(400):
        loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.1:
            break
    print(f"{name}: {step + 1} steps to a loss of 0.1")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)
    steps = lab.pick(300, 20)
    curves: dict[tuple[str, float], list[float]] = {}
    cost: dict[str, float] = {}

    def along(model: nn.Module, lr: float) -> list[float]:
        curve: list[float] = []

        def each(step: int, loss: Tensor) -> None:
            if step % EVERY == 0:
                curve.append(float(right(model, new, labels).mean()))
                model.train()

        torch.manual_seed(seed)
        fit(model, torch.optim.SGD(model.parameters(), lr), x, y, steps, each=each)
        return curve + [0.0] * (steps // EVERY - len(curve))

    for kind, norm in KINDS.items():
        for lr in RATES:
            torch.manual_seed(seed)
            curves[kind, lr] = along(mlp((64, 64, 64, 64, 10), norm), lr)
        lab.tick()
        model = mlp((64, 64, 64, 64, 10), norm)
        begun = time.process_time()
        fit(model, torch.optim.SGD(model.parameters(), 0.01), x, y, lab.pick(200, 10))
        cost[kind] = time.process_time() - begun
    goal = max(max(curves["plain", lr]) for lr in RATES) * 0.99
    reached: dict[str, float] = {}
    for kind in KINDS:
        times = [1 + next((i for i, v in enumerate(curves[kind, lr]) if v >= goal), steps // EVERY) for lr in RATES]
        reached[f"steps {kind}"] = float(EVERY * min(times))
        reached[f"seconds {kind}"] = reached[f"steps {kind}"] * max(cost[kind], 1e-6)
    return reached


def judge(seen: Evidence) -> Finding:
    steps, seconds = (seen.ratio(f"{what} plain", f"{what} batch norm") for what in ("steps", "seconds"))
    word = "holds here" if steps.mean >= 6 else "depends" if steps.low > 1 else "does not hold"
    return Finding(
        word,
        f"To 99 % of the plain network's best it takes {words(steps)} times fewer steps, each network at its own best "
        f"rate, and {words(seconds)} times less computing, for a step with batch norm costs more.",
        dots("times faster with batch norm (1 is no difference)", {"steps": steps, "computing time": seconds}, zero=1),
        "How much sooner batch norm comes to the plain network's best",
        {
            "steps, plain / batch norm": steps,
            "computing time, plain / batch norm": seconds,
            "steps, plain": seen.mean("steps plain"),
            "steps, batch norm": seen.mean("steps batch norm"),
        },
    )


EXPERIMENT = Experiment(
    name="faster-training",
    row="B4",
    pillar="batchnorm",
    claim="Training is 6 to 14 times faster with batch norm.",
    source="Ioffe and Szegedy, arXiv 1502.03167, section 4.2.2, figure 3",
    told="Inception's accuracy was reached in 14 times fewer steps (at five times the rate).",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with three hidden layers of 64, SGD, 300 steps at each of five rates, with and without",
    measured="steps, and computing time, until 99 % of the plain network's best on new rows, each at its own best rate",
    rule="holds where six times fewer steps or more; depends where surely fewer, but not that; otherwise it does not "
    "hold",
    breaks="The paper's plain network was deep, saturating or badly started, at a rate of its own. A small network "
    "with ReLU at its own best rate has little left to gain, and every step with batch norm costs more.",
    tune="It finds how long the plain model needs first, and gives recipes with batch norm no longer than that.",
    code=CODE,
    trial=trial,
    judge=judge,
)
