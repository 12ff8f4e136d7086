"""Whole training scripts in the style of large libraries' examples: every mistake is found where it is, and no other.

A line with `# expect: rule` holds a mistake; everything else is right and must stay quiet.
"""

import re
from pathlib import Path

import pytest

from gapless.lint import RULES
from gapless.lint.reader import read_text

SCRIPTS = sorted((Path(__file__).parent / "scripts").rglob("*.py"))
_EXPECT = re.compile(r"#\s*expect: ([\w-]+)")


def expected(text: str) -> list[tuple[int, str]]:
    lines = enumerate(text.splitlines(), start=1)
    return [(number, name) for number, line in lines for name in _EXPECT.findall(line)]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_all_mistakes_are_found_and_nothing_else(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    planted = expected(text)
    for each in read_text(path.name, text, RULES):
        lines = range(each.place.line, each.place.end_line + 1)
        assert any(name == each.rule and line in lines for line, name in planted), each
        planted = [(line, name) for line, name in planted if not (name == each.rule and line in lines)]
    assert planted == [], "mistakes that were not found"


def test_there_are_enough_scripts_of_both_kinds() -> None:
    planted = {path: expected(path.read_text(encoding="utf-8")) for path in SCRIPTS}
    assert len(SCRIPTS) >= 20
    assert sum(not names for names in planted.values()) >= 8
    assert len({name for names in planted.values() for _, name in names}) >= 25
