"""Is this module a norm? By type, or by what it does to a probe when nobody knows the type."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]  # base of every batch/instance norm

NORM_TYPES: tuple[type[nn.Module], ...] = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)

_LARGEST_PROBED = 1 << 20  # values; a norm's scale is small, and a copy of an expert's matrices would not be
_TOLERANCE = 2e-2  # relative; wide enough for bfloat16, narrow against the factor 4 of a module that is linear


def is_norm(module: nn.Module) -> bool:
    """True for torch's norms and for every module that behaves like one (RMSNorm of any library, T5's, Llama's)."""
    return isinstance(module, NORM_TYPES) or normalises(module)


def normalises(module: nn.Module) -> bool:
    """True if the module maps x to g * n(x) + b with n(4x) = n(x): what a norm is, whatever its name.

    Four observations on a copy of the module, all needed: the output has the input's shape; it does not change when
    the input is multiplied by 4; it does change when the input does; and one entry of a parameter reaches only its own
    coordinate (which tells a scale from a matrix behind a normalisation). The module itself is not run, its hooks are
    not called, and no random number is drawn. A module that cannot be run on one plain tensor is not a norm by
    behaviour.
    """
    own = list(module.parameters(recurse=False))
    if not own or len(list(module.parameters())) != len(own) or not all(_can_be_probed(p) for p in own):
        return False
    shapes = {tuple(n for n in parameter.shape if n > 1) for parameter in own}
    if len(shapes) != 1:
        return False
    try:
        copy = deepcopy(module)
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return False
    return any(_behaves(copy, shape) for shape in _inputs(own[0].shape))


def _can_be_probed(parameter: Tensor) -> bool:
    known = parameter.is_floating_point() and not parameter.is_meta
    return known and 1 < parameter.numel() <= _LARGEST_PROBED


def _inputs(shape: torch.Size) -> Iterator[tuple[int, ...]]:
    """Input shapes in which a scale of this shape makes sense: channels last, whole samples, channels first."""
    wide = tuple(3 if n == 1 else n for n in shape)
    yield (4, 3, *shape)
    yield (4, *wide)
    yield (4, *wide, 3)
    yield (4, *wide, 3, 3)
    if shape[0] == 1:
        yield (4, *wide[1:])


def _behaves(module: nn.Module, shape: tuple[int, ...]) -> bool:
    return any(_is_scale_of_a_normalised(module.train(mode), shape) for mode in (False, True))


def _is_scale_of_a_normalised(module: nn.Module, shape: tuple[int, ...]) -> bool:
    own = list(module.parameters(recurse=False))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for parameter in own:  # a zero-initialised scale would hide what the module does
            parameter.copy_(1 + 0.2 * _wave(parameter.shape, 0.9, parameter))
        x = 8 * _wave(shape, 1.7, own[0]) + _wave(shape, 0.31, own[0])
        y = _output(module, x)
        if y is None or not _close(_output(module, 4 * x), y) or _close(_output(module, x.flip(0, -1)), y):
            return False
        return all(_reaches_one_coordinate(module, parameter, x, y) for parameter in own)


def _reaches_one_coordinate(module: nn.Module, parameter: Tensor, x: Tensor, y: Tensor) -> bool:
    first = (0,) * parameter.ndim
    kept = parameter[first].clone()
    parameter[first] = kept + 1
    after = _output(module, x)
    parameter[first] = kept
    if after is None:
        return False
    moved = (after - y).abs() > _TOLERANCE
    share = moved.sum().item() / moved.numel()
    return 0 < share <= 1.01 / max(1, parameter.numel())


def _output(module: nn.Module, x: Tensor) -> Tensor | None:
    """forward(x) as float, or None where the module does not take one tensor of this shape to another of it."""
    try:
        y = module.forward(x.clone())  # forward, not __call__: the user's hooks are not ours to trigger
    except Exception:  # foreign code on a probe it was never written for may raise anything: that is an answer too
        return None
    if not isinstance(y, Tensor) or y.shape != x.shape or not y.is_floating_point():
        return None
    return y.float()


def _wave(shape: tuple[int, ...], frequency: float, like: Tensor) -> Tensor:
    """Values in (-1, 1) that never repeat, without a random generator."""
    count = torch.Size(shape).numel()
    values = torch.sin(frequency * torch.arange(1, count + 1, dtype=torch.float32) + 0.05 * frequency)
    return values.reshape(shape).to(device=like.device, dtype=like.dtype)


def _close(a: Tensor | None, b: Tensor) -> bool:
    return a is not None and bool(((a - b).abs() <= _TOLERANCE * (1 + b.abs())).all())
