"""Finds the mistakes that open the gap, before anything is trained: in scripts as text, and in what they train.

    print(gapless.lint("train.py"))
    print(gapless.lint(model, optimizer, loader, loss))

The module is what is called: `gapless.lint` is the function, and `from gapless.lint import RULES` takes what is in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gapless.errors import UsageError
from gapless.lint.finding import LEVELS, Finding, Findings, Level, Place
from gapless.lint.reader import chosen, read_paths
from gapless.lint.rule import Rule
from gapless.lint.rules import RULES

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from gapless.lint.setup import Setup

__all__ = ["LEVELS", "RULES", "Finding", "Findings", "Level", "Place", "Rule", "Setup", "lint"]


def lint(
    subject: str | Path | nn.Module,
    optimizer: Optimizer | None = None,
    loader: Iterable[Any] | None = None,
    loss: Callable[[Any, Any], Tensor] | None = None,
    *,
    validation: Iterable[Any] | None = None,
    epochs: int | None = None,
    rules: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
) -> Findings:
    """Says what in a training script, or in a model and what trains it, costs accuracy or an honest figure.

    A script is read as text, and nothing of it is run. A model is run on one batch of the loader a few times; modes,
    buffers, gradients and random states are as before at the end. A rule that is not certain says nothing.

    Args:
        subject: a Python file, a folder of them, or the model as it will be trained.
        optimizer, loader, loss: what trains the model; each part lets more rules look. The loader hands out (inputs,
            targets), or mappings of keyword arguments with `labels`; loss takes (outputs, targets).
        validation: the loader or dataset it is judged by. epochs: how long it will be trained.
        rules: names of the rules to go by; None: all. ignore: names of rules to leave out.

    Raises:
        UsageError: a rule that does not exist, or parts of a training beside a file.
        DataError: a file that cannot be read or is no Python; a loader without batches; a model that fails on one.
    """
    by = chosen(rules, ignore)
    if isinstance(subject, str | Path):
        beside = {"optimizer": optimizer, "loader": loader, "loss": loss, "validation": validation, "epochs": epochs}
        for name, value in beside.items():
            if value is not None:
                raise UsageError(f"{name} goes with a model, and {str(subject)!r} is a file; leave it out")
        return read_paths([Path(subject)], by)
    from gapless.lint.checker import check
    from gapless.lint.setup import Setup

    return check(Setup(subject, optimizer, loader, loss, validation, epochs), by)


def __getattr__(name: str) -> Any:
    if name == "Setup":  # it needs torch
        return import_module("gapless.lint.setup").Setup
    raise AttributeError(f"module 'gapless.lint' has no attribute {name!r}")


class _Callable(ModuleType):
    """A module and a function of one name would hide each other, so the module is the function."""

    __call__ = staticmethod(lint)


sys.modules[__name__].__class__ = _Callable
