"""What is new in a report on texts: other data apart from the gap, and texts as the model sees them, as texts."""

from dataclasses import replace

from report_contents import digits, page_of, plain_won, snippets
from report_dom import parse

from gapless.report import facts, text
from gapless.report.changes import Part, Preview
from gapless.report.figures import Figures
from gapless.report.html import render


def test_the_drop_is_told_with_its_interval_beside_the_gain_there() -> None:
    content = snippets()
    told = facts.elsewhere(content, Figures.of(content.result))
    assert told == [
        "Drop on tweets (420 texts): 61.2 % for the plain model, 26.2 points (24.2 to 28.2) below what it gets on new "
        "texts of the source; 67.1 % for the best recipe, 28.4 points (26.4 to 30.4) below what it gets on new texts "
        "of the source. There the recipe changes the score by +5.9 points (3.1 to 8.7).",
        "Drop on news (1 text): 93.0 % for the plain model, 5.6 points (3.6 to 7.6) above what it gets on new texts "
        "of the source; 94.0 % for the best recipe, 1.5 points (-0.5 to 3.5) below what it gets on new texts of the "
        "source. There the recipe changes the score by +1.0 points (-2.0 to 4.0, may be nothing).",
    ]
    lines = text.verdict(content)
    assert lines[4:6] == told
    assert lines[6].startswith("Recipe: ")
    assert text.verdict(digits())[4].startswith("Recipe: ")


def test_where_the_plain_model_won_only_it_is_told_of() -> None:
    content = plain_won()
    content = replace(content, result=replace(content.result, elsewhere=snippets().result.elsewhere[:1]))
    (told,) = facts.elsewhere(content, Figures.of(content.result))
    assert "best recipe" not in told
    assert told.endswith("below what it gets on new pictures of the source.")


def test_rows_are_texts() -> None:
    content = snippets()
    assert "of new texts right" in text.verdict(content)[0]
    assert ("Data", "movies.csv (text, 2 classes)") in facts.about(content)


def test_the_page_shows_texts_with_their_changes() -> None:
    page = page_of(snippets)
    assert "<del>fine</del><ins>good</ins>" in page
    assert "1 text of the training part" in page
    assert '<section id="elsewhere">' in page
    assert '<section id="elsewhere">' not in page_of(digits)
    assert "left out</del>, <ins>put in</ins>" not in page_of(digits)


def test_the_page_tells_what_the_operations_do_to_labels() -> None:
    page = page_of(snippets)
    assert "What it does to the labels" in page
    assert "swap  100 %  3.1 % (2.0 to 4.2)  loses labels, 2 % at least" in page
    assert "What it does to the labels" not in page_of(digits)


def test_a_text_is_never_code() -> None:
    bad = "</bdi><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\u202e"
    shown = (Preview(bad, ((Part("kept", bad), Part("out", bad), Part("in", bad)),)),)
    elsewhere = (replace(snippets().result.elsewhere[0], name=bad),)
    content = replace(snippets(), texts=shown, labels=(bad, bad))
    page = render(replace(content, result=replace(content.result, elsewhere=elsewhere)))
    clean = page_of(snippets)
    assert page.count("<script") == clean.count("<script")
    assert page.count("<img") == clean.count("<img")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert parse(page) is not None
