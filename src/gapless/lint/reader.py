"""Reads files by the rules: what is found, less what somebody has looked at and decided to ignore."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gapless.errors import DataError, UsageError, did_you_mean
from gapless.lint.finding import Finding, Findings, Place
from gapless.lint.reading.comments import Ignored, ignored
from gapless.lint.reading.program import Program
from gapless.lint.rule import Hit, Rule
from gapless.lint.rules import RULES

_ELSEWHERE = ("mxnet", "tensorflow", "keras", "jax", "flax", "paddle", "mindspore")
"""What is right there may be wrong in torch: their scripts are read as little as any other Python."""
_LEFT_OUT = frozenset(("__pycache__", "node_modules", "build", "dist", "site-packages", "venv"))


def chosen(rules: Sequence[str] | None, ignore: Sequence[str] = ()) -> tuple[Rule, ...]:
    """The rules of these names (None: all), less those to ignore. UsageError names the nearest right name."""
    known = {rule.name: rule for rule in RULES}
    for name in [*(rules or ()), *ignore]:
        if name not in known:
            raise UsageError(f"there is no rule {name!r}.{did_you_mean(name, known)}")
    return tuple(rule for rule in RULES if (rules is None or rule.name in rules) and rule.name not in ignore)


def read_paths(paths: Iterable[Path], rules: Sequence[Rule]) -> Findings:
    """Reads Python files, and those below a folder. DataError where one cannot be read or is no Python."""
    found: list[Finding] = []
    files = [file for path in paths for file in _files(path)]
    for file in files:
        found.extend(read_text(str(file), _text(file), rules))
    return Findings(tuple(found), len(files))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.py") if not _left_out(file.relative_to(path)))
        if not files:
            raise DataError(f"{path} is a folder without Python files; name a training script")
        yield from files
    elif path.is_file():
        yield path
    else:
        there = [str(each) for each in path.parent.glob("*.py")] if path.parent.is_dir() else []
        near = did_you_mean(str(path), there)
        raise DataError(f"there is no file {path}.{near if 'Did you mean' in near else ''}")


def _left_out(path: Path) -> bool:
    return any(part in _LEFT_OUT or part.startswith(".") for part in path.parts[:-1])


def _text(path: Path) -> str:
    try:
        with tokenize.open(path) as file:
            return file.read()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (SyntaxError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no Python source: {error}; give it as UTF-8") from error


def read_text(path: str, text: str, rules: Sequence[Rule]) -> list[Finding]:
    """What the rules find in the text of a program, by place; `path` is what it is called."""
    try:
        program = Program(path, text)
    except (SyntaxError, ValueError) as error:
        line = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise DataError(f"{path}{line} is no Python: {error.args[0]}") from error
    except RecursionError as error:
        raise DataError(f"{path} is nested too deeply to be read") from error
    if any(map(program.uses, _ELSEWHERE)) and not program.uses("torch"):
        return []
    comments = ignored(text)
    found = {
        (rule.name, hit.node): _finding(program, rule, hit)
        for rule in rules
        if rule.read is not None
        for hit in rule.read(program)
        if not _is_ignored(rule.name, hit.node, comments)
    }
    return sorted([*found.values(), *_unknown(path, comments)], key=lambda each: (each.place, each.rule))


def _finding(program: Program, rule: Rule, hit: Hit) -> Finding:
    node = hit.node
    line, column = node.end_lineno or node.lineno, (node.end_col_offset or 0) + 1
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.With):
        line, column = node.lineno, node.col_offset + 1  # the head, not all that follows
    place = Place(program.path, node.lineno, node.col_offset + 1, line, column)
    return Finding(rule.name, rule.level, place, hit.what, rule.effect, hit.fix or rule.fix, rule.source)


def _is_ignored(rule: str, node: ast.stmt | ast.expr | ast.ExceptHandler, comments: list[Ignored]) -> bool:
    block = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.With)
    lines = {node.lineno} if block else set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return any(rule in each.rules and (each.lines is None or lines & set(each.lines)) for each in comments)


def _unknown(path: str, comments: list[Ignored]) -> Iterator[Finding]:
    """Comments that name no rule silence nothing: whoever wrote them believes otherwise."""
    known = [rule.name for rule in RULES]
    for each in comments:
        for name in each.rules or ("",):
            if name not in known:
                near = did_you_mean(name, known) if name else ""
                yield Finding(
                    "unknown-ignore",
                    "warning",
                    Place(path, each.line, each.column, each.line, each.end_column),
                    f"there is no rule {name!r}." + (near if "Did you mean" in near else ""),
                    "the comment silences nothing",
                    "write # gapless: ignore[rule] with a rule's name as it is printed",
                    "gapless lint --list",
                )
