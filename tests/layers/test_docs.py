"""docs/architecture.md names every room of the house, no other, and fits on a screen."""

import re

from source_tree import ROOT, SOURCE, modules, name_of, part_of

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_page_names_every_room() -> None:
    rows = re.findall(r"^\| \w* ?\| `([\w/.]+)` \|", PAGE, re.M)
    rooms = {part_of(name_of(path)) for path in modules()} - {"__init__", "__main__"}
    assert sorted(rows) == sorted(f"{room}/" if (SOURCE / room).is_dir() else f"{room}.py" for room in rooms)


def test_the_page_fits_on_a_screen() -> None:
    assert len(PAGE.splitlines()) <= 60
    assert max(map(len, PAGE.splitlines())) <= 130


def test_files_and_folders_that_the_pages_name_are_there() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "docs/architecture.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        named = re.findall(r"`((?:src|tests|bench|docs|examples|tools|\.ci)/[\w/.-]*)", text)
        named.extend(re.findall(r"\]\(([^)#:]+)\)", text))
        base = (ROOT / page).parent
        missing = [name for name in named if not (ROOT / name).exists() and not (base / name).exists()]
        assert missing == [], page
