from __future__ import annotations

from copy import deepcopy

import torch

from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, words
from gapless.lab.figure import dots
from gapless.lab.plain import digit_tensors, fit, mlp, right
from gapless.lab.setting import Lab

DECAY = 0.1

CODE = """
import torch

torch.manual_seed(0)
x, y = torch.randn(100, 5), torch.randn(100)
for name, make in (("SGD", torch.optim.SGD), ("Adam", torch.optim.Adam)):
    weights = []
    for coupled in (True, False):
        w = torch.nn.Parameter(torch.ones(5))
        optimizer = make([w], lr=0.01, weight_decay=0.1 if coupled else 0.0)
        for step in range(300):
            optimizer.zero_grad()
            (x @ w - y).square().mean().backward()
            with torch.no_grad():
                w *= 1 if coupled else 1 - 0.01 * 0.1
            optimizer.step()
        weights.append(w.detach())
    print(f"{name}: L2 and decay differ by {(weights[0] - weights[1]).norm() / weights[0].norm():.2%}")
"""


def trial(lab: Lab, seed: int) -> Measured:
    x, y, new, labels = digit_tensors(lab, 300, seed)
    start = mlp((64, 64, 64, 10))
    found = {}

    def trained(name: str, lr: float, coupled: bool) -> torch.nn.Module:
        model = deepcopy(start)
        make = torch.optim.SGD if name == "SGD" else torch.optim.Adam
        optimizer = make(model.parameters(), lr, weight_decay=DECAY if coupled else 0.0)

        def shrink(step: int, loss: torch.Tensor) -> None:
            if not coupled:
                with torch.no_grad():
                    for parameter in model.parameters():
                        parameter *= 1 - lr * DECAY

        torch.manual_seed(seed)  # the same batches for both
        fit(model, optimizer, x, y, lab.pick(600, 10), each=shrink)
        lab.tick()
        return model

    for name, lr in (("SGD", 0.05), ("Adam", 0.003)):
        with_l2, decayed = trained(name, lr, True), trained(name, lr, False)
        a, b = (torch.cat([p.detach().flatten() for p in m.parameters()]) for m in (with_l2, decayed))
        found[f"{name} differ"] = float((a - b).norm() / b.norm())
        found[f"{name} size"] = float(a.norm() / b.norm())
        found[f"{name} L2"], found[f"{name} decay"] = right(with_l2, new, labels), right(decayed, new, labels)
    return found


def judge(seen: Evidence) -> Finding:
    sgd, adam = seen.mean("SGD differ"), seen.mean("Adam differ")
    size = seen.mean("Adam size")
    accuracy = seen.difference("Adam decay", "Adam L2")
    same = seen.table("SGD differ").max() < 1e-3
    word = "holds here" if same and adam.high < 0.01 else "does not hold" if adam.low > 0.01 else "undecided"
    return Finding(
        word,
        f"Under SGD an L2 penalty and shrinking the weights give the same weights (they differ by {words(sgd, '%')}); "
        f"under Adam they differ by {words(adam, '%')}, the penalty leaves {words(size)} times the size, and new rows "
        f"by {words(accuracy, 'points')}.",
        dots("difference of the trained weights, % of their size", {"SGD": sgd, "Adam": adam}, scale=100, zero=0),
        "The same start, batches and strength: L2 penalty against shrinking the weights",
        {
            "SGD, weights differ": sgd,
            "Adam, weights differ": adam,
            "Adam, size with L2 / with decay": size,
            "Adam, new rows, decay minus L2": accuracy,
            "SGD, new rows, decay minus L2": seen.difference("SGD decay", "SGD L2"),
        },
    )


EXPERIMENT = Experiment(
    name="decay-by-optimizer",
    row="W2",
    pillar="decay",
    claim="Weight decay and an L2 penalty are the same in every optimizer.",
    source="Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv 1711.05101, propositions 1 and 2",
    told="They are equivalent for SGD, rescaled by the rate, and not for adaptive methods.",
    data="300 digits to train on; 797 new ones",
    trained="a perceptron with two hidden layers of 64, 600 steps of SGD and of Adam, strength 0.1, same start and "
    "batches",
    measured="the distance of the trained weights, relative to their size; right on new rows",
    rule="holds where they differ by less than 1 % under both; does not hold where they surely differ by more under "
    "Adam",
    breaks="With momentum SGD's two differ a little as well. That weights differ does not say which is better: that is "
    "the accuracy, which a tuned strength of either may reach.",
    tune="It uses AdamW's decay, and SGD's with the same meaning; gapless lint names Adam with weight_decay.",
    code=CODE,
    trial=trial,
    judge=judge,
)
