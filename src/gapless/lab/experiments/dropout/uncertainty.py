from __future__ import annotations

import torch
from torch import Tensor

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.plain import digit_tensors, fit, mlp
from gapless.lab.setting import Lab

KNOWN = 7
"""Digits 0 to 6 are learned; 7, 8 and 9 are the unknown."""
MEMBERS, PASSES = 5, 50

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
train, new = (y < 7) & (torch.arange(len(y)) < 500), torch.arange(len(y)) >= 1000
net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 7))
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
for step in range(300):
    loss = nn.functional.cross_entropy(net(x[train]), y[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
p = torch.stack([net(x[new]).softmax(1).detach() for _ in range(50)]).mean(0)
unsure = -(p * p.clamp_min(1e-9).log()).sum(1)
strange, known = unsure[y[new] >= 7], unsure[y[new] < 7]
print(f"a digit never seen looks stranger than a known one in {(strange[:, None] > known).float().mean():.1%} of pairs")
"""


def entropy(p: Tensor) -> Tensor:
    return -(p * p.clamp_min(1e-9).log()).sum(1)


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 400, seed)
    x, y = x[y < KNOWN], y[y < KNOWN]

    def trained(p: float) -> torch.nn.Sequential:
        model = mlp((64, 64, 64, KNOWN), p=p)
        fit(model, torch.optim.AdamW(model.parameters(), 3e-3), x, y, lab.pick(450, 10))
        lab.tick()
        return model

    model, members = trained(0.3), [trained(0.0) for _ in range(MEMBERS)]
    with torch.no_grad():
        each = torch.stack([m(new).softmax(1) for m in members])
        off = model(new).softmax(1)
        model.train()
        passes = torch.stack([model(new).softmax(1) for _ in range(PASSES)])
    strange = labels >= KNOWN

    def told(unsure: Tensor) -> float:
        """The share of pairs in which the unknown one is the less certain: the area under the ROC curve."""
        a, b = unsure[strange][:, None], unsure[~strange][None]
        return float((a > b).double().mean() + (a == b).double().mean() / 2)

    return {
        "one": told(entropy(each[0])),
        "off": told(entropy(off)),
        "masks": told(entropy(passes.mean(0))),
        "ensemble": told(entropy(each.mean(0))),
    }


def judge(seen: Evidence) -> Finding:
    shown = {
        "one plain network": seen.mean("one"),
        "trained with dropout, off": seen.mean("off"),
        f"{PASSES} masks": seen.mean("masks"),
        f"{MEMBERS} plain networks": seen.mean("ensemble"),
    }
    plain, free = seen.difference("masks", "one"), seen.difference("masks", "off")
    better = seen.difference("ensemble", "masks")
    return Finding(
        "depends" if plain.low > 0 >= free.low else "holds here" if free.low > 0 else "does not hold",
        f"{PASSES} masks tell unknown from known in {words(seen.mean('masks'), '%')} of pairs: "
        f"{words(plain, 'points')} more than a plain network, but {words(free, 'points')} more than the same network "
        f"in one pass; {MEMBERS} networks do {words(better, 'points')} more than the masks.",
        dots("unknown told from known, % of pairs (50 is guessing)", shown, scale=100),
        "How well each doubts digits that it was never shown",
        {**shown, "masks minus plain": plain, "masks minus one pass": free, "ensemble minus masks": better},
    )


EXPERIMENT = Experiment(
    name="free-uncertainty",
    row="D8",
    pillar="dropout",
    claim="Many passes with dropout give uncertainty for free.",
    source="Gal and Ghahramani, Dropout as a Bayesian Approximation, arXiv 1506.02142, section 5",
    told="Several stochastic passes give model uncertainty without changing the network.",
    data="digits 0 to 6 of 400 to train on; 797 new digits, among which 7, 8 and 9 are unknown",
    trained="a perceptron with two hidden layers of 64 and dropout 0.3, and five plain ones, 450 steps, in plain torch",
    measured="the share of pairs (unknown, known) in which the unknown has the larger entropy (area under the ROC "
    "curve)",
    rule="holds where 50 masks are surely better than one pass of the same network; depends where they are surely "
    "better than a plain network only; otherwise it does not hold",
    breaks="'Free' costs 50 passes, and much of the doubt is in a single pass already. What is far from all data can "
    "still look certain to every mask; networks trained apart disagree more (Lakshminarayanan et al. 2017).",
    tune="It does not use uncertainty; gapless.dropout.monte_carlo gives it for a model with dropout.",
    code=CODE,
    trial=trial,
    judge=judge,
)
