"""Dropout as an approximate posterior: many passes with dropout on, and what they disagree about.

Gal & Ghahramani, "Dropout as a Bayesian approximation", arXiv 1506.02142. Only the dropouts are switched on: batch
norm stays in evaluation mode, and every module gets its own mode back.
"""

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from gapless.dropout.places import is_random
from gapless.errors import UsageError
from gapless.flow import run
from gapless.kinds import BatchNormType
from gapless.surgery import modes_kept

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class ClassUncertainty:
    """What S passes say about class probabilities; C classes on the last dimension, entropies in nats.

    mean: (B, ..., C) the Monte-Carlo average of the softmax. variance: (B, ..., C) of the probabilities over passes.
    entropy: (B, ...) H(mean), all uncertainty. mutual_information: (B, ...) H(mean) - mean of H, the part the passes
    disagree about (what the model does not know; Houlsby et al., arXiv 1112.5745). weight_scaling: (B, ..., C) the
    softmax of one pass without dropout, beside the average that it approximates.
    """

    mean: Tensor
    variance: Tensor
    entropy: Tensor
    mutual_information: Tensor
    weight_scaling: Tensor


@dataclass(frozen=True)
class ValueUncertainty:
    """What S passes say about real outputs: mean and variance (unbiased) over passes, and one pass without dropout."""

    mean: Tensor
    variance: Tensor
    weight_scaling: Tensor


@dataclass(frozen=True)
class Passes:
    """outputs: (S, B, ...) of the passes with dropout; plain: (B, ...) of the one without (weight scaling)."""

    outputs: Tensor
    plain: Tensor

    def classes(self) -> ClassUncertainty:
        """The outputs read as logits."""
        logs = self.outputs.log_softmax(-1)
        probabilities = logs.exp()
        mean = probabilities.mean(0)
        entropy = _entropy(mean.log(), mean)
        expected = _entropy(logs, probabilities).mean(0)
        information = (entropy - expected).clamp(min=0)  # below 0 only by rounding
        return ClassUncertainty(mean, probabilities.var(0), entropy, information, self.plain.softmax(-1))

    def values(self) -> ValueUncertainty:
        """The outputs read as numbers."""
        return ValueUncertainty(self.outputs.mean(0), self.outputs.var(0), self.plain)


Feed = Callable[[nn.Module, Any], object]
"""Calls the model on one batch, e.g. `lambda model, batch: model(**batch).logits`."""


def monte_carlo(
    model: nn.Module,
    *inputs: Any,
    passes: int = 30,
    also: tuple[type[nn.Module], ...] = (),
    feed: Feed | None = None,
) -> Passes:
    """Run model(*inputs) once without and `passes` times with dropout, without gradients.

    A dropout counts wherever the model has it: as a module that is called; as one whose rate the module around it
    reads while that one is training (attention on fused kernels); as a number by the name of a rate
    (`gapless.dropout.functional`). For the last two the module that reads the rate is in training mode, and nothing
    inside it but its dropouts.

    Args:
        inputs: as the model takes them; a single mapping whose keys are arguments of its forward is spread out, as in
            model(**inputs).
        also: classes of the user's own modules that are random in training mode by other means.
        feed: how to call the model on its one input, see `Feed`; for models that return more than a tensor or than
            `logits`.

    Raises:
        UsageError: nothing in the model is random, passes < 2, the model returns neither a tensor nor a mapping with
            `logits`, or a module that would have to be in training mode is a batch norm or changes its buffers there.
    """
    if passes < 2:
        raise UsageError(f"monte_carlo: passes must be at least 2, got {passes!r}")
    if feed is not None and len(inputs) != 1:
        raise UsageError(f"monte_carlo: with feed give one input, which feed(model, input) gets; got {len(inputs)}")
    run = partial(_output, model, inputs, feed)
    noisy = _noisy(model, also)
    with torch.no_grad():
        with _training(model, ()):
            plain = run()
        with _training(model, noisy), _called(noisy) as called:
            first = run()
        readers = _readers(model, set(noisy) - called)
        kept = [module for module in (*noisy, *readers) if not isinstance(module, also)]
        with _training(model, (*noisy, *readers)), _same_buffers(model, kept):
            outputs = [run() if readers else first, *(run() for _ in range(passes - 1))]
    return Passes(torch.stack(outputs), plain)


