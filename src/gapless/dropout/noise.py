"""Dropouts on activations: random while training, the identity otherwise.

A variant writes one method, `drop`, which runs only while training and only with p > 0. Nearly all of them multiply by
noise of mean 1, so that E[f(x)] = x. Evaluation and p = 0 hand back the very tensor that came in.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from gapless.dropout import fast
from gapless.errors import UsageError


class NoiseLayer(nn.Module):
    """f(x) = drop(x) while training, x otherwise.

    p is the probability of dropping one unit, in [0, 1); what a unit is, the variant says. Random numbers come from
    torch's default generator, as for torch's own dropouts. UsageError for any other p.
    """

    p: float

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise UsageError(f"{type(self).__name__}: p must be in [0, 1), got {p!r}")
        self.p = p

    def drop(self, x: Tensor) -> Tensor:
        """The random function. The one method a variant writes."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it drops")

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(x) if self.training and self.p > 0 else x

    def keep(self, x: Tensor, *shape: int) -> Tensor:
        """Noise of mean 1 in that shape, with the type and device of x: 0 with probability p, else 1 / (1 - p)."""
        return fast.dropout(x.new_ones(shape), self.p)

    def need(self, x: Tensor, ndim: int, shape: str) -> None:
        """UsageError unless x has at least ndim dimensions; `shape` names them."""
        if x.ndim < ndim:
            raise UsageError(f"{type(self).__name__}: x must be {shape}, got shape {tuple(x.shape)}")

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


class Dropout(NoiseLayer):
    """y = 0 with probability p, else x / (1 - p), every element by itself. x: any shape.

    Srivastava et al., "Dropout", JMLR 15 (2014), section 4, in its inverted form: scaled while training. Unlike
    `torch.nn.Dropout` the mask is computed from a seed and never stored, at about one copy of x per pass on the CPU,
    and a dropped infinity or NaN gives 0. It goes by position in memory: the same seed gives another mask in another
    memory format.
    """

    def drop(self, x: Tensor) -> Tensor:
        return fast.dropout(x, self.p)


class AttentionDropout(NoiseLayer):
    """Drops single attention probabilities, after the softmax. x: (B, heads, queries, keys) or any other shape.

    Vaswani et al., "Attention is all you need", arXiv 1706.03762, in the authors' code. The rows no longer add up to
    1, only their expectation does. `torch.nn.MultiheadAttention` has this built in; `attach` sets its rate.
    """

    def drop(self, x: Tensor) -> Tensor:
        return fast.dropout(x, self.p)


class ChannelDropout(NoiseLayer):
    """Drops whole feature maps of a sample. x: (B, C, ...) with any number of dimensions after C.

    Tompson et al., "Efficient object localization using convolutional networks", arXiv 1411.4280, section 3.2. One
    class for `torch.nn.Dropout1d` to `3d`; unlike theirs, x always has a batch.
    """

    def drop(self, x: Tensor) -> Tensor:
        self.need(x, 2, "(B, C, ...)")
        return x * self.keep(x, *x.shape[:2], *[1] * (x.ndim - 2))


class GaussianDropout(NoiseLayer):
    """y = x * N(1, p / (1 - p)), every element by itself: the mean and variance of Dropout(p). x: any shape.

    Srivastava et al., JMLR 15 (2014), section 10.
    """

    def drop(self, x: Tensor) -> Tensor:
        return x * torch.randn_like(x).mul_(math.sqrt(self.p / (1 - self.p))).add_(1)


class AlphaDropout(NoiseLayer):
    """y = a * (alpha' with probability p, else x) + b, which keeps mean 0 and variance 1 of x. x: any shape.

    alpha' = -1.7581 is SELU's limit at minus infinity, a = ((1 - p) * (1 + p * alpha'^2))^(-1/2), b = -a * p * alpha'.
    Klambauer et al., "Self-normalizing neural networks", arXiv 1706.02515, section "New dropout technique". For nets of
    SELU units. E[f(x)] is not x: what it preserves is the fixed point of the activations' moments.
    """

    LIMIT = -1.0507009873554805 * 1.6732632423543772

    def drop(self, x: Tensor) -> Tensor:
        if not fast.has_kernel(x):
            return functional.alpha_dropout(x, self.p, training=True)
        scale = ((1 - self.p) * (1 + self.p * self.LIMIT**2)) ** -0.5
        shift = -scale * self.p * self.LIMIT
        return fast.masked(x, fast.Rule(self.p, scale, shift, scale * self.LIMIT + shift))


class DropPath(NoiseLayer):
    """Drops a whole residual branch for a sample (stochastic depth). x: (B, ...), the branch before it is added.

    Huang et al., "Deep networks with stochastic depth", arXiv 1603.09382. There a block is skipped for the whole
    batch and scaled at test time; here, as in later use, each sample draws for itself and is scaled while training.
    `gapless.dropout.depth_rates` spreads p over the blocks.
    """

    def drop(self, x: Tensor) -> Tensor:
        self.need(x, 1, "(B, ...)")
        return x * self.keep(x, x.shape[0], *[1] * (x.ndim - 1))


