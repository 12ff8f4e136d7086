from __future__ import annotations

import torch

from gapless.batchnorm import BatchNorm
from gapless.lab.evidence import Evidence, Measured
from gapless.lab.experiment import Experiment, Finding, number
from gapless.lab.figure import dots
from gapless.lab.setting import Lab

ROWS, CHANNELS = 64, 32

CODE = """
import torch
from torch import nn

torch.manual_seed(0)
x = 5 + 3 * torch.randn(64, 8)
norm = nn.BatchNorm1d(8)
z = norm(x)
print(f"mean {z.mean(0).abs().max():.1e}, variance {z.var(0, correction=0).mean():.6f}")
with torch.no_grad():
    norm.weight.copy_((x.var(0, correction=0) + norm.eps).sqrt())
    norm.bias.copy_(x.mean(0))
print(f"gamma and beta set to the batch's: off by {(norm(x) - x).abs().max():.1e}")
assert torch.allclose(norm(x), x, atol=1e-4)
"""


def trial(lab: Lab, seed: int) -> Measured:
    x = torch.randn(ROWS, CHANNELS) * (0.1 + 5 * torch.rand(CHANNELS)) + 10 * torch.randn(CHANNELS)
    norm = BatchNorm(CHANNELS).train()
    with torch.no_grad():
        z = norm(x)
        norm.weight.copy_((x.var(0, correction=0) + norm.eps).sqrt())
        norm.bias.copy_(x.mean(0))
        back = norm(x)
        norm.eval()
        tested = norm(x)
    return {
        "mean": float(z.mean(0).abs().max()),
        "variance": float((z.var(0, correction=0) - 1).abs().max()),
        "identity": float((back - x).abs().max() / x.abs().max()),
        "eval": float((tested - x).abs().max() / x.abs().max()),
    }


def judge(seen: Evidence) -> Finding:
    found = {name: seen.mean(name) for name in ("mean", "variance", "identity", "eval")}
    exact = max(seen.table(n).max() for n in ("mean", "identity")) < 1e-4 and seen.table("variance").max() < 1e-2
    names = {
        "mean": "mean, off from 0 at most",
        "variance": "variance, off from 1 at most",
        "identity": "undone by gamma and beta, relative",
        "eval": "the same in eval mode, relative",
    }
    return Finding(
        "holds here" if exact else "does not hold",
        f"In training mode means are off by {number(found['mean'].mean)} and variances by "
        f"{number(found['variance'].mean)} at most; gamma and beta undo it to {number(found['identity'].mean)}. In "
        f"eval mode after one batch it is off by {number(found['eval'].mean)}: the running statistics are not the "
        f"batch's.",
        dots("off by", {names[n]: v for n, v in found.items()}, zero=0),
        "Exact in training mode; eval mode normalises by statistics of its own",
        {names[n]: v for n, v in found.items()},
    )


EXPERIMENT = Experiment(
    name="batch-statistics",
    row="B1",
    pillar="batchnorm",
    claim="Each batch gets mean 0 and variance 1; gamma and beta can undo it.",
    source="Ioffe and Szegedy, Batch Normalization, arXiv 1502.03167, section 3, algorithm 1",
    told="Setting gamma to the batch's deviation and beta to its mean recovers the original activations.",
    data="64 rows of 32 numbers, each column with a scale and a mean of its own",
    trained="nothing",
    measured="the largest error of mean and variance behind the layer, and of the identity by gamma and beta",
    rule="holds where means and the identity are exact to 1e-4 and variances to 1e-2 (eps takes its part)",
    breaks="eps makes the variance of nearly constant channels less than one. One row, or one value a channel, has no "
    "variance. In eval mode the running averages take the batch's place.",
    tune="It puts batch norm behind each layer with weights and keeps gamma and beta out of the decay.",
    code=CODE,
    trial=trial,
    judge=judge,
)
