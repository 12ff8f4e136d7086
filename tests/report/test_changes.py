"""The preview of augmented texts: what is marked is what changed, and no text can drive the terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gapless.augment.text import Policy, Step
from gapless.report.changes import Part, Preview, changed, compared, preview


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_parts_give_both_texts_back(before: str, after: str) -> None:
    parts = compared(before, after)
    assert "".join(part.text for part in parts if part.mark != "in") == before
    assert "".join(part.text for part in parts if part.mark != "out") == after
    assert changed(parts) == (before != after)
    assert all(part.text for part in parts)


@pytest.mark.parametrize(
    ("before", "after", "plain"),
    [
        ("The old film ran.", "The old movie ran.", "The old [-film-]{+movie+} ran."),
        ("The old film ran.", "The film ran.", "The[- old-] film ran."),
        ("The film ran.", "The, film ran.", "The{+,+} film ran."),
        ("One dog ran. A cat sat.", "A cat sat. One dog ran.", "{+A cat sat. +}One dog ran.[- A cat sat.-]"),
        ("same", "same", "same"),
        ("", "", ""),
    ],
)
def test_changes_stand_in_brackets(before: str, after: str, plain: str) -> None:
    assert Preview(before, (compared(before, after),)).plain() == [before, plain]


def test_a_moved_sentence_is_shown_whole_and_a_changed_one_word_by_word() -> None:
    before = "A dog ran. The old cat sat. A cow stood."
    assert Part("out", "old") in compared(before, "A dog ran. The grey cat sat. A cow stood.")
    moved = compared(before, "A cow stood. The old cat sat. A dog ran.")
    assert {part.text.strip() for part in moved if part.mark == "kept"} <= {*before.replace(". ", ".|").split("|")}


def test_a_long_text_is_compared_in_a_moment() -> None:
    before = "word " * 20_000
    assert changed(compared(before, before + "more"))


def test_variants_are_those_of_the_first_epochs() -> None:
    texts = ["The lamp stood on the table behind the door.", "", "no"]
    policy = Policy((Step("delete", 0.4),))
    found = preview(texts, policy, seed=3, variants=4)
    assert [each.original for each in found] == texts
    for epoch in range(4):
        expected = policy.apply(texts, 3, epoch, range(3))
        shown = ["".join(p.text for p in each.variants[epoch] if p.mark != "out") for each in found]
        assert shown == expected
    with pytest.raises(ValueError, match="variants must be at least 1, got 0"):
        preview(texts, policy, 0, 0)


def test_the_terminal_shows_texts_as_they_are_and_hides_what_would_drive_it() -> None:
    text = "[bold]not[/bold] \x1b[2J \u202e x"
    found = Preview(text, (compared(text, text.replace("x", "y")), compared(text, text)))
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=False).print(found)
    shown = out.getvalue()
    assert shown.count("[bold]not[/bold]") == 3
    assert "\x1b" not in shown and "\u202e" not in shown and "\\x1b[2J" in shown
    assert "(unchanged)" in shown
    coloured = io.StringIO()
    Console(file=coloured, width=200, force_terminal=True, color_system="standard").print(found)
    assert "\x1b[9;31mx" in coloured.getvalue() and "\x1b[4;32my" in coloured.getvalue()
