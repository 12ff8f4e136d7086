from __future__ import annotations

from dataclasses import replace

import numpy as np

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.setting import Lab
from gapless.lab.worlds import relabelled

WIDTHS = (2, 4, 8, 16, 64, 256)
NOISE = 0.15

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for width in (4, 16, 256):
    torch.manual_seed(0)
    labels = torch.where(torch.rand(200) < 0.15, torch.randint(10, (200,)), y[:200])
    net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0)
    for step in range(150):
        loss = nn.functional.cross_entropy(net(x[:200]), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learned = (net(x[:200]).argmax(1) == labels).float().mean()
    print(f"width {width}: {learned:.0%} learned, {(net(x[1000:]).argmax(1) == y[1000:]).float().mean():.1%} new")
"""


def trial(lab: Lab, seed: int) -> Measured:
    found: dict[str, np.ndarray | float] = {}
    for noise in (0.0, NOISE):
        for width in WIDTHS:
            task = lab.task(200, seed, width=width, depth=1)
            task = replace(task, develop=relabelled(task.develop, noise, len(task.classes), seed))
            trained = lab.train(task, steps=350, seed=seed, lr=0.01)
            found[f"train {noise} {width}"], found[f"new {noise} {width}"] = trained.train, trained.new
    return found


def judge(seen: Evidence) -> Finding:
    widest = WIDTHS[-1]
    changes = {}
    for noise in (0.0, NOISE):
        best = seen.best([f"new {noise} {w}" for w in WIDTHS[:-1]])
        changes[noise] = seen.difference(f"new {noise} {widest}", best)
    clean = seen.difference(f"new 0.0 {widest}", "new 0.0 8")
    noisy = seen.difference(f"new {NOISE} {widest}", f"new {NOISE} 8")
    worse = [change.high < -0.01 for change in changes.values()]
    word = "holds here" if all(worse) else "depends" if any(worse) else "does not hold"
    curves = {f"new rows, {100 * n:.0f} % of labels wrong": n for n in (0.0, NOISE)}
    return Finding(
        word,
        f"From width 8 to {widest} new rows gain {words(clean, 'points')} with true labels and "
        f"{words(noisy, 'points')} with {100 * NOISE:.0f} % wrong ones; the widest stands "
        f"{words(changes[0.0], 'points')} and {words(changes[NOISE], 'points')} from the best narrower one.",
        lines(
            "width of the hidden layer",
            "right, %",
            WIDTHS,
            {name: [seen.mean(f"new {n} {w}") for w in WIDTHS] for name, n in curves.items()}
            | {"training rows, wrong labels included": [seen.mean(f"train {NOISE} {w}") for w in WIDTHS]},
            log=True,
            scale=100,
        ),
        "Wider networks learn their training rows whole, and are not worse on new ones",
        {
            f"width {widest} against 8, true labels": clean,
            f"width {widest} against 8, {100 * NOISE:.0f} % wrong": noisy,
            "widest against the best narrower, true labels": changes[0.0],
            "widest against the best narrower, some wrong": changes[NOISE],
        },
    )


EXPERIMENT = Experiment(
    name="bigger-nets",
    row="O5",
    pillar="overfitting",
    claim="Bigger networks overfit more.",
    source="Nakkiran et al., Deep Double Descent, arXiv 1912.02292, sections 1 and 5",
    told="Test error rises up to the size that just fits the training rows and falls again beyond it.",
    data="200 digits, with true labels and with 15 % drawn at random; 797 new digits",
    trained="a perceptron with one hidden layer of 2 to 256 units, AdamW, 350 steps, without any regularization",
    measured="right on new rows by width, paired by seed and row",
    rule="holds where the widest is surely more than a point below the best narrower one, with and without wrong "
    "labels; depends where in one of the two; otherwise it does not hold",
    breaks="Near the width that just fits the training rows, with wrong labels and long trainings, more units can "
    "hurt: the peak between the two descents. Its place moves with the rows and the length of the training.",
    tune="It keeps your model's size and regularizes it: a large network well regularized is seldom the loser.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
)