def _noisy(model: nn.Module, also: tuple[type[nn.Module], ...]) -> list[nn.Module]:
    chosen = [module for module in model.modules() if is_random(module) or isinstance(module, also)]
    if not chosen:
        raise UsageError(
            f"monte_carlo: nothing in {type(model).__name__} is random; attach dropout or name it in `also`"
        )
    # torch's fused transformer layer looks at the layer's own mode only and would pass over the dropouts inside
    layers = [module for module in model.modules() if isinstance(module, nn.TransformerEncoderLayer)]
    return chosen + [layer for layer in layers if not set(chosen).isdisjoint(layer.modules())]


@contextmanager
def _training(model: nn.Module, chosen: Collection[nn.Module]) -> Generator[None]:
    """Inside: everything in evaluation mode, but the chosen ones training. Then as before."""
    with modes_kept(model):
        for module in model.modules():
            module.training = False
        for module in chosen:
            module.training = True
        yield


@contextmanager
def _called(modules: Collection[nn.Module]) -> Generator[set[nn.Module]]:
    """Those of the modules that are called inside."""
    called: set[nn.Module] = set()

    def seen(module: nn.Module, args: tuple[Any, ...]) -> None:
        called.add(module)

    handles = [module.register_forward_pre_hook(seen) for module in modules]
    try:
        yield called
    finally:
        for handle in handles:
            handle.remove()


def _readers(model: nn.Module, idle: Collection[nn.Module]) -> list[nn.Module]:
    """The modules around those that were not called, which may read their rates instead."""
    paths = dict(model.named_modules(remove_duplicate=False))
    found: dict[nn.Module, str] = {}
    for path in (path for path, module in paths.items() if path and module in idle):
        outer = path.rpartition(".")[0]
        while outer and isinstance(paths[outer], _CONTAINERS):
            outer = outer.rpartition(".")[0]
        found[paths[outer]] = outer
        if isinstance(paths[outer], BatchNormType):
            raise UsageError(
                f"monte_carlo: the dropout at {path!r} is not called, and the module around it, which may read its "
                f"rate, is a batch norm ({type(paths[outer]).__name__}), whose statistics would move; set its rate to 0"
            )
    return [module for module in found if not isinstance(module, _CONTAINERS)]


@contextmanager
def _same_buffers(model: nn.Module, modules: Collection[nn.Module]) -> Generator[None]:
    """UsageError where a pass changed a buffer of one of these very modules; it is then as before."""
    before = [(m, {name: b.clone() for name, b in m.named_buffers(recurse=False)}) for m in modules]
    yield
    for module, buffers in before:
        moved = [name for name, b in module.named_buffers(recurse=False) if not torch.equal(b, buffers.get(name, b))]
        for name in moved:
            module.get_buffer(name).copy_(buffers[name])
        if moved:
            path = next(path for path, each in model.named_modules() if each is module)
            raise UsageError(
                f"monte_carlo: {path or type(model).__name__!r} reads a dropout's rate while it is training, and then "
                f"changes its buffers {moved} too; name {type(module).__name__} in `also` if that does no harm"
            )


def _output(model: nn.Module, inputs: tuple[Any, ...], feed: Feed | None) -> Tensor:
    if feed is not None:
        output = feed(model, inputs[0])
    else:
        output = run(model, inputs[0] if len(inputs) == 1 and isinstance(inputs[0], Mapping) else inputs)
    if isinstance(output, Mapping):
        output = cast(Mapping[str, object], output).get("logits", cast(object, output))
    if not isinstance(output, Tensor):
        raise UsageError(
            f"monte_carlo: the model must return a tensor, or a mapping with `logits`, got {_described(output)}; say "
            "which tensor is meant, as in feed=lambda model, batch: model(batch)[0]"
        )
    return output


def _described(output: object) -> str:
    keys = f" with {list(cast(Mapping[str, object], output))}" if isinstance(output, Mapping) else ""
    return type(output).__name__ + keys


def _entropy(logs: Tensor, probabilities: Tensor) -> Tensor:
    """-sum p log p over the last dimension, with 0 log 0 = 0."""
    return -torch.where(probabilities > 0, probabilities * logs, 0.0).sum(-1)
