"""docs/lint.md is what the rules say of themselves."""

import runpy
from pathlib import Path

from gapless.lint import RULES

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_rules() -> None:
    """Run `python tools/make_lint_page.py` after a change of a rule."""
    made = runpy.run_path(str(ROOT / "tools" / "make_lint_page.py"))["page"]()
    assert (ROOT / "docs" / "lint.md").read_text(encoding="utf-8") == made


def test_the_page_has_a_line_and_both_programs_of_every_rule() -> None:
    page = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert page.count(f"| [`{rule.name}`](#{rule.name}) | {rule.level} |") == 1
        assert page.count(f"\n### {rule.name}\n") == 1
        assert rule.broken in page and rule.healthy in page and rule.source in page
