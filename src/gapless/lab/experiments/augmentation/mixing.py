from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.setting import PLAIN, Lab
from gapless.lab.worlds import relabelled
from gapless.recipe import Recipe
from gapless.recipe.parts import Augment

RECIPES = {"plain": PLAIN, "mixup": Recipe(augment=Augment(mixup=0.4)), "cutmix": Recipe(augment=Augment(cutmix=1.0))}
NOISES = (0.0, 0.2)

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x, targets = x.float() / 8 - 0.6, nn.functional.one_hot(y).float()
for mixup in (False, True):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(300):
        order, part = torch.randperm(200), float(torch.distributions.Beta(0.4, 0.4).sample()) if mixup else 1.0
        seen = part * x[:200] + (1 - part) * x[order]
        wanted = part * targets[:200] + (1 - part) * targets[order]
        loss = nn.functional.cross_entropy(net(seen), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    new = net(x[1000:])
    right = (new.argmax(1) == y[1000:]).float().mean()
    print(f"mixup {mixup}: {right:.1%} right, log loss {nn.functional.cross_entropy(new, y[1000:]):.3f}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    found: dict[str, np.ndarray | float] = {}
    for noise in NOISES:
        task = lab.task(250, seed)
        task = replace(task, develop=relabelled(task.develop, noise, len(task.classes), seed))
        assert task.confirm is not None
        for name, recipe in RECIPES.items():
            trained = lab.train(task, recipe, steps=450, seed=seed)
            p = trained.outputs(task.confirm).softmax(1)
            sure, _answers = p.max(1)
            found[f"new {noise} {name}"] = right = trained.new
            labels = torch.from_numpy(task.confirm.y)
            found[f"loss {noise} {name}"] = float(-p.gather(1, labels[:, None]).clamp_min(1e-9).log().mean())
            found[f"sure {noise} {name}"] = abs(float(sure.mean()) - float(right.mean()))
    return found


def judge(seen: Evidence) -> Finding:
    keys = [(noise, name) for noise in NOISES for name in ("mixup", "cutmix")]
    gains = {k: seen.difference(f"new {k[0]} {k[1]}", f"new {k[0]} plain") for k in keys}
    loss = {k: seen.difference(f"loss {k[0]} {k[1]}", f"loss {k[0]} plain") for k in keys}
    right = [k for k in keys if gains[k].low > 0]
    calm = [k for k in keys if loss[k].high < 0]
    word = "holds here" if len(right) == len(keys) else "depends" if right or calm else "does not hold"
    noisy = NOISES[1]
    label = {k: f"{k[1]}, {100 * k[0]:.0f} % of labels wrong" for k in keys}
    return Finding(
        word,
        f"With true labels mixup gives {words(gains[0.0, 'mixup'], 'points')} and cutmix "
        f"{words(gains[0.0, 'cutmix'], 'points')}; with {100 * noisy:.0f} % wrong ones "
        f"{words(gains[noisy, 'mixup'], 'points')} and {words(gains[noisy, 'cutmix'], 'points')}, and log loss changes "
        f"by {words(loss[noisy, 'mixup'])} and {words(loss[noisy, 'cutmix'])}.",
        dots("gained over plain, points", {label[k]: g for k, g in gains.items()}, scale=100, zero=0),
        "What mixing pictures gives on new digits, with true and with partly wrong labels",
        {f"{label[k]}, accuracy": v for k, v in gains.items()} | {f"{label[k]}, log loss": v for k, v in loss.items()},
    )


EXPERIMENT = Experiment(
    name="mixing-pictures",
    row="A8",
    pillar="augmentation",
    claim="Mixing two pictures and their labels helps.",
    source="Zhang et al., mixup, arXiv 1710.09412, sections 3.1 and 3.4; Yun et al., CutMix, arXiv 1905.04899",
    told="mixup takes 1 to 1.5 points off CIFAR's error and resists corrupt labels; CutMix more.",
    data="250 digits to train on, with true labels and with 20 % drawn at random; 797 new ones",
    trained="a perceptron with two hidden layers of 64, plain, with mixup 0.4 and with cutmix 1.0, 450 steps",
    measured="right on new rows against plain, paired by seed and row; log loss (without a temperature)",
    rule="holds where both surely gain, with and without wrong labels; depends where some gain or lower the log loss; "
    "otherwise it does not hold",
    breaks="cutmix needs networks that look at places. Mixed labels make outputs less sure, so log loss falls where "
    "plain was too sure; where it was not, it may rise.",
    tune="It searches the strength of both for pictures, and mixup after the embedding for texts.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
    takes=("image",),
)
