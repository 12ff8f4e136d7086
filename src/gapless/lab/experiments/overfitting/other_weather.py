from __future__ import annotations

import numpy as np

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.setting import PLAIN, Lab
from gapless.lab.worlds import Weather, weathered
from gapless.recipe import Recipe
from gapless.recipe.parts import Augment, Op

WEATHERS: tuple[Weather, ...] = ("noise", "blur", "contrast", "fog")
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
NOISY = Recipe(augment=Augment(ops=(Op(op="noise", strength=0.3),)))
HARD = 3
"""The strength at which the two are compared."""

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 16
for trained_on in (0.0, 0.3):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0)
    for step in range(150):
        seen = (x[:300] + trained_on * torch.randn(300, 64)).clamp(0, 1)
        loss = nn.functional.cross_entropy(net(seen), y[:300])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    noisy, pale = x + 0.5 * torch.randn_like(x), 0.3 + 0.3 * (x - 0.3)
    right = [f"{(net(z[1000:]).argmax(1) == y[1000:]).float().mean():.1%}" for z in (x, noisy, pale)]
    print(f"trained with noise {trained_on}: clean {right[0]}, noisy {right[1]}, pale {right[2]}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    task = lab.task(300, seed)
    assert task.confirm is not None
    found: dict[str, np.ndarray | float] = {}
    for name, recipe in (("plain", PLAIN), ("noisy", NOISY)):
        trained = lab.train(task, recipe, steps=600, seed=seed)
        for weather in WEATHERS:
            for i, strength in enumerate(STRENGTHS):
                found[f"{name} {weather} {i}"] = trained.on(weathered(task.confirm, weather, strength))
    return found


def judge(seen: Evidence) -> Finding:
    gains = {w: seen.difference(f"noisy {w} {HARD}", f"plain {w} {HARD}") for w in WEATHERS}
    own, others = gains["noise"], [gains[w] for w in WEATHERS if w != "noise"]
    best = max(others, key=lambda gain: gain.mean)
    worst = min(gains, key=lambda w: gains[w].mean)
    carries = all(gain.low > own.mean / 2 for gain in others)
    word = "does not hold" if own.low <= 0 else "holds here" if carries else "depends"
    shown = {w: [seen.difference(f"noisy {w} {i}", f"plain {w} {i}") for i in range(len(STRENGTHS))] for w in WEATHERS}
    return Finding(
        word,
        f"Training with noise gives {words(own, 'points')} under noise, and {words(gains[worst], 'points')} under "
        f"{worst}; the most that another weather gains is {words(best, 'points')}: it helps for what was trained on.",
        lines("strength of the weather", "gained by training with noise, points", STRENGTHS, shown, scale=100, level=0),
        "What training with noise gives in each weather",
        {f"{w} at {STRENGTHS[HARD]}": g for w, g in gains.items()},
    )


EXPERIMENT = Experiment(
    name="other-weather",
    row="O4",
    pillar="overfitting",
    claim="Trained with varied weather, a model stands any weather.",
    source="Geirhos et al., Generalisation in humans and deep neural networks, NeurIPS 2018, section 3.3",
    told="Networks trained on one distortion surpass people on it and stay at chance on others, even similar ones.",
    data="300 digits to train on; 797 new ones under noise, blur, low contrast and fog at five strengths",
    trained="a perceptron with two hidden layers of 64, once plain, once with noise as augmentation (0.3), 600 steps",
    measured="right on the weathered new rows, with minus without the augmentation, paired by seed and row",
    rule="depends where noise surely gains under noise but less than half as much in some other weather; holds where "
    "all others surely gain half as much; does not hold where it gains nothing even there",
    breaks="Weathers that do the same to a picture help each other (noise and salt). Wide mixes of distortions carry "
    "further than a single one (AugMix, Hendrycks et al. 2020).",
    tune="It tries operations for what they gain on your rows; for a weather to come, put it into --also and look.",
    code=CODE,
    trial=trial,
    judge=judge,
    takes=("image",),
)
