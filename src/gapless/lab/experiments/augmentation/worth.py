from __future__ import annotations

import numpy as np

from gapless.evidence.result import Interval
from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, verdict, words
from gapless.lab.figure import lines
from gapless.lab.setting import GENTLE, Lab
from gapless.recipe import Recipe
from gapless.recipe.parts import Augment, Op

MOST, LADDER = 960, (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
SOME = (1, 2)
"""Rungs of the ladder at which augmentation is tried."""
FLIPS = (Op(op="flip_y", strength=1, p=0.5), Op(op="flip_x", strength=1, p=0.5))

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
for n, shifts in ((100, False), (200, False), (100, True)):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(300):
        seen = x[:n].reshape(-1, 8, 8)
        if shifts:
            seen = seen.roll(int(torch.randint(-1, 2, ())), int(torch.randint(1, 3, ())))
        loss = nn.functional.cross_entropy(net(seen.flatten(1)), y[:n])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = (net(x[1000:]).argmax(1) == y[1000:]).float().mean()
    print(f"n = {n}, shifted by a pixel: {shifts}: {right:.1%} of new digits")
"""


def trial(lab: Lab, seed: int) -> Measured:
    most = lab.rows(MOST)
    sizes = [max(20, round(most * part)) for part in LADDER]
    found: dict[str, np.ndarray | float] = {"sizes": np.array(sizes, float)}

    def error(n: int, recipe: Recipe) -> float:
        new = lab.train(lab.task(n, seed, width=128), recipe, steps=500, seed=seed).new
        return max(float(1 - new.mean()), 0.5 / len(new))

    plain = [error(n, Recipe()) for n in sizes]
    slope, start = np.polyfit(np.log(sizes), np.log(plain), 1)
    slope = min(float(slope), -0.05)  # a curve that does not fall says nothing of what rows are worth

    def worth(n: int, found_error: float) -> float:
        """n_eff / n: where the plain curve has this error."""
        return float(np.exp((np.log(found_error) - start) / slope)) / n

    varied: list[float] = []
    for rung in SOME:
        varied.append(error(sizes[rung], Recipe(augment=GENTLE)))
        found[f"worth {rung}"] = worth(sizes[rung], varied[-1]) / worth(sizes[rung], plain[rung])
    wrong = error(sizes[1], Recipe(augment=Augment(ops=FLIPS)))
    found["wrong"] = worth(sizes[1], wrong) / worth(sizes[1], plain[1])
    whole = [varied[SOME.index(i)] if i in SOME else np.nan for i in range(len(sizes))]
    return {**found, "plain": 1 - np.array(plain), "varied": 1 - np.array(whole), "one": 1.0}


def judge(seen: Evidence) -> Finding:
    sizes = seen.table("sizes")[0]
    worth = {rung: seen.ratio(f"worth {rung}", "one") for rung in SOME}
    wrong = seen.ratio("wrong", "one")
    first = worth[SOME[0]]
    n = round(sizes[SOME[0]])
    extra = Interval(*(n * (v - 1) for v in (first.mean, first.low, first.high)))
    double = [w.high >= 2 for w in worth.values()]
    sure = [w.low > 1 for w in worth.values()]
    return Finding(
        verdict(holds=all(double) and any(sure), depends=any(double) and any(sure), fails=True),
        f"Gentle augmentation is worth {words(first)} times the rows at n = {n} and {words(worth[SOME[1]])} times at n "
        f"= {sizes[SOME[1]]:.0f}: at n = {n} that is {words(extra)} rows more; flips, the wrong operation for digits, "
        f"{words(wrong)} times.",
        lines(
            "training rows",
            "right on new rows, %",
            sizes.tolist(),
            {"plain": seen.curve("plain"), "augmented": seen.curve("varied")},
            log=True,
            scale=100,
        ),
        "Learning curves; how far right of a point the plain curve is as high, is what augmentation is worth",
        {f"worth at n = {sizes[r]:.0f}, times": w for r, w in worth.items()}
        | {f"extra rows at n = {n}": extra, "flips, times": wrong},
    )


EXPERIMENT = Experiment(
    name="augmentation-worth",
    row="A3",
    pillar="augmentation",
    claim="Augmentation is worth doubling the data.",
    source="Hoffer et al., Augment your batch, CVPR 2020; Hestness et al., arXiv 1712.00409 (learning curves)",
    told="'Worth more data' is said everywhere; a factor is seldom measured.",
    data="60 to 960 digits (or your own rows, a sixteenth to all); 797 new ones",
    trained="a perceptron with two hidden layers of 128 (or the usual model for your data), 500 steps: plain at five "
    "sizes, with turning, scaling and shifting at two, with flips at one",
    measured="n_eff / n: the size at which the plain curve (log error against log n) is as good, over that of plain "
    "itself",
    rule="holds where at both sizes 2 lies within or below the interval and one is surely above 1; depends where at "
    "one size; otherwise it does not hold",
    breaks="Where rows are many the curve is flat and any factor is uncertain; wrong operations are worth less than "
    "nothing. The same n_eff differs from model to model.",
    tune="It searches which operations and how strong, and says what they gave in points on rows kept aside.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=4,
    takes=("image",),
)
