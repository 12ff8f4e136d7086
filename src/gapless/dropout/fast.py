"""Elementwise dropout that costs about one copy per pass on the CPU, and torch's own everywhere else.

torch draws the mask of `F.dropout` serially on the CPU: forward and backward of (256, 4096) took it the time of 40 to
146 copies of the input on the machines where it was measured (bench/layers.py). Here the mask is a hash of (position,
seed), computed in forward and once more in backward, so nothing is stored but the seed. The seed is drawn from torch's
default generator: `torch.manual_seed` reproduces it, and `torch.utils.checkpoint`, which restores that generator,
recomputes the same mask.

Threads are torch's own: `GOMP_parallel` of the OpenMP library that torch has loaded runs the loop on the threads that
wait for torch's next operation. Threads of ours would have to be woken, which takes longer than the loop; numba's own
layers end a process that is forked after their first use or that calls them from two threads at once. One thread does
the work where torch was built without that library, and in a forked process, where OpenMP would wait for threads that
only the parent has.
"""

import ctypes
import os
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional
from torch.utils import _python_dispatch

PIECE = 1 << 31  # elements under one key; beyond it the 32-bit position would repeat
_TYPES = (torch.float32, torch.float64, torch.bfloat16)
_internals: Any = torch._C  # pyright: ignore[reportPrivateUsage]  # torch has no public question for what we ask
_unpacked: Any = forward_ad.unpack_dual
_modes: Any = _python_dispatch
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
    """True under vmap, torch.func, make_fx, fake tensors and jit, which must see torch's operations.

    Modes that only look on, as flop counters do, are not among them: one that is on in a forward pass and off when
    torch.utils.checkpoint runs it again must not change the mask.
    """
    return (
        _internals._functorch.peek_interpreter_stack() is not None
        or (
            _internals._len_torch_dispatch_stack() > 0
            and any(map(_rewrites, _modes._get_current_dispatch_mode_stack()))
        )
        or _internals._get_tracing_state() is not None
    )


def _rewrites(mode: object) -> bool:
    """Whether a dispatch mode makes a program of the operations it sees: torch gives those that do a key."""
    return getattr(mode, "_mode_key", None) is not None


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
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        """The tangent under the mask of the forward, whether forward mode or checkpoint's recomputation asks."""
        return run(tangents[0], ctx.rule, ctx.seed, ctx.layout)

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
    if (torch.is_grad_enabled() and x.requires_grad) or _unpacked(x).tangent is not None:
        result: Tensor = _Masked.apply(x, rule, seed, stride)  # pyright: ignore[reportAssignmentType]
        return result
    return run(x, rule, seed, stride)


def run(x: Tensor, rule: Rule, seed: int, stride: tuple[int, ...] | None) -> Tensor:
    """The mask belongs to positions in memory: `stride` is the layout it was first drawn for."""
    x = x.detach()
    y = torch.empty_like(x) if stride is None else torch.empty_strided(x.shape, stride, dtype=x.dtype, device="cpu")
    if x.stride() != y.stride():
        x = torch.empty_strided(y.shape, y.stride(), dtype=x.dtype, device="cpu").copy_(x)
    width, size = y.element_size(), y.numel()
    source, target = x.data_ptr(), y.data_ptr()
    for piece, start in enumerate(range(0, size, PIECE)):
        where = source + start * width, target + start * width, min(PIECE, size - start)
        _fill(where, width, rule, key(seed, piece))
    return y


def key(seed: int, piece: int) -> tuple[int, int]:
    """Two 32-bit keys: the 64-bit finaliser of SplitMix (Steele et al., OOPSLA 2014) spreads neighbouring seeds."""
    z = (seed + (piece + 1) * 0x9E3779B97F4A7C15) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    z ^= z >> 31
    return z & _MASK32, z >> 32


def _fill(where: tuple[int, int, int], width: int, rule: Rule, key: tuple[int, int]) -> None:
    """`where`: the addresses of x and y and the number of elements, of `width` bytes each."""
    kernel = _kernel()
    cut = min(round(rule.p * 2**32), _MASK32)
    job = kernel.Job(*where, 0, *key, cut, width, rule.scale, rule.shift, rule.fill)
    threads = min(torch.get_num_threads(), where[2] // kernel.PART)
    if threads < 2 or os.getpid() != _HOME or not (parallel := _parallel()):
        kernel.work(ctypes.byref(job))
    else:
        parallel(kernel.work, ctypes.byref(job), threads, 0)


_HOME = os.getpid()


@cache
def _kernel() -> Any:
    """The compiled loops; numba is imported when the first mask is drawn, not with the package."""
    return import_module("gapless.dropout.kernel")


@cache
def _parallel() -> Any:
    """`GOMP_parallel(function, data, threads, flags)`, or None."""
    try:
        function = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, TypeError):  # another OpenMP, or a system without a table of all loaded names
        return None
    function.argtypes = _kernel().Work, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
    function.restype = None
    return function
