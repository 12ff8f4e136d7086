from __future__ import annotations

import numpy as np
import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.plain import digit_tensors, fit, mlp
from gapless.lab.setting import Lab
from gapless.lab.worlds import moved, turned

RANGE, COPIES = 30.0, 10
ANGLES = (0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0)
KINDS = {"without": 0.0, "turned by up to 30 degrees": RANGE}

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
shifted = x.reshape(-1, 8, 8).roll(1, 2).flatten(1)
for trained_on_both in (False, True):
    torch.manual_seed(0)
    seen, labels = (torch.cat([x[:300], shifted[:300]]), y[:300].repeat(2)) if trained_on_both else (x[:300], y[:300])
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(200):
        loss = nn.functional.cross_entropy(net(seen), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    change = (net(x[1000:]).softmax(1) - net(shifted[1000:]).softmax(1)).abs().sum(1).mean() / 2
    print(f"trained on shifted digits: {trained_on_both}; a shift by a pixel changes answers by {change:.1%}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, _ = digit_tensors(lab, 500, seed)
    pictures = new.reshape(-1, 1, 8, 8)
    found: dict[str, np.ndarray | float] = {}
    for name, degrees in KINDS.items():
        many = x.repeat(COPIES, 1)
        many = moved(many.reshape(-1, 1, 8, 8), seed, degrees=degrees).flatten(1) if degrees else many
        torch.manual_seed(seed)
        model = mlp((64, 128, 128, 10))
        fit(model, torch.optim.AdamW(model.parameters(), 2e-3), many, y.repeat(COPIES), lab.pick(900, 10))
        lab.tick()
        change: list[float] = []
        with torch.no_grad():
            before = model(new).softmax(1)
            for angle in ANGLES:
                both = [turned(pictures, torch.full((len(new),), sign * angle)).flatten(1) for sign in (-1, 1)]
                distances = [(model(z).softmax(1) - before).abs().sum(1) / 2 for z in both]
                change.append(float(torch.stack(distances).mean()))
        found[name] = np.array(change)
        found[f"{name} inside"] = float(np.mean([c for c, a in zip(change, ANGLES, strict=True) if 0 < a <= RANGE]))
        found[f"{name} outside"] = float(np.mean([c for c, a in zip(change, ANGLES, strict=True) if a > RANGE + 30]))
    return found


def judge(seen: Evidence) -> Finding:
    without, with_ = KINDS
    inside = seen.ratio(f"{with_} inside", f"{without} inside")
    outside = seen.ratio(f"{with_} outside", f"{without} outside")
    learned = inside.high < 0.7
    word = "holds here" if learned and outside.high < 0.7 else "depends" if learned else "does not hold"
    return Finding(
        word,
        f"Within the 30 degrees trained on, answers change {words(inside)} times as much as without; at 75 and 90 "
        f"degrees {words(outside)} times: what is learned is the range, not the rotation.",
        lines(
            "turned by, degrees",
            "change of the answer, %",
            ANGLES,
            {name: seen.curve(name) for name in KINDS},
            scale=100,
        ),
        "How far answers move (total variation) when a new digit is turned",
        {"change within the range, with / without": inside, "change beyond it, with / without": outside},
    )


EXPERIMENT = Experiment(
    name="learned-invariance",
    row="A7",
    pillar="augmentation",
    claim="A turned cat is still a cat: augmentation teaches invariance.",
    source="Engstrom et al., Exploring the Landscape of Spatial Robustness, arXiv 1712.02779, section 4",
    told="Standard networks fail under small rotations; augmentation repairs part of it.",
    data="500 digits to train on, ten variants of each; 797 new ones, turned by 0 to 90 degrees",
    trained="a perceptron with two hidden layers of 128, 900 steps, with and without turning by up to 30 degrees",
    measured="total variation between the answers to a digit and to the same digit turned; within and beyond the range",
    rule="holds where answers surely move by less than 0.7 times as much both within the range and far beyond (75 "
    "degrees and more); depends where only within",
    breaks="A model that is built to be equivariant has it everywhere; one that learns it has it where it was shown, "
    "and only about for new digits.",
    tune="It searches the strength of each operation: the range your data needs, not the largest there is.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
)
