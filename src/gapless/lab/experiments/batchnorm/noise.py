from __future__ import annotations

import numpy as np
import torch

from gapless.batchnorm import to_ghost
from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

BATCHES = (4, 8, 16, 32, 64, 128)
BATCH = BATCHES[-1]

CODE = """
import torch
from torch import nn

torch.manual_seed(0)
rows, norm = torch.randn(2000, 16), nn.BatchNorm1d(16)
one = rows[:1]
for size in (4, 16, 64, 256):
    batches = [torch.cat([one, rows[torch.randint(1, 2000, (size - 1,))]]) for _ in range(200)]
    seen = torch.stack([norm(batch)[0].detach() for batch in batches])
    noise = seen.std(0).mean()
    print(f"batch {size}: the same row varies by {noise:.3f}, times sqrt(batch) {noise * size**0.5:.2f}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 512, seed)
    found: dict[str, np.ndarray | float] = {}
    noise: list[float] = []
    for size in BATCHES:
        torch.manual_seed(seed)
        model = mlp((64, 64, 64, 10), norm=True)
        to_ghost(
            model, ghost_size=size
        )  # steps and rows a step stay as they are: only what is normalised together changes
        fit(
            model,
            torch.optim.SGD(model.parameters(), 0.1, momentum=0.9),
            x,
            y,
            lab.pick(300, 10),
            batch=min(BATCH, len(x)),
        )
        lab.tick()
        found[f"new {size}"], found[f"train {size}"] = right(model, new, labels), right(model, x, y)
        model.train()
        with torch.no_grad():
            first = model[:2]
            batches = [torch.cat([x[:1], x[torch.randint(1, len(x), (size - 1,))]]) for _ in range(lab.pick(100, 20))]
            noise.append(float(torch.stack([first(batch)[0] for batch in batches]).var(0).mean()))
    found["noise"] = np.array(noise)
    found["slope"] = -float(np.polyfit(np.log(BATCHES[1:]), np.log(noise[1:]), 1)[0])
    return found


def judge(seen: Evidence) -> Finding:
    small, large = BATCHES[1], BATCHES[-1]
    gain, slope = seen.difference(f"new {small}", f"new {large}"), seen.mean("slope")
    gaps = {size: seen.gap(f"train {size}", f"new {size}") for size in BATCHES}
    noisy = slope.low > 0.5
    word = "holds here" if noisy and gain.low > 0 else "does not hold" if not noisy or gain.high < 0 else "undecided"
    if noisy and gain.low <= 0 <= gain.high and gain.high < 0.01:
        word = "depends"
    return Finding(
        word,
        f"The noise of one row falls with the number normalised together, as B to the -{words(slope)}; normalising "
        f"{small} together in place of {large}, with the same steps, changes new rows by {words(gain, 'points')}.",
        lines(
            "rows normalised together",
            "right on new rows, %",
            BATCHES,
            {"new rows": [seen.mean(f"new {size}") for size in BATCHES]},
            log=True,
            scale=100,
        ),
        "Fewer rows normalised together mean more noise; the steps are the same",
        {
            "c in noise ~ B^-c": slope,
            f"new rows, {small} minus {large} together": gain,
            f"gap with {small} together": gaps[small],
            f"gap with {large} together": gaps[large],
        },
    )


EXPERIMENT = Experiment(
    name="batch-noise",
    row="B5",
    pillar="batchnorm",
    claim="The noise of batch statistics regularizes.",
    source="Luo et al., Towards Understanding Regularization in Batch Normalization, arXiv 1809.00846; Hoffer et al., "
    "Train longer, generalize better, arXiv 1705.08741, section 4 (ghost batch norm)",
    told="Statistics over small parts of a large batch close much of its generalization gap.",
    data="512 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64, 300 steps of 128 rows; batch norm over 4 to 128 of them",
    measured="how one row's value varies with its neighbours, by their number; right on new rows, paired",
    rule="holds where the noise falls with the number and 8 together surely beat 128; depends where it falls and a "
    "gain of a point is ruled out; does not hold where it does not fall, or 8 are surely worse",
    breaks="Too few together (4) are too noisy to learn from. Comparing batch sizes without holding the steps compares "
    "trainings of different length, which is how the claim is mostly 'shown'.",
    tune="It keeps the batch size and has the noise as it comes; ghost batch norm is in gapless.batchnorm.",
    code=CODE,
    trial=trial,
    judge=judge,
)
