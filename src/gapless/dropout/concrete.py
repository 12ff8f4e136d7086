"""Dropout whose rate is learned with the weights."""

import math

import torch
from torch import Tensor, nn

from gapless.errors import UsageError


class ConcreteDropout(nn.Module):
    """y = x * (1 - z) / (1 - E[z]) with a learned p: z = sigmoid((logit(p) + logit(u)) / temperature), u uniform.

    Gal, Hron & Kendall, "Concrete dropout", arXiv 1705.07832, section 3.3. x: any shape; p starts at `p`, in (0, 1),
    and is learned as its logit, the one parameter. Add `penalty` of the layer that follows to the loss: the data alone
    always wants p = 0. Unlike the paper, which divides by 1 - p, y has mean x exactly: E[z] is p only as the
    temperature goes to 0. In evaluation mode the same x comes back.
    """

    def __init__(self, p: float = 0.1, temperature: float = 0.1) -> None:
        super().__init__()
        if not 0 < p < 1:
            raise UsageError(f"ConcreteDropout: p must be in (0, 1), got {p!r}")
        if not 0 < temperature <= 1:
            raise UsageError(f"ConcreteDropout: temperature must be in (0, 1], got {temperature!r}")
        self.temperature = temperature
        self.logit = nn.Parameter(torch.tensor(math.log(p / (1 - p))))

    @property
    def p(self) -> float:
        """The rate now."""
        return float(self.logit.detach().sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        tiny = torch.finfo(self.logit.dtype).eps
        logistic = torch.rand_like(x, dtype=self.logit.dtype).clamp_(tiny, 1 - tiny).logit_()
        stays = torch.sigmoid(-(self.logit + logistic) / self.temperature)
        return x * (stays / (1 - self.expected_drop())).to(x.dtype)

    def expected_drop(self) -> Tensor:
        """E[z] = E[sigmoid(logit(p) - temperature * L)] over L logistic, by the trapezoidal rule with step 1.

        The rule is exact to about 1e-8 here, as it is for every function without poles near the real axis.
        """
        nodes = torch.arange(-40, 41, dtype=self.logit.dtype, device=self.logit.device)
        density = torch.sigmoid(nodes) * torch.sigmoid(-nodes)
        return (torch.sigmoid(self.logit - self.temperature * nodes) * density).sum()

    def penalty(self, weight: Tensor, examples: int, length_scale: float = 1e-2) -> Tensor:
        """The layer's share of the loss: (l^2 / 2 * ||W||^2 / (1 - p) - K * H(p)) / examples.

        weight: (out, in, ...) of the layer whose input is dropped; K = in; H(p) in nats; examples: the size of the
        training set, when the loss is a mean over examples. Equation 3 of the paper with M = W / (1 - p), since the
        scale is in the activations here.
        """
        p = self.logit.sigmoid()
        entropy = -(p * nn.functional.logsigmoid(self.logit) + (1 - p) * nn.functional.logsigmoid(-self.logit))
        energy = length_scale**2 / 2 * weight.square().sum() / (1 - p)
        return (energy - weight.shape[1] * entropy) / examples

    def extra_repr(self) -> str:
        return f"p={self.p:.4g}, temperature={self.temperature:g}"
