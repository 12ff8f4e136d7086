from __future__ import annotations

import numpy as np

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.setting import Lab
from gapless.recipe import Recipe
from gapless.recipe.parts import Dropout

RATES = (0.1, 0.3, 0.5, 0.7)

CODE = """
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
x = x.float() / 8 - 0.6
net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
for step in range(300):
    loss = nn.functional.cross_entropy(net(x[:300]), y[:300])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
forgotten = (net(x[1000:]).argmax(1) == y[1000:]).float().mean()
right = (net.eval()(x[1000:]).argmax(1) == y[1000:]).float().mean()
print(f"model.eval() forgotten: {forgotten:.1%}; with it: {right:.1%}")
assert right > forgotten
"""


def trial(lab: Lab, seed: int) -> Measured:
    task = lab.task(300, seed)
    assert task.confirm is not None
    found: dict[str, np.ndarray] = {}
    for p in RATES:
        trained = lab.train(task, Recipe(dropout=Dropout(hidden=p, channel=p if lab.data else 0)), steps=500, seed=seed)
        outputs = trained.outputs(task.confirm, "train").argmax(1).numpy()
        found[f"off {p}"], found[f"on {p}"] = trained.new, outputs == task.confirm.y
    return found


def judge(seen: Evidence) -> Finding:
    lost = {p: seen.difference(f"off {p}", f"on {p}") for p in RATES}
    sure = [p for p, loss in lost.items() if loss.low > 0]
    return Finding(
        "holds here" if 0.5 in sure else "undecided" if lost[0.5].high > 0 else "does not hold",
        f"Leaving dropout on while testing costs {words(lost[0.1], 'points')} at p = 0.1, {words(lost[0.5], 'points')} "
        f"at 0.5 and {words(lost[0.7], 'points')} at 0.7.",
        lines(
            "rate of dropout",
            "right on new rows, %",
            RATES,
            {
                "off, as it should be": [seen.mean(f"off {p}") for p in RATES],
                "left on": [seen.mean(f"on {p}") for p in RATES],
            },
            scale=100,
        ),
        "The same trained networks, with dropout off and left on while they are tested",
        {f"lost at p = {p}": loss for p, loss in lost.items()},
    )


EXPERIMENT = Experiment(
    name="off-at-test",
    row="D7",
    pillar="dropout",
    claim="Dropout must be off when the model is tested.",
    source="Srivastava et al., Dropout, JMLR 15, 2014, section 4",
    told="At test time a single network is used without dropout.",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64 and dropout 0.1 to 0.7, 500 steps",
    measured="right on new rows in eval mode minus in training mode, paired by seed and row",
    rule="holds where eval mode is surely better at p = 0.5",
    breaks="The average over many passes with dropout on is as good as one with it off (sub-networks), so 'must' is "
    "said of a single pass. At small rates the mistake hides in the noise, which is why it lives so long.",
    tune="It scores in eval mode and puts every mode back. gapless lint finds scripts that forget model.eval().",
    code=CODE,
    trial=trial,
    judge=judge,
    takes=("image",),
)
