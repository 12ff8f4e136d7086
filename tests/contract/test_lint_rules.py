"""Every rule: what it must say of itself, and that it finds its mistake and nothing in the healthy twin."""

import ast
import inspect
import random
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lint.pairs import PAIRS, twins

import gapless.lint.rules
from gapless.lint import LEVELS, RULES, Rule, Setup
from gapless.lint.checker import check
from gapless.lint.reader import read_text

FOLDER = Path(gapless.lint.rules.__file__).parent
READING = [rule for rule in RULES if rule.read is not None]
CHECKING = [rule for rule in RULES if rule.check is not None]
PROGRAMS = [
    (rule.name, *pair)
    for rule in READING
    for pair in [(rule.broken, rule.healthy), *map(twins, PAIRS.get(rule.name, []))]
]


def test_names_are_unique_and_pairs_belong_to_rules() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert set(PAIRS) <= set(names)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_all_of_itself(rule: Rule) -> None:
    assert rule.level in LEVELS
    assert (rule.read is None) != (rule.check is None)
    for words in (rule.title, rule.effect, rule.fix, rule.source):
        assert words.strip() == words and len(words) > 10
        assert not words.endswith(".")
    for program in (rule.broken, rule.healthy):
        compile(program, rule.name, "exec")


def test_a_rule_is_one_function_in_a_file_of_its_name() -> None:
    files = {path for path in FOLDER.rglob("*.py") if path.name != "__init__.py"}
    for rule in RULES:
        function = rule.read or rule.check
        assert function is not None
        path = Path(inspect.getfile(function))
        assert path.stem == function.__name__ == rule.name.replace("-", "_")
        made = [v for v in vars(import_module(function.__module__)).values() if isinstance(v, Rule)]
        assert made == [rule]
        files.remove(path)
    assert files == set(), "files that hold no rule, or one that RULES does not name"


def test_no_folder_of_rules_is_crowded() -> None:
    for folder in (FOLDER, *(path for path in FOLDER.iterdir() if path.is_dir())):
        assert len(list(folder.glob("[!_]*.py"))) <= 12, folder


@pytest.mark.parametrize("rule", READING, ids=lambda rule: rule.name)
def test_there_are_two_broken_and_two_healthy_programs(rule: Rule) -> None:
    assert len([name for name, *_ in PROGRAMS if name == rule.name]) >= 2


@pytest.mark.parametrize(("name", "broken", "healthy"), PROGRAMS)
def test_the_mistake_is_found_and_its_twin_is_quiet(name: str, broken: str, healthy: str) -> None:
    ast.parse(healthy)
    found = read_text("broken.py", broken, RULES)
    assert {each.rule for each in found} == {name}
    for each in found:
        line = broken.splitlines()[each.place.line - 1]
        assert line[each.place.column - 1 :].strip(), "the place is in the line"
    assert read_text("healthy.py", healthy, RULES) == []


def test_there_are_many_pairs() -> None:
    assert len(PROGRAMS) >= 100


# ── rules that look at what trains ──


@pytest.mark.parametrize("rule", CHECKING, ids=lambda rule: rule.name)
def test_a_checking_rule_finds_its_mistake_and_its_twin_is_quiet(rule: Rule) -> None:
    for program, names in ((rule.broken, [rule.name]), (rule.healthy, [])):
        assert [each.rule for each in check(made(program), RULES)] == names


@pytest.mark.parametrize("rule", CHECKING, ids=lambda rule: rule.name)
def test_nothing_is_left_behind(rule: Rule) -> None:
    """Modes, parameters, buffers, gradients, hooks and random states are as before."""
    setup = made(rule.broken)
    before = traces(setup)
    list(check(setup, RULES))
    assert traces(setup) == before


def made(program: str) -> Setup:
    """The setup that a program of a checking rule defines."""
    names: dict[str, Any] = {}
    exec(program, names)
    return names["setup"]


def traces(setup: Setup) -> list[object]:
    model = setup.model
    kept: list[object] = [(name, value.tolist()) for name, value in model.state_dict().items()]
    kept += [module.training for module in model.modules()]
    kept += [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    kept += [parameter.grad is None for parameter in model.parameters()]
    kept += [torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()]  # noqa: NPY002
    return kept
