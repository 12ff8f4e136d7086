from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gapless.batchnorm import adapt
from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.setting import Lab
from gapless.lab.worlds import Weather, weathered
from gapless.recipe import Recipe
from gapless.recipe.parts import BatchNorm

PLACES: Mapping[str, tuple[Weather, float]] = {
    "darker": ("dark", 0.9),
    "low contrast": ("contrast", 0.7),
    "fog": ("fog", 0.7),
    "noise": ("noise", 0.6),
}

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
net = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
for step in range(200):
    loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
pale = 0.3 * x[1000:] + 0.5
before = (net.eval()(pale).argmax(1) == y[1000:]).float().mean()
after = (net.train()(pale).argmax(1) == y[1000:]).float().mean()  # normalised by the new pictures themselves
print(f"pale digits: {before:.1%} with the statistics of training, {after:.1%} with their own")
"""


def trial(lab: Lab, seed: int) -> Measured:
    task = lab.task(300, seed, model="cnn", width=8)
    assert task.confirm is not None
    trained = lab.train(task, Recipe(batchnorm=BatchNorm(insert=True)), steps=240, seed=seed, lr=0.01)
    found: dict[str, np.ndarray] = {"as it was": trained.new}
    for place, (weather, strength) in PLACES.items():
        rows = weathered(task.confirm, weather, strength)
        found[f"before {place}"] = trained.on(rows)
        adapted = adapt(trained.trainer.model, [trained.inputs(rows)])
        found[f"after {place}"] = trained.on(rows)
        adapted.undo()
    return found


def judge(seen: Evidence) -> Finding:
    lost = {place: seen.difference("as it was", f"before {place}") for place in PLACES}
    back = {place: seen.difference(f"after {place}", f"before {place}") for place in PLACES}
    sure = [place for place in PLACES if lost[place].low > 0 and back[place].low > 0]
    best = max(back, key=lambda place: back[place].mean)
    rows = {}
    for place in PLACES:
        rows |= {f"{place}: as trained": seen.mean(f"before {place}"), f"{place}: own": seen.mean(f"after {place}")}
    return Finding(
        "holds here" if len(sure) >= 2 else "depends" if sure else "does not hold",
        f"Where pictures are {best}, the statistics of training lose {words(lost[best], 'points')} and the new "
        f"pictures' own bring {words(back[best], 'points')} back, without a label; it surely helps in {len(sure)} of "
        f"{len(PLACES)}.",
        dots("right on new rows, %", rows, scale=100),
        "New pictures from elsewhere, normalised as in training and by their own statistics",
        {f"brought back, {place}": v for place, v in back.items()} | {f"lost, {place}": v for place, v in lost.items()},
    )


EXPERIMENT = Experiment(
    name="other-statistics",
    row="B7",
    pillar="batchnorm",
    claim="Statistics of training mislead on data from elsewhere.",
    source="Li et al., Revisiting Batch Normalization for Practical Domain Adaptation (AdaBN), arXiv 1603.04779, "
    "section 3",
    told="Statistics of the new domain, without its labels, repair much of the shift between domains.",
    data="300 digits to train on; 797 new ones, darker, with low contrast, in fog and with noise",
    trained="a cnn of width 8 with batch norm, AdamW, 240 steps",
    measured="right on the changed new rows with the statistics of training and with their own, paired by seed and row",
    rule="holds where in two places or more rows are surely lost, and surely brought back by their own statistics; "
    "depends where in one",
    breaks="It repairs what a shift and a scale of each channel can repair: brightness, contrast, fog. It needs many "
    "pictures with all classes among them; a handful, or one class alone, makes it worse.",
    tune="It scores with the statistics of training, as the model will be used; gapless.batchnorm.adapt does this.",
    code=CODE,
    trial=trial,
    judge=judge,
    takes=("image",),
)
