from __future__ import annotations

import numpy as np
import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

WIDTH = 32
KINDS = (("plain", 0.0), ("dropout 0.5", 0.5))

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for p in (0.0, 0.5):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(p), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    for step in range(200):
        loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    hidden = net[:2](x[1000:]).detach()
    score = lambda h: float((net[3](h).argmax(1) == y[1000:]).float().mean())
    lost = [score(hidden) - score(hidden * (torch.arange(32) != unit)) for unit in range(32)]
    print(f"p = {p}: {score(hidden):.1%}; without one unit it loses {sum(lost) / 32:.2%}, at worst {max(lost):.2%}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)
    found: dict[str, np.ndarray | float] = {}
    for name, p in KINDS:
        torch.manual_seed(seed)
        model = mlp((64, WIDTH, 10), p=p)
        fit(model, torch.optim.AdamW(model.parameters(), 5e-3), x, y, lab.pick(1000, 10))
        lab.tick()
        score = right(model, new, labels)
        with torch.no_grad():
            hidden = model[:2](new)
            lost: list[float] = []
            for unit in range(WIDTH):
                without = hidden.clone()
                without[:, unit] = 0
                lost.append(float(score.mean()) - float((model[-1](without).argmax(1) == labels).float().mean()))
            alive = hidden[:, hidden.std(0) > 1e-6]
            alike = torch.corrcoef(alive.T).abs().fill_diagonal_(0).sum() / (len(alive.T) * (len(alive.T) - 1))
        found |= {f"new {name}": score, f"lost {name}": np.sort(lost)[::-1].copy(), f"alike {name}": float(alike)}
        found |= {f"mean {name}": float(np.mean(lost)), f"worst {name}": float(np.max(lost))}
    return found


def judge(seen: Evidence) -> Finding:
    plain, dropped = (name for name, _ in KINDS)
    mean = seen.difference(f"mean {plain}", f"mean {dropped}")
    worst = seen.difference(f"worst {plain}", f"worst {dropped}")
    alike = seen.difference(f"alike {dropped}", f"alike {plain}")
    sure = mean.low > 0
    return Finding(
        "holds here" if sure else "does not hold" if mean.high < 0 else "undecided",
        f"Deleting one of {WIDTH} units costs {words(seen.mean(f'mean {plain}'), 'points')} without dropout and "
        f"{words(seen.mean(f'mean {dropped}'), 'points')} with it; at worst "
        f"{words(seen.mean(f'worst {plain}'), 'points')} and {words(seen.mean(f'worst {dropped}'), 'points')}.",
        lines(
            "units, the most important first",
            "points lost without it",
            list(range(1, WIDTH + 1)),
            {name: seen.curve(f"lost {name}") for name, _ in KINDS},
            scale=100,
            level=0,
        ),
        "What each hidden unit's deletion costs on new digits",
        {
            "mean loss, plain minus dropout": mean,
            "worst loss, plain minus dropout": worst,
            "mean correlation of units, dropout minus plain": alike,
            "new rows, dropout minus plain": seen.difference(f"new {dropped}", f"new {plain}"),
        },
    )


EXPERIMENT = Experiment(
    name="co-adaptation",
    row="D3",
    pillar="dropout",
    claim="Dropout breaks co-adaptation: no unit relies on a single other.",
    source="Hinton et al., Improving neural networks by preventing co-adaptation of feature detectors, arXiv 1207.0580",
    told="Each hidden unit must work well with randomly chosen others, so it is driven towards features of its own "
    "use.",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with one hidden layer of 32 units, without and with dropout 0.5, 1,000 steps, in plain torch",
    measured="what deleting each hidden unit costs on new digits, the mean and the worst; correlation between units",
    rule="holds where the mean loss is surely smaller with dropout; does not hold where it is surely larger",
    breaks="Robust to deletion is not the same as independent: units that stand in for each other are alike, and the "
    "correlation between them rises. What 'co-adaptation' means was never defined by a number.",
    tune="It does not ask whether units rely on each other; it asks whether dropout helps on new rows.",
    code=CODE,
    trial=trial,
    judge=judge,
)