class DropBlock(NoiseLayer):
    """Drops blocks of `size` neighbours in every feature map by itself. x: (B, C, ...) with 1 to 3 dimensions more.

    Ghiasi et al., "DropBlock", arXiv 1810.12890. Block corners fall with probability gamma = 1 - (1 - p)^(1 / size^d),
    also outside the map, so a block may be cut off by the border. Every position is then dropped with probability
    exactly p and E[f(x)] = x; the paper's gamma counts overlapping blocks twice, keeps them inside and rescales by the
    share that happened to survive.
    """

    def __init__(self, p: float = 0.1, size: int = 7) -> None:
        super().__init__(p)
        if size < 1:
            raise UsageError(f"DropBlock: size must be at least 1, got {size!r}")
        self.size = size

    def drop(self, x: Tensor) -> Tensor:
        if not 3 <= x.ndim <= 5:
            raise UsageError(f"DropBlock: x must be (B, C, ...) with 1 to 3 more dimensions, got {tuple(x.shape)}")
        dims = x.ndim - 2
        stays = (1 - self.p) ** (1 / self.size**dims)  # the probability that one corner starts no block
        corners = x.new_ones(*x.shape[:2], *[n + self.size - 1 for n in x.shape[2:]])
        blocked = -fast.dropout(corners, 1 - stays)
        pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[dims - 1]
        for axis in range(dims):  # the minimum over a block, one axis at a time
            window = tuple(self.size if i == axis else 1 for i in range(dims))
            blocked = pool(blocked, window, stride=1)
        return x * (blocked * (-stays / (1 - self.p)))

    def extra_repr(self) -> str:
        return f"p={self.p:g}, size={self.size}"


class LockedDropout(NoiseLayer):
    """Drops features with the same mask at every step of a sequence. x: (B, T, D), or T at dimension `time`.

    Gal & Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", arXiv 1512.05287;
    the name is Merity et al.'s, arXiv 1708.02182, section 4.1.
    """

    def __init__(self, p: float = 0.5, time: int = 1) -> None:
        super().__init__(p)
        self.time = time

    def drop(self, x: Tensor) -> Tensor:
        if not -x.ndim <= self.time < x.ndim:
            raise UsageError(f"LockedDropout: time is dimension {self.time}, got x of shape {tuple(x.shape)}")
        shape = list(x.shape)
        shape[self.time] = 1
        return x * self.keep(x, *shape)

    def extra_repr(self) -> str:
        return f"p={self.p:g}, time={self.time}"


class TokenDropout(NoiseLayer):
    """Drops whole tokens of a sequence: their vector becomes 0. x: (B, N, D).

    Iyyer et al., "Deep unordered composition rivals syntactic methods", ACL 2015, section 3.1 (word dropout), here
    scaled by 1 / (1 - p) and for each sample by itself. The first `prefix` tokens (a class token) always stay.
    """

    def __init__(self, p: float = 0.1, prefix: int = 0) -> None:
        super().__init__(p)
        self.prefix = _prefix(self, prefix)

    def drop(self, x: Tensor) -> Tensor:
        self.need(x, 3, "(B, N, D)")
        noise = self.keep(x, *x.shape[:2], *[1] * (x.ndim - 2))
        noise[:, : self.prefix] = 1
        return x * noise

    def extra_repr(self) -> str:
        return f"p={self.p:g}, prefix={self.prefix}"


class PatchDropout(NoiseLayer):
    """Removes a share p of the tokens, other ones in each sample, so that what follows costs less. x: (B, N, D).

    y: (B, prefix + K, D) with K = max(1, round((1 - p) * (N - prefix))), in their old order and not scaled; the first
    `prefix` tokens (a class token) always stay. Liu et al., "PatchDropout", arXiv 2208.07220, section 3. Add the
    positions before it.
    """

    def __init__(self, p: float = 0.5, prefix: int = 1) -> None:
        super().__init__(p)
        self.prefix = _prefix(self, prefix)

    def drop(self, x: Tensor) -> Tensor:
        self.need(x, 3, "(B, N, D)")
        patches = x.shape[1] - self.prefix
        if patches < 1:
            raise UsageError(f"PatchDropout: {self.prefix} prefix tokens leave no patch in x of shape {tuple(x.shape)}")
        count = max(1, round((1 - self.p) * patches))
        order = torch.rand(x.shape[0], patches, device=x.device).argsort(1)[:, :count].sort(1).values
        chosen = (order + self.prefix).view(x.shape[0], count, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
        return torch.cat([x[:, : self.prefix], x.gather(1, chosen)], 1)

    def extra_repr(self) -> str:
        return f"p={self.p:g}, prefix={self.prefix}"


def _prefix(layer: nn.Module, prefix: int) -> int:
    if prefix < 0:
        raise UsageError(f"{type(layer).__name__}: prefix must be 0 or more, got {prefix!r}")
    return prefix
