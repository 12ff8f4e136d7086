from __future__ import annotations

from dataclasses import replace

import numpy as np

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.setting import Lab
from gapless.lab.worlds import relabelled
from gapless.train.loop import Trainer
from gapless.train.scores import score

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)
LEARNED = 0.99

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
train, new = slice(0, 200), slice(1000, None)
labels = torch.randint(10, (200,))  # what stands on the pictures is not looked at
net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0)
for step in range(500):
    loss = nn.functional.cross_entropy(net(x[train]), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
learned = (net(x[train]).argmax(1) == labels).float().mean()
print(f"random labels learned: {learned:.0%}")
print(f"right on new digits: {(net(x[new]).argmax(1) == y[new]).float().mean():.0%}")
assert learned > 0.99
"""


def trial(lab: Lab, seed: int) -> Measured:
    found: dict[str, np.ndarray | float] = {}
    for share in SHARES:
        task = lab.task(200, seed, width=128)
        task = replace(task, develop=relabelled(task.develop, share, len(task.classes), seed))
        learned: list[int] = []

        def after(trainer: Trainer, learned: list[int] = learned) -> None:
            if not learned and trainer.epoch % 2 == 0 and score(trainer.model, trainer.feed).mean >= LEARNED:
                learned.append(trainer.epoch)

        trained = lab.train(task, steps=600, seed=seed, after_epoch=after)
        found[f"train {share}"], found[f"new {share}"] = trained.train, trained.new
        found[f"epochs {share}"] = float(learned[0] if learned else trained.trainer.epoch)
    return found


def judge(seen: Evidence) -> Finding:
    train, new = seen.mean("train 1.0"), seen.mean("new 1.0")
    slower = seen.ratio("epochs 1.0", "epochs 0.0")
    fits = train.mean >= LEARNED
    figure = lines(
        "labels drawn at random, %",
        "right, %",
        [100 * s for s in SHARES],
        {
            "on the training rows": [seen.mean(f"train {s}") for s in SHARES],
            "on new rows": [seen.mean(f"new {s}") for s in SHARES],
        },
        scale=100,
    )
    return Finding(
        "holds here" if fits else "does not hold",
        f"With every label random it gets {words(train, '%')} of its training rows right and {words(new, '%')} of new "
        f"ones; that takes {words(slower)} times the epochs of true labels.",
        figure,
        "However many labels are random, all are learned; only new rows show it",
        {
            "training rows, all labels random": train,
            "new rows, all labels random": new,
            "epochs, random / true": slower,
        },
    )


EXPERIMENT = Experiment(
    name="random-labels",
    row="O1",
    pillar="overfitting",
    claim="A network can learn random labels by heart.",
    source="Zhang et al., Understanding deep learning requires rethinking generalization, arXiv 1611.03530, section "
    "2.1",
    told="Inception reaches 100 % on CIFAR-10 with random labels.",
    data="200 digits of 8 x 8 pixels with 0, 10, 25, 50 and 100 % of the labels drawn at random; 797 new digits",
    trained="a perceptron with two hidden layers of 128, AdamW, 600 steps, without any regularization",
    measured="the share of right answers on training and on new rows, and the epochs until 99 % of training rows are "
    "right",
    rule="holds where, with all labels random, at least 99 % of the training rows are learned",
    breaks="A network with too few weights, or too few steps, cannot learn them: the more random labels, the longer it "
    "takes. Regularization slows it and need not prevent it (table 1 of the paper).",
    tune="It never believes a training score: every recipe is ranked on rows it was not trained on.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
    takes=("image",),
)
