"""A rule: one function that reads a program, or one that looks at what trains; with all that is said about it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gapless.lint.finding import Level
from gapless.lint.reading.program import Program

if TYPE_CHECKING:
    from gapless.lint.setup import Batch

Node = ast.expr | ast.stmt | ast.ExceptHandler


@dataclass(frozen=True)
class Hit:
    """What a reading rule yields: the node that is wrong, in words; `fix` only where it is better than the rule's."""

    node: Node
    what: str
    fix: str = ""


@dataclass(frozen=True)
class Fault:
    """What a checking rule yields: the part of the model, optimizer or loader that is wrong, and its effect."""

    part: str
    what: str
    effect: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Rule:
    """Everything there is to know of a rule. Exactly one of `read` and `check` is there.

    title: the mistake in a few words. effect: what it does, with a figure or a law. source: the thread or the paper.
    broken, healthy: the smallest programs with and without the mistake; of a checking rule they define `setup`.
    """

    name: str
    level: Level
    title: str
    effect: str
    fix: str
    source: str
    broken: str
    healthy: str
    read: Callable[[Program], Iterable[Hit]] | None = None
    check: Callable[[Batch], Iterable[Fault]] | None = None


def reads(
    *, level: Level, title: str, effect: str, fix: str, source: str, broken: str, healthy: str
) -> Callable[[Callable[[Program], Iterable[Hit]]], Rule]:
    """Makes a rule of a function that reads a program; its name is the function's, with dashes."""

    def made(function: Callable[[Program], Iterable[Hit]]) -> Rule:
        name = function.__name__.replace("_", "-")
        return Rule(name, level, title, effect, fix, source, broken.strip(), healthy.strip(), read=function)

    return made


def checks(
    *, level: Level, title: str, effect: str, fix: str, source: str, broken: str, healthy: str
) -> Callable[[Callable[[Batch], Iterable[Fault]]], Rule]:
    """Makes a rule of a function that looks at a setup and one batch of it; its name is the function's, with dashes."""

    def made(function: Callable[[Batch], Iterable[Fault]]) -> Rule:
        name = function.__name__.replace("_", "-")
        return Rule(name, level, title, effect, fix, source, broken.strip(), healthy.strip(), check=function)

    return made
