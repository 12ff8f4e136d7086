"""What is this module? One answer for every pillar: by type, or by what it does to a probe."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase  # pyright: ignore[reportPrivateUsage]  # bases of every batch norm, of every batch or instance norm

from gapless.surgery import plain_class as changed_from

BatchNormType = _BatchNorm
"""torch's batch norms of any number of axes; torch has no public name for them, its own update_bn asks for this one."""
NORM_TYPES: tuple[type[nn.Module], ...] = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
EMBEDDING_TYPES = (nn.Embedding, nn.EmbeddingBag)
WEIGHT_TYPES: tuple[type[nn.Module], ...] = (
    nn.Linear,
    nn.Bilinear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
)
BLOCK_TYPES: tuple[type[nn.Module], ...] = (
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.MultiheadAttention,
    nn.RNNBase,
)
"""Layers that are called as one and use the weights inside as they like."""
_NORM_NAME = re.compile(r"Norm(?![a-z])|norm(\d?d)?$")  # EvoNorm2dS0, LlamaRMSNorm, my_norm; not NormalizedLinear

_LARGEST_PROBED = 1 << 20  # values; a norm's scale is small, and a copy of an expert's matrices would not be
_TOLERANCE = 2e-2  # relative; wide enough for bfloat16, narrow against the factor 4 of a module that is linear


def is_norm(module: nn.Module) -> bool:
    """True for torch's norms and for every module that behaves like one (RMSNorm of any library, T5's, Llama's).

    torch's own layers, and subclasses of its layers with weights, are told by their type alone.
    """
    if isinstance(module, NORM_TYPES):
        return True
    if isinstance(module, (*WEIGHT_TYPES, *EMBEDDING_TYPES)) or type(module).__module__.startswith("torch.nn."):
        return False
    return normalises(module)


def called_norm(module: nn.Module) -> bool:
    """True for a module whose class goes by the name of a norm and that has a scale or statistics to show for it.

    What is called a norm and has neither (a fixed shift and scale of the input, unit length, a local response) does not
    keep activations in the range that batch norm keeps them in.
    """
    own = next(module.parameters(), None) is not None or next(module.buffers(), None) is not None
    return own and _NORM_NAME.search(type(module).__name__) is not None


def carries_weights(module: nn.Module) -> bool:
    """True for a layer that mixes what it is given by weights of its own: torch's, and a leaf with a matrix (Conv1D of
    GPT-2) that is neither a norm nor a table."""
    if isinstance(module, (*WEIGHT_TYPES, *BLOCK_TYPES)):
        return True
    if next(module.children(), None) is not None or isinstance(module, EMBEDDING_TYPES):
        return False
    wide = any(sum(n > 1 for n in p.shape) > 1 for p in module.parameters(recurse=False))
    return wide and not is_norm(module)


def does_more(norm: nn.Module) -> bool:
    """True for a batch norm whose class has a forward of its own (timm's BatchNormAct2d carries its activation)."""
    home = next((c for c in type(norm).__mro__ if "forward" in vars(c)), nn.Module)
    return not home.__module__.startswith(("torch.nn.", "gapless."))


def normalises(module: nn.Module) -> bool:
    """True if the module maps x to g * n(x) + b with n(4x) = n(x): what a norm is, whatever its name.

    Four observations on a copy of the module, all needed: the output has the input's shape; it does not change when
    the input is multiplied by 4; it does change when the input does; and one entry of a parameter reaches only its own
    coordinate (which tells a scale from a matrix behind a normalisation). The module itself is not run, its hooks are
    not called, and no random number is drawn. A module that cannot be run on one plain tensor is not a norm by
    behaviour.
    """
    own = list(module.parameters(recurse=False))
    if not own and next(module.children(), None) is None:
        return _remembered(module, _normalises_without_weights)
    if not own or len(list(module.parameters())) != len(own) or not all(_can_be_probed(p) for p in own):
        return False
    shapes = {tuple(n for n in parameter.shape if n > 1) for parameter in own}
    if len(shapes) != 1:
        return False
    return _remembered(module, lambda m: _probed(m, own[0].shape))


def _remembered(module: nn.Module, ask: Callable[[nn.Module], bool]) -> bool:
    key = _likeness(module)
    known = _known(plain_class(module))
    if key not in known:
        known[key] = ask(module)
    return known[key]


def _normalises_without_weights(module: nn.Module) -> bool:
    """Whether a module without weights gives its input mean square 1, whatever the input's scale.

    Unit length (a norm of vectors) is not that, nor is a sign, whose values are few.
    """
    if any(buffer.is_meta or (not buffer.is_floating_point() and buffer.numel() > 1) for buffer in module.buffers()):
        return False
    try:
        copy = _copied(module)
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return False
    own = next((b for b in copy.buffers() if b.is_floating_point()), torch.empty(0))
    wide = own.numel() if own.ndim == 1 and own.numel() > 1 else 24
    shapes = ((6, wide), (4, 3, wide), (4, wide, 3), (4, wide, 3, 3))
    return any(_unit_mean_square(copy.train(mode), shape, own) for mode in (False, True) for shape in shapes)


def _unit_mean_square(module: nn.Module, shape: tuple[int, ...], like: Tensor) -> bool:
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        x = 8 * _wave(shape, 1.7, like) + _wave(shape, 0.31, like)
        y = _output(module, x)
        if y is None or not _close(_output(module, 4 * x), y) or _close(_output(module, x.flip(0, -1)), y):
            return False
        return 0.8 < float(y.square().mean()) < 1.2 and y.unique().numel() > y.numel() // 2


@cache
def _known(kind: type[nn.Module]) -> dict[tuple[Any, ...], bool]:
    """The answers for modules of one class; a model of many blocks asks about each kind once."""
    return {}


def _likeness(module: nn.Module) -> tuple[Any, ...]:
    """Modules of one class that are alike in this compute the same function of their parameters."""
    plain = tuple(
        (name, value)
        for name, value in vars(module).items()
        if name != "training" and isinstance(value, bool | int | float | str | tuple | torch.Size | torch.dtype)
    )
    tensors = [*module.named_parameters(), *module.named_buffers()]
    parts = tuple((name, type(child), str(child)) for name, child in module.named_children())
    return (repr(plain), parts, tuple((name, tuple(t.shape), t.dtype, t.device) for name, t in tensors))


def _probed(module: nn.Module, shape: torch.Size) -> bool:
    try:
        copy = _copied(module)
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return False
    return any(_behaves(copy, each) for each in _inputs(shape))


def _copied(module: nn.Module) -> nn.Module:
    """The module's like, with parameters of its own, without hooks; a sharded parameter is whole and on the CPU."""
    memo: dict[int, Any] = {}
    for parameter in module.parameters(recurse=False):
        device = parameter.device if type(parameter) is nn.Parameter else "cpu"
        memo[id(parameter)] = nn.Parameter(torch.ones(parameter.shape, dtype=parameter.dtype, device=device))
    kind = plain_class(module)
    copied = kind.__new__(kind)
    nn.Module.__init__(copied)
    for name, value in vars(module).items():
        if "hook" not in name:
            copied.__dict__[name] = deepcopy(value, memo)
    return copied


def plain_class(module: nn.Module) -> type[nn.Module]:
    """The class as its author made it: neither changed by gapless nor sharded by fully_shard."""
    kind = changed_from(module)
    return next((c for c in kind.__mro__ if not c.__module__.startswith("torch.distributed.")), kind)


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
