from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import lines
from gapless.lab.plain import digit_tensors, fit, mlp
from gapless.lab.setting import Lab

PASSES = (1, 2, 5, 10, 30, 100)
MEMBERS = 5

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
with torch.no_grad():
    passes = torch.stack([net(x[1000:]).softmax(1) for _ in range(100)])  # still in training mode: a mask each
    scaled = net.eval()(x[1000:]).softmax(1)
for name, p in (("one mask", passes[0]), ("mean of 100", passes.mean(0)), ("dropout off", scaled)):
    right, loss = (p.argmax(1) == y[1000:]).float().mean(), nn.functional.nll_loss(p.log(), y[1000:])
    print(f"{name}: {right:.1%} of new digits, log loss {loss:.3f}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)

    def trained(p: float) -> torch.nn.Sequential:
        model = mlp((64, 64, 64, 10), p=p)
        fit(model, torch.optim.AdamW(model.parameters(), 3e-3), x, y, lab.pick(500, 10))
        lab.tick()
        return model

    def judged(p: Tensor) -> tuple[np.ndarray, np.ndarray]:
        each = functional.nll_loss(p.clamp_min(1e-12).log(), labels, reduction="none")
        return (p.argmax(1) == labels).numpy(), each.numpy().astype(np.float64)

    model, members = trained(0.5), [trained(0.0) for _ in range(MEMBERS)]
    with torch.no_grad():
        scaled, alone = judged(model(new).softmax(1)), judged(members[0](new).softmax(1))
        together = judged(torch.stack([m(new).softmax(1) for m in members]).mean(0))
        model.train()
        passes = torch.stack([model(new).softmax(1) for _ in range(max(PASSES))])
    found = {"right scaled": scaled[0], "loss scaled": scaled[1], "right alone": alone[0], "loss alone": alone[1]}
    found |= {"right together": together[0], "loss together": together[1]}
    for n in PASSES:
        found[f"right {n}"], found[f"loss {n}"] = judged(passes[:n].mean(0))
    return found


def judge(seen: Evidence) -> Finding:
    masks = seen.difference("loss 1", "loss 100")
    scaling = seen.difference("loss scaled", "loss 100")
    ensemble = seen.difference("loss 100", "loss together")
    right = seen.difference("right 100", "right together")
    like = masks.low > 0
    return Finding(
        "does not hold" if not like else "depends" if ensemble.low > 0 or right.high < 0 else "holds here",
        f"Averaging 100 masks lowers the log loss of a single one by {words(masks)}, and dropout off is within "
        f"{words(scaling)} of that average; {MEMBERS} networks of their own have {words(ensemble)} less than it, and "
        f"the average of masks is {words(right, 'points')} from them in accuracy.",
        lines(
            "masks averaged",
            "log loss on new digits",
            PASSES,
            {
                "average of masks": [seen.mean(f"loss {n}") for n in PASSES],
                "dropout off": [seen.mean("loss scaled")] * len(PASSES),
                f"{MEMBERS} plain networks": [seen.mean("loss together")] * len(PASSES),
                "one plain network": [seen.mean("loss alone")] * len(PASSES),
            },
            log=True,
        ),
        "One mask is a poor network, many are a good one; networks of their own for comparison",
        {
            "log loss, one mask minus 100": masks,
            "log loss, dropout off minus 100 masks": scaling,
            f"log loss, 100 masks minus {MEMBERS} networks": ensemble,
            f"accuracy, 100 masks minus {MEMBERS} networks": right,
        },
    )


EXPERIMENT = Experiment(
    name="sub-networks",
    row="D4",
    pillar="dropout",
    claim="Dropout is an ensemble of sub-networks.",
    source="Srivastava et al., Dropout, JMLR 15, 2014, sections 1 and 7.5",
    told="Scaling the weights does as well as averaging about 50 sampled networks on MNIST (figure 11).",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64 and dropout 0.5, and five plain ones, 500 steps, in plain torch",
    measured="log loss and accuracy of one mask, of averages of 2 to 100, with dropout off, and of five networks",
    rule="holds where averaging masks surely beats one mask and is not surely worse than five networks of their own; "
    "depends where it is surely worse than those; does not hold where averaging gains nothing",
    breaks="The sub-networks share their weights and were never trained alone, so they err together. The more a "
    "network is regularized already, the less any average adds.",
    tune="It scores with dropout off: one pass. gapless.dropout.monte_carlo averages masks for you.",
    code=CODE,
    trial=trial,
    judge=judge,
)
