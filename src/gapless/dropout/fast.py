"""Elementwise dropout that costs about one copy per pass on the CPU, and torch's own everywhere else.

torch draws the mask of `F.dropout` serially on the CPU: forward and backward of (256, 4096) took it the time of 40 to
146 copies of the input on the machines where it was measured (bench/layers.py). Here the mask is a hash of (position,
seed), computed in forward and once more in backward, so nothing is stored but the seed. The seed is drawn from torch's
default generator: `torch.manual_seed` reproduces it, and `torch.utils.checkpoint`, which restores that generator,
recomputes the same mask.

Threads are ours, not numba's: numba's OpenMP layer ends a process that was forked after its first use, and its own
work queue ends one that calls it from two threads at once.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional

PIECE = 1 << 31  # elements under one key; beyond it the 32-bit position would repeat
_WORTH_A_THREAD = 1 << 16  # elements; below this handing over costs more than it saves
_TYPES = (torch.float32, torch.float64, torch.bfloat16)
_internals: Any = torch._C  # pyright: ignore[reportPrivateUsage]  # torch has no public question for what we ask
_forward_mode: Any = forward_ad
_MASK32 = (1 << 32) - 1
_MASK64 = (1 << 64) - 1


class Rule(NamedTuple):
    """y = fill with probability p, else scale * x + shift."""

    p: float
    scale: float
    shift: float = 0.0
    fill: float = 0.0


def dropout(x: Tensor, p: float) -> Tensor:
    """y = 0 with probability p, else x / (1 - p); the mask depends on torch's default generator.

    Unlike torch's, a dropped infinity or NaN gives 0. float32, float64 and bfloat16 on the CPU run in the kernel;
    other types and devices, `torch.compile`, `torch.export`, vmap and tracing use `torch.nn.functional.dropout`.
    """
    if not has_kernel(x):
        return functional.dropout(x, p, training=True)
    return masked(x, Rule(p, 1.0 / (1.0 - p)))


def masked(x: Tensor, rule: Rule) -> Tensor:
    """Apply `rule` elementwise with a fresh mask. x must have a kernel (`has_kernel`)."""
    seed = int(torch.empty((), dtype=torch.int64, device="cpu").random_())
    return _differentiable(x, rule, seed, None)


def has_kernel(x: Tensor) -> bool:
    """Whether x is a plain CPU tensor of a type the kernel knows, and nothing traces or transforms what is done."""
    return (
        not torch.compiler.is_compiling()
        and type(x) in (Tensor, torch.nn.Parameter)
        and x.dtype in _TYPES
        and x.numel() > 0
        and _plain(x)
        and not _watched()
    )


def _plain(x: Tensor) -> bool:
    """A dense tensor on the CPU: not sparse, not a lazily negated view, not the batched tensor of a vmap."""
    return _internals._dispatch_keys(x).raw_repr() in _plain_keys()


@cache
def _plain_keys() -> frozenset[int]:
    with torch.inference_mode():
        keys = [_internals._dispatch_keys(torch.empty(1, device="cpu")).raw_repr()]
    with torch.inference_mode(False):
        keys.append(_internals._dispatch_keys(torch.empty(1, device="cpu")).raw_repr())
    return frozenset(keys)


def _watched() -> bool:
    """True under vmap, torch.func, forward mode, make_fx, flop counters and jit, which must see torch's operations."""
    return (
        _internals._functorch.peek_interpreter_stack() is not None
        or _internals._len_torch_dispatch_stack() > 0
        or _forward_mode._current_level >= 0
        or _internals._get_tracing_state() is not None
    )


class _Masked(torch.autograd.Function):
    """Linear in x up to the shift, so backward is the same operation without shift and fill, under the same seed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Rule, seed: int, stride: tuple[int, ...] | None) -> Tensor:
        y = run(x, rule, seed, stride)
        ctx.rule = Rule(rule.p, rule.scale)
        ctx.seed = seed
        ctx.size, ctx.layout = y.shape, y.stride()
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        g, rule, layout = grads[0], ctx.rule, ctx.layout
        if has_kernel(g):
            return _differentiable(g, rule, ctx.seed, layout), None, None, None
        ones = torch.empty_strided(ctx.size, layout, dtype=g.dtype, device="cpu").fill_(
            1
        )  # g is batched: a vectorised jacobian
        return g * run(ones, rule, ctx.seed, layout), None, None, None


def _differentiable(x: Tensor, rule: Rule, seed: int, stride: tuple[int, ...] | None) -> Tensor:
    if torch.is_grad_enabled() and x.requires_grad:
        result: Tensor = _Masked.apply(x, rule, seed, stride)  # pyright: ignore[reportAssignmentType]
        return result
    return run(x, rule, seed, stride)


def run(x: Tensor, rule: Rule, seed: int, stride: tuple[int, ...] | None) -> Tensor:
    """The mask belongs to positions in memory: `stride` is the layout it was first drawn for."""
    x = x.detach()
    y = torch.empty_like(x) if stride is None else torch.empty_strided(x.shape, stride, dtype=x.dtype, device="cpu")
    if x.stride() != y.stride():
        x = torch.empty_strided(y.shape, y.stride(), dtype=x.dtype, device="cpu").copy_(x)
    source, target = _flat(x), _flat(y)
    for piece, start in enumerate(range(0, source.size, PIECE)):
        _fill(source[start : start + PIECE], target[start : start + PIECE], rule, key(seed, piece))
    return y


def _flat(x: Tensor) -> Any:
    flat = x.as_strided((x.numel(),), (1,))
    return flat.view(torch.uint16).numpy() if x.dtype is torch.bfloat16 else flat.numpy()


def key(seed: int, piece: int) -> tuple[int, int]:
    """Two 32-bit keys: the 64-bit finaliser of SplitMix (Steele et al., OOPSLA 2014) spreads neighbouring seeds."""
    z = (seed + (piece + 1) * 0x9E3779B97F4A7C15) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    z ^= z >> 31
    return z & _MASK32, z >> 32


def _fill(x: Any, y: Any, rule: Rule, key: tuple[int, int]) -> None:
    kernel = _kernel()
    loop = kernel.affine_bfloat16 if x.dtype == np.uint16 else kernel.affine
    real = np.float64 if x.dtype == np.float64 else np.float32
    cut = np.uint32(min(round(rule.p * 2**32), 2**32 - 1))
    fixed = (np.uint32(key[1]), cut, real(rule.scale), real(rule.shift), real(rule.fill))
    threads = min(torch.get_num_threads(), x.size // _WORTH_A_THREAD)
    if threads < 2:
        loop(x, y, np.uint32(key[0]), *fixed)
        return

    def part(start: int, stop: int) -> None:
        low = np.uint32((key[0] + start * kernel.GOLDEN) & _MASK32)  # the same sequence, entered at start
        loop(x[start:stop], y[start:stop], low, *fixed)

    step = -(-x.size // threads)
    rest = [_pool(os.getpid(), threads - 1).submit(part, a, min(a + step, x.size)) for a in range(step, x.size, step)]
    part(0, step)
    for done in rest:
        done.result()


@cache
def _kernel() -> Any:
    """The compiled loops; numba is imported when the first mask is drawn, not with the package."""
    return import_module("gapless.dropout.kernel")


@cache
def _pool(process: int, workers: int) -> ThreadPoolExecutor:
    """Threads that wait for work; a forked child has none of its parent's threads, so it gets its own."""
    return ThreadPoolExecutor(workers, thread_name_prefix=f"gapless-dropout-{process}")
