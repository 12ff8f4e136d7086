"""Which data reaches which layer: a model is run on an example, and every tensor remembers the layers it came through.

Order of registration says nothing about order of use. What is told here is read off one run in eval mode: the layers
that take the model's input, those whose output is the model's own, and those that are handed one and the same tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gapless.errors import UsageError
from gapless.kinds import EMBEDDING_TYPES, carries_weights
from gapless.surgery import modes_kept

Example = Tensor | tuple[Any, ...] | Mapping[str, Any]
"""One input of a model: a tensor, a tuple of arguments, or a mapping of arguments by name."""

_INPUT = "(input)"  # the mark of what the caller handed in; a path otherwise, and no path looks like this
_INPUT_ALONE = frozenset((_INPUT,))
_NORM_OPS = ("native_layer_norm", "native_group_norm", "batch_norm", "rms_norm")


@dataclass(frozen=True)
class Flow:
    """What one run on an example showed.

    order: paths of the layers with weights, as they were first called; a layer inside an attention, recurrent or
    transformer layer is part of that. firsts: those that take the model's input with no other before them. heads: those
    behind which no other stands before the model's output. together: layers that are handed one and the same tensor,
    each called once. tables: embeddings that are handed an input of the model. normalises: the name of the first
    normalisation that ran, as a module or a function; "" where none did.
    """

    order: tuple[str, ...]
    firsts: frozenset[str]
    heads: frozenset[str]
    together: tuple[tuple[str, ...], ...]
    tables: tuple[str, ...]
    normalises: str


def follow(model: nn.Module, example: Example | Flow | None) -> Flow | None:
    """The flow of an example through a model; None for none, and a flow that is known already as it is.

    The model runs once in eval mode, without gradients; modes, hooks and torch's random state are as before.

    Raises:
        UsageError: the model does not take the example; says what it raised.
    """
    if example is None or isinstance(example, Flow):
        return example
    with _Marks() as marks, _watching(model, marks):
        marks.put(tensors(example), _INPUT)
        with _no_fast_path(), modes_kept(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
            try:
                output = run(model.eval(), example)
            except Exception as error:  # the user's model may raise anything
                raise UsageError(
                    f"the example does not go through {type(model).__name__}: {type(error).__name__}: {error}; give "
                    "what its forward takes: a tensor, a tuple of arguments, or a dict of them by name"
                ) from error
        return marks.flow(output)


def run(model: nn.Module, example: Example) -> Any:
    """model(*example) for a tuple, model(**example) for a mapping whose keys forward takes, else model(example)."""
    if isinstance(example, tuple):
        return model(*example)
    if isinstance(example, Mapping) and takes(model, example):
        return model(**example)
    return model(example)


def takes(model: nn.Module, values: Mapping[str, Any]) -> bool:
    """Whether the keys of the mapping are arguments of the model's forward."""
    try:
        signature(model.forward).bind(**values)
    except TypeError:
        return False
    return True


def tensors(value: object) -> list[Tensor]:
    """The tensors in a value, however deep in mappings, lists and tuples."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [t for part in cast(Mapping[Any, object], value).values() for t in tensors(part)]
    if isinstance(value, list | tuple):
        return [t for part in cast(list[object], value) for t in tensors(part)]
    return []


class _Marks(TorchDispatchMode):
    """Every memory that a tensor lies in, with the marks of what went into it."""

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[int, tuple[Any, frozenset[str]]] = {}  # the memory is kept, so that its number stays its own
        self._calls: list[tuple[str, Tensor | None, int, frozenset[str]]] = []
        self._tables: list[str] = []
        self._normalises = ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        given = [*tensors(args), *tensors(kwargs or {})]
        found = frozenset[str]().union(*map(self.of, given))
        name = func.__name__.partition(".")[0]
        if not self._normalises and any(norm in name for norm in _NORM_OPS):
            self._normalises = name.removeprefix("native_").strip("_")
        if found:
            written = given[:1] if func._schema.is_mutable else []  # what an operation in place writes into
            for tensor in (*tensors(output), *written):
                self.put([tensor], *found, more=True)
        return output

    def of(self, tensor: Tensor) -> frozenset[str]:
        return self._of.get(_memory(tensor)[0], (None, frozenset[str]()))[1]

    def put(self, where: list[Tensor], *marks: str, more: bool = False) -> None:
        for tensor in where:
            key, memory = _memory(tensor)
            self._of[key] = memory, frozenset(marks) | (self.of(tensor) if more else frozenset())

    def called(self, path: str, given: object) -> None:
        found = tensors(given)
        first = found[0] if found else None
        above = frozenset[str]().union(*map(self.of, found))
        self._calls.append((path, first, 0 if first is None else first._version, above))

    def looked_up(self, path: str, ids: object) -> None:
        if any(self.of(each) == _INPUT_ALONE for each in tensors(ids)):
            self._tables.append(path)

    def flow(self, output: object) -> Flow:
        times: dict[str, int] = {}
        for path, *_ in self._calls:
            times[path] = times.get(path, 0) + 1
        groups: dict[tuple[int, int], list[str]] = {}
        for path, first, version, _ in self._calls:
            if first is not None and times[path] == 1:
                groups.setdefault((id(first), version), []).append(path)
        reached = frozenset[str]().union(*map(self.of, tensors(_answer(output))))
        return Flow(
            tuple(times),
            frozenset(path for path, _, _, above in self._calls if above == _INPUT_ALONE),
            reached - _INPUT_ALONE,
            tuple(tuple(group) for group in groups.values() if len(group) > 1),
            tuple(dict.fromkeys(self._tables)),
            self._normalises,
        )


def _memory(tensor: Tensor) -> tuple[int, object]:
    try:
        storage = tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):  # a sparse tensor has none
        return id(tensor), tensor
    return storage._cdata, storage  # pyright: ignore[reportPrivateUsage]  # the memory's own number, whatever views it


def _answer(output: object) -> object:
    """Of a mapping with logits only those: what else it holds (hidden states, the loss) is no answer."""
    if not isinstance(output, Mapping):
        return output
    named = {str(name): value for name, value in cast(Mapping[Any, object], output).items()}
    return {name: value for name, value in named.items() if name.endswith("logits")} or named


def layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """(path, layer) of what has weights and is called as one: what lies inside such a layer is left out."""
    inside: list[str] = []
    for path, module in model.named_modules():
        if not any(path.startswith(outer) for outer in inside) and carries_weights(module):
            inside.append(f"{path}." if path else "")
            yield path, module


@contextmanager
def _watching(model: nn.Module, marks: _Marks) -> Generator[None]:
    def before(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: object, kwargs: object) -> None:
            marks.called(path, [args, kwargs])

        return hook

    def after(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: object, output: object) -> None:
            marks.put(tensors(output), path)

        return hook

    def looked_up(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: object, kwargs: object) -> None:
            marks.looked_up(path, [args, kwargs])

        return hook

    handles: list[Any] = []
    for path, module in layers(model):
        handles.append(module.register_forward_pre_hook(before(path), with_kwargs=True))
        handles.append(module.register_forward_hook(after(path)))
    for path, module in model.named_modules():
        if isinstance(module, EMBEDDING_TYPES):
            handles.append(module.register_forward_pre_hook(looked_up(path), with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _no_fast_path() -> Generator[None]:
    """torch's fused transformer layers call none of their parts in eval mode; inside this they do."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
