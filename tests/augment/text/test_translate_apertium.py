"""Apertium itself, English to Esperanto and back."""

import random
import shutil
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.augment.text.paraphrase.apertium import Apertium
from gapless.augment.text.paraphrase.back_translation import paraphrase, translated
from gapless.augment.text.paraphrase.parity import negations
from gapless.errors import DataError, UsageError

installed = pytest.mark.skipif(
    shutil.which("apertium") is None or not Path("/usr/share/apertium/modes/en-eo.mode").is_file(),
    reason="needs apt-get install apertium-eo-en",
)

SNIPPETS = [
    "The film is funny and the actors are good.",
    "I do not recommend this hotel to anyone.",
    "A beautiful story of a young woman who searches for her father.",
    "My brother lost his keys in the old house near the river.",
    "It is a small but beautiful film.",
]


@pytest.fixture(scope="module")
def there() -> Apertium:
    return Apertium("en", "eo")


@pytest.fixture(scope="module")
def again() -> Apertium:
    return Apertium("eo", "en")


@installed
def test_a_round_trip(there: Apertium, again: Apertium, tmp_path: Path) -> None:
    middle = translated(SNIPPETS, there, tmp_path)
    assert middle[SNIPPETS[0]] == "La filmo estas amuza kaj la aktoroj estas bonaj."
    found = paraphrase(SNIPPETS, there, again, tmp_path)
    assert list(found) == SNIPPETS
    changed = {text: variants for text, variants in found.items() if variants}
    assert len(changed) >= 3
    for text, (variant,) in changed.items():
        assert variant != text and negations(variant) == negations(text)
        assert not set(variant) & set("*@#\\^$[]\0"), "no marks of Apertium's"
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".sqlite", ".sqlite"]


@installed
def test_texts_stay_apart(there: Apertium) -> None:
    """On plain lines these would be translated as one sentence, with other words."""
    texts = ["I like the big", "house of my father", "not", "good", "The red", "car is"]
    assert there.translate(texts) == [there.translate([text])[0] for text in texts]


@installed
def test_order_and_number_hold_over_many_texts(there: Apertium) -> None:
    texts = [f"{snippet[:-1]} {n}{end}" for n in range(40) for snippet in SNIPPETS for end in (".", "", "!")]
    random.Random(0).shuffle(texts)
    answers = there.translate(texts)
    for text, answer in zip(texts, answers, strict=True):
        assert [c for c in answer if c.isdigit()] == [c for c in text if c.isdigit()]


@installed
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  \n", "  \n"),
        ("... !!! 😀", "... !!! 😀"),
        ("The house.\n\nThe dog.\r\nThe cat.", "La domo.\n\nLa hundo.\r\nLa kato."),
        ("qwertyzxcv", "qwertyzxcv"),
        ("^$ [x] {y} \\ <b>h</b> * ~ + #1 @ %", "^$ [x] {y} \\ <b>h</b> * ~ + #1 @ %"),
        ("[[t:b:1]]house[[/]]", "[[t:b:1]]domo[[/]]"),
        ("house\x00 \x1b[31m \ud800", "domo [31m"),
        ("The" + " " * 100_000 + "house.", "La domo."),
    ],
)
def test_what_is_special_to_apertium(there: Apertium, text: str, expected: str) -> None:
    assert there.translate([text, "house", text]) == [expected, "domo", expected]


@installed
@settings(max_examples=15)
@given(st.lists(st.text(st.characters(codec=None), max_size=30), min_size=1, max_size=40))
def test_any_text_passes(texts: list[str]) -> None:
    there = Apertium("en", "eo")
    answers = there.translate([*texts, "house"])
    assert len(answers) == len(texts) + 1 and answers[-1] == "domo"
    for text, answer in zip(texts, answers, strict=False):
        assert answer == text or "\0" not in answer


@installed
def test_the_name_says_which_release(there: Apertium, again: Apertium) -> None:
    assert there.name.startswith("apertium en-eo 3.") and again.name.startswith("apertium eo-en 3.")
    assert there.name.split()[-1] != again.name.split()[-1]
    assert there.name == Apertium("en", "eo").name


@installed
def test_a_direction_that_is_not_there_names_what_to_install() -> None:
    with pytest.raises(UsageError, match=r"no direction 'en-fr'; install a package that .apt-cache search.*en-eo"):
        Apertium("en", "fr")


def test_no_apertium_at_all_names_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"Apertium is not installed.*apt-get install apertium-eo-en"):
        Apertium("eo", "en")
    with pytest.raises(UsageError, match=r"apt-get install apertium-eng-spa"):
        Apertium("eng", "spa")


def in_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, timeout: float = 200) -> Apertium:
    """A command `apertium` that is known to have en-eo and does what the script says."""
    program = folder / "apertium"
    program.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then echo en-eo; exit; fi\n{script}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Apertium("en", "eo", timeout=timeout)


def test_a_process_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = in_its_place(tmp_path, monkeypatch, "cat >/dev/null; echo 'Error: no locale' >&2; exit 1")
    with pytest.raises(DataError, match=r"2 texts went in, 0 came back, exit code 1: Error: no locale"):
        broken.translate(["good", "bad"])


def test_a_process_that_loses_a_text_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lossy = in_its_place(tmp_path, monkeypatch, r"cat >/dev/null; printf 'bone\0bone\0malbone\0\0'")
    with pytest.raises(DataError, match="2 texts went in, 4 came back"):
        lossy.translate(["good", "bad"])


def test_a_process_that_hangs_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    hangs = in_its_place(tmp_path, monkeypatch, f"sleep 600 & echo $! > {pid}; wait", timeout=4)
    with pytest.raises(DataError, match=r"no answer for 1 texts within 4 s"):
        hangs.translate(["good"])
    child = Path(f"/proc/{pid.read_text().strip()}/stat")
    until = time.monotonic() + 60  # a busy machine takes a while to end what has been killed; the sleep takes longer
    while runs(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not runs(child)


def runs(stat: Path) -> bool:
    """Whether the process of this file under /proc goes on; one that has ended may wait to be fetched."""
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
