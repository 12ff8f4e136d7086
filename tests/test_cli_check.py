"""`gapless augment check`: what it takes, what it prints."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import gapless

THINGS = ["film", "plot", "music", "story", "hotel", "room", "garden", "river"]
WORDS = {"warm": "yes", "bright": "yes", "dull": "no", "cold": "no"}


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "reviews.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["said", "liked"])
        for number in range(160):
            word = list(WORDS)[number % 4]
            one, other = (THINGS[n] for n in rng.integers(len(THINGS), size=2))
            writer.writerow([f"the {one} was {word}, said the teacher of the {other} number {number}", WORDS[word]])
    return path


def test_a_policy_for_texts(reviews: Path) -> None:
    ran = gapless("augment", "check", reviews, "--text", "said", "--target", "liked", "--policy", "typos")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert " texts of 2 classes, judged by classifiers that have not learned them (5 folds)" in lines[0]
    assert lines[2].split()[:2] == ["operation", "strength"]
    assert any(line.startswith("typos") and "100 %" in line for line in lines)
    assert "loses labels" not in ran.out, "words that judge are not misspelt"


def test_json_is_one_document(reviews: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'schema = 1\n[protect]\npolarity = false\nnegation = false\n[[steps]]\nop = "delete"\nstrength = 1.0\n'
    )
    ran = gapless(
        "augment", "check", reviews, "--text", "said", "--target", "liked", "--policy", policy, "--rows", 100, "--json"
    )
    assert ran.code == 0, ran.err
    assert (ran.json["examples"], ran.json["classes"]) == (100, ["no", "yes"])
    last = ran.json["rows"][-1]
    assert (last["op"], last["strength"]) == ("delete", 1.0)
    assert last["lost"]["low"] > 0.2 and last["edge"], "with nearly all words gone the label is gone"
    again = gapless(
        "augment", "check", reviews, "--text", "said", "--target", "liked", "--policy", policy, "--rows", 100, "--json"
    )
    assert again.out == ran.out


def test_a_policy_for_pictures() -> None:
    ran = gapless("augment", "check", "digits", "--policy", "classic", "--rows", 150)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("150 pictures of 10 classes")
    assert "flip_x" in ran.out and "Classes that collide:" in ran.out


def test_back_translation_through_apertium(reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "back.toml"
    policy.write_text('schema = 1\n[[steps]]\nop = "back_translate"\nstrength = 1.0\n')
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    arguments = ("augment", "check", reviews, "--text", "said", "--target", "liked", "--policy", policy)
    for ran in (gapless(*arguments), gapless("augment", "preview", *arguments[2:])):
        assert ran.code == 2 and "back_translate picks from paraphrases that are made ahead: give --transl" in ran.err
    if shutil.which("apertium") is None or not Path("/usr/share/apertium/modes/en-eo.mode").is_file():
        pytest.skip("needs apt-get install apertium-eo-en")
    ran = gapless(*arguments, "--translator", "apertium", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["rows"][-1]["agreement"]["mean"] > 0.8
    assert len(list((tmp_path / "cache" / "gapless" / "translations").glob("apertium-*.sqlite"))) == 2
    ran = gapless("augment", "preview", *arguments[2:], "--translator", "apertium", "--rows", 3)
    assert ran.code == 0 and "making paraphrases of 3 texts by apertium" in ran.err
    shown = [block.splitlines() for block in ran.out.strip().split("\n\n")]
    assert len(shown) == 3 and all(len({*block}) == 2 for block in shown), "each text, and one other wording of it"
    assert "[-" in ran.out and "{+" in ran.out


def test_what_cannot_be_checked(reviews: Path) -> None:
    text = ("--text", "said", "--target", "liked")
    for arguments, message in (
        (("digits", "--policy", "nosuch"), "there is no policy 'nosuch'"),
        (("digits", "--policy", "classic", "--translator", "apertium"), "--translator is for texts"),
        ((reviews, *text, "--policy", "typos", "--translator", "apertum"), "Did you mean 'apertium'?"),
        ((reviews, *text, "--policy", "typos", "--rows", 0), "rows must be at least 1, got 0"),
        ((reviews, *text, "--policy", "typos", "--seed", -1), "--seed must be at least 0"),
        ((reviews, *text, "--policy", "typos", "--rows", 6), "fewer than the 5 folds"),
    ):
        ran = gapless("augment", "check", *arguments)
        assert (ran.code, ran.out) == (2, ""), ran.err
        assert message in ran.err
