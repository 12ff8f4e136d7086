from __future__ import annotations

import math

import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, number, words
from gapless.lab.figure import lines
from gapless.lab.setting import Lab
from gapless.lab.worlds import turned

ANGLES = (5.0, 15.0, 30.0, 45.0, 60.0, 90.0)
SIZE = 128

CODE = """
import math
import torch

def rotation(degrees):
    a = math.radians(degrees)
    return torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], dtype=torch.float64)

corner = torch.tensor([1.0, 0.0], dtype=torch.float64)
print("(1, 0) turned by 90 degrees:", [round(v, 6) for v in (rotation(90) @ corner).tolist()])
twice = rotation(15) @ rotation(15)
print(f"15 degrees twice against 30 once: off by {(twice - rotation(30)).abs().max():.1e}")
assert torch.allclose(twice, rotation(30))
"""


def bar(degrees: float) -> torch.Tensor:
    """A bar of 60 x 20 % of the picture, turned by its formula: 1 inside, 0 outside."""
    at = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    a = math.radians(degrees)
    u, v = math.cos(a) * x - math.sin(a) * y, math.sin(a) * x + math.cos(a) * y
    return ((u.abs() < 0.6) & (v.abs() < 0.2)).float()


def trial(lab: Lab, seed: int) -> Measured:
    points = torch.randn(1000, 2, dtype=torch.float64)

    def matrix(degrees: float) -> torch.Tensor:
        a = math.radians(degrees)
        return torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], dtype=torch.float64)

    pairs = (360 * torch.rand(100, 2)).tolist()
    sums = [float((points @ (matrix(a) @ matrix(b)).T - points @ matrix(a + b).T).abs().max()) for a, b in pairs]
    lengths = float(((points @ matrix(37).T).norm(dim=1) - points.norm(dim=1)).abs().max())
    picture = bar(0)[None, None]
    overlap: list[float] = []
    twice: list[float] = []
    for angle in ANGLES:
        once = turned(picture, torch.tensor([angle]))
        inside, true = once[0, 0] > 0.5, bar(angle) > 0.5
        overlap.append(float((inside & true).sum() / (inside | true).sum()))
        half = turned(turned(picture, torch.tensor([angle / 2])), torch.tensor([angle / 2]))
        twice.append(float((half - once).abs().sum() / once.sum()))
    found = {"overlap": torch.tensor(overlap).numpy(), "twice": torch.tensor(twice).numpy()}
    return {**found, "sums": max(sums), "lengths": lengths, "least": min(overlap), "most": max(twice)}


def judge(seen: Evidence) -> Finding:
    exact = max(seen.table("sums").max(), seen.table("lengths").max())
    least, most = seen.mean("least"), seen.mean("most")
    holds = exact < 1e-9 and least.mean > 0.9
    return Finding(
        "holds here" if holds else "does not hold",
        f"For points it is exact (two turns against their sum: off by {number(exact)}); a turned picture covers "
        f"{words(least, '%')} of what the formula says or more, and turned in two halves it differs by up to "
        f"{words(most, '%')}: pixels are blurred by every turn.",
        lines(
            "angle, degrees",
            "%",
            ANGLES,
            {"overlap with the formula": seen.curve("overlap"), "two halves against one turn": seen.curve("twice")},
            scale=100,
        ),
        "A bar drawn in pixels and turned, against the same bar turned by its formula",
        {"least overlap": least, "two halves against one turn, most": most, "points, largest error": seen.mean("sums")},
    )


EXPERIMENT = Experiment(
    name="rotation-matrix",
    row="A1",
    pillar="augmentation",
    claim="A rotation by its matrix keeps lengths, and two turns are their sum.",
    source="linear algebra; Shorten and Khoshgoftaar, A survey on Image Data Augmentation, Journal of Big Data 6, 2019",
    told="R(a) R(b) = R(a + b), and |R x| = |x|.",
    data="1,000 points in the plane, and a bar drawn in 128 x 128 pixels",
    trained="nothing",
    measured="errors of points; overlap (intersection over union) of the turned picture with the bar turned by "
    "formula; two half turns against one",
    rule="holds where points are exact to 1e-9 and the overlap is above 90 % at every angle",
    breaks="Pixels are resampled: each turn blurs, and corners leave the picture. So several operations should be put "
    "into one matrix and resampled once.",
    tune="Its operations are matrices that are multiplied first; a picture is resampled once for all of them.",
    code=CODE,
    trial=trial,
    judge=judge,
    seeds=3,
)
