"""Looks at what trains by the rules that need it: one batch, measured, and nothing left behind."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, cast

from torch import nn

from gapless.errors import DataError, GaplessError
from gapless.functions import blame, current_folder_first, described, find
from gapless.lint.finding import Finding, Findings, Place
from gapless.lint.rule import Rule
from gapless.lint.setup import Batch, Setup


def check(setup: Setup, rules: Sequence[Rule], name: str = "model") -> Findings:
    """What the rules find in a setup; `name` is what it is called. DataError where model or loss fail on the batch."""
    batch = Batch(setup)
    found: list[Finding] = []
    for rule in rules:
        if rule.check is None:
            continue
        try:
            faults = list(rule.check(batch))
        except GaplessError:
            raise
        # The user's model, loss and loader may raise anything on the batch.
        except Exception as error:
            raise DataError(
                f"{name} raised {type(error).__name__} on the first batch: {error} (rule {rule.name}); "
                "hand in parts that train together"
            ) from error
        for fault in faults:
            words = fault.what, fault.effect or rule.effect, fault.fix or rule.fix, rule.source
            found.append(Finding(rule.name, rule.level, Place(name, part=fault.part), *words))
    return Findings(tuple(found), read=0)


def setup_of(source: str) -> tuple[Setup, str]:
    """The setup that `module:function` returns, and the file the function is in. This runs the user's code."""
    function = find(source, "a gapless.lint.Setup or a torch.nn.Module")
    with current_folder_first():
        try:
            made: Any = function()
        # The user's code may raise anything, and end the process on a whim.
        except (Exception, SystemExit) as error:
            blame(source, error)
    if isinstance(made, nn.Module):
        made = Setup(made)
    if isinstance(made, tuple):
        made = Setup(*cast("tuple[Any, ...]", made)[:4])
    if not isinstance(made, Setup) or not isinstance(cast(object, made.model), nn.Module):
        raise DataError(f"{source} must return a gapless.lint.Setup or a torch.nn.Module, got {described(made)}")
    return made, inspect.getsourcefile(inspect.unwrap(function)) or ""
