"""Synonyms: part of speech, sense, inflection, case, article, idioms; and the table they come from."""

import gzip
from pathlib import Path

import pytest

from gapless.augment.text import Policy, Resources, Step
from gapless.augment.text.document import Text
from gapless.augment.text.lexicon.inflect import Pos, Tag, cased_like, inflected, possible_bases, regular_forms
from gapless.augment.text.lexicon.thesaurus import Thesaurus, sounds_like_vowel, thesaurus_of
from gapless.augment.text.lexicon.wordnet import TABLE, Wordnet
from gapless.augment.text.policy import Policy as SamePolicy
from gapless.augment.text.protect import Protect

DEBIAN = Path("/usr/share/wordnet")


@pytest.fixture(scope="module")
def thesaurus() -> Thesaurus:
    return Resources().thesaurus


def choices(thesaurus: Thesaurus, sentence: str, word: str) -> tuple[str, ...]:
    """What may stand for a word of a sentence."""
    text = Text(sentence, Protect())
    found = dict(thesaurus.candidates(text))
    return found.get(text.tokens.lows.index(word), ())


# ── the table ──


def test_the_table_is_small_has_its_licence_and_loads_once() -> None:
    assert TABLE.stat().st_size < 1_000_000
    licence = TABLE.with_name("wordnet-license.txt").read_text(encoding="utf-8")
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in licence
    assert Wordnet.shipped() is Wordnet.shipped()
    assert len(Wordnet.shipped().lines) > 50_000


def test_senses_are_in_the_order_of_their_frequency() -> None:
    senses = Wordnet.shipped().senses("film", "n")
    assert [sense.number for sense in senses] == sorted(sense.number for sense in senses)
    assert ("movie", 70) in [(word, seen) for word, seen in Wordnet.shipped().words(senses[0])] or any(
        word == "movie" for word, _ in Wordnet.shipped().words(senses[0])
    )
    assert Wordnet.shipped().senses("film", "r") == ()
    assert Wordnet.shipped().senses("qwertz", "n") == ()


@pytest.mark.skipif(not (DEBIAN / "index.sense").is_file(), reason="WordNet's files are not installed")
def test_the_table_is_what_the_generator_makes_of_wordnet() -> None:
    assert Wordnet.from_directory(DEBIAN).lines == Wordnet.shipped().lines


HEAD = "  1 This is the licence.  \n"
FILES = {
    "data.noun": HEAD
    + "00000010 03 n 03 boat 0 Lake_Placid 0 small_ship 1 001 @ 00000020 n 0000 | a vessel\n"
    + "00000020 03 n 01 raft 0 000 | logs\n",
    "data.verb": HEAD + "00000030 30 v 02 row 0 paddle 2 000 01 + 02 00 | move by oars\n",
    "data.adj": HEAD
    + "00000040 00 a 02 wet(p) 0 damp 0 000 | not dry\n00000050 00 s 02 moist 0 damp 1 000 | wettish\n",
    "data.adv": HEAD,
    "index.sense": "boat%1:03:00:: 00000010 1 9\nlake_placid%1:03:00:: 00000010 1 0\n"
    "small_ship%1:03:01:: 00000010 2 1\n"
    "raft%1:03:00:: 00000020 1 0\nrow%2:30:00:: 00000030 1 2\npaddle%2:30:02:: 00000030 1 1\n"
    "wet%3:00:00:: 00000040 1 5\ndamp%3:00:00:: 00000040 1 4\nmoist%5:00:00:wet:00 00000050 1 2\n"
    "damp%5:00:01:wet:00 00000050 2 1\n",
    "noun.exc": "boatmen boatman\n",
}


def directory(folder: Path, **other: str) -> Path:
    for name, text in {**FILES, **other}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_directory_of_wordnet_is_read(tmp_path: Path) -> None:
    wordnet = Wordnet.from_directory(directory(tmp_path))
    assert wordnet.lines == (
        "n boat 1 9 small_ship 2 1",
        "v row 1 2 paddle 1 1",
        "a wet 1 5 damp 1 4",
        "a moist 1 2 damp 2 1",
        "=n boatmen boatman",
    )
    assert "boat" in wordnet and "small_ship" in wordnet and "raft" not in wordnet
    policy = Policy((Step("synonyms", 1.0),))
    (after,) = policy.apply(["the boats were wet"], 0, 0, [0], Resources(wordnet=wordnet))
    assert after in {"the boats were damp", "the small ships were damp"}
    (shipped,) = policy.apply(["the boats were wet"], 0, 0, [0])
    assert "small ship" not in shipped


def test_a_folder_without_wordnet_and_a_broken_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no WordNet directory: data.noun, .* missing. On Debian, install wordnet-base"
    ):
        Wordnet.from_directory(tmp_path)
    directory(tmp_path, **{"data.verb": "00000030 30 v\n"})
    with pytest.raises(ValueError, match="holds a file that is not in WordNet's format"):
        Wordnet.from_directory(tmp_path)


def test_a_damaged_table_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "wordnet.txt.gz"
    broken.write_bytes(gzip.compress(b"n film 1 1 movie 1 1\n")[:-9])
    monkeypatch.setattr("gapless.augment.text.lexicon.wordnet.TABLE", broken)
    Wordnet.shipped.cache_clear()
    with pytest.raises(ValueError, match=r"the table of synonyms .* cannot be read: .*; install gapless again"):
        Wordnet.shipped()
    monkeypatch.undo()
    Wordnet.shipped.cache_clear()
    assert len(Wordnet.shipped().lines) > 50_000


# ── which words may stand there ──


@pytest.mark.parametrize(
    ("sentence", "word", "one_of"),
    [
        ("we saw the film in the town", "film", "movie"),
        ("we saw the films in the town", "films", "movies"),
        ("we saw the movies in the town", "movies", "films"),
        ("they begin the work in winter", "begin", "start"),
        ("they began the work in winter", "began", "started"),
        ("she purchased the house in winter", "purchased", "bought"),
        ("the wall was built in winter", "built", "constructed"),
        ("the big house in winter", "big", "large"),
        ("the bigger house in winter", "bigger", "larger"),
        ("the biggest house in winter", "biggest", "largest"),
        ("the children played outside in winter", "children", "kids"),
        ("he wrote to the author in winter", "author", "writer"),
    ],
)
def test_a_synonym_has_the_form_of_the_word(thesaurus: Thesaurus, sentence: str, word: str, one_of: str) -> None:
    assert one_of in choices(thesaurus, sentence, word)


def test_the_word_before_tells_the_part_of_speech(thesaurus: Thesaurus) -> None:
    noun = {*choices(thesaurus, "the state grew fast", "state")}
    verb = {*choices(thesaurus, "they will state it", "state")}
    assert noun == {"province"} and "say" in verb and not noun & verb
    assert not choices(thesaurus, "there play there", "play"), "as often a noun as a verb, and nothing tells"


def test_the_article_before_stays_right(thesaurus: Thesaurus) -> None:
    for article in ("a", "an"):
        found = [
            form
            for word in (
                "movie",
                "film",
                "image",
                "picture",
                "area",
                "region",
                "house",
                "car",
                "auto",
                "writer",
                "author",
                "effort",
            )
            for form in thesaurus.choice(word, article).words
        ]
        assert found and all(sounds_like_vowel(form) == (article == "an") for form in found)
    assert [sounds_like_vowel(word) for word in ("hour", "house", "union", "uncle", "oven", "one", "european")] == [
        True, False, False, True, True, False, False,
    ]  # fmt: skip


def test_idioms_are_left_alone(thesaurus: Thesaurus) -> None:
    assert "auto" in choices(thesaurus, "the car burned", "car")
    assert not choices(thesaurus, "the cable car burned", "car")
    assert choices(thesaurus, "they constructed the wall", "constructed")
    assert "begin" in choices(thesaurus, "to start the work", "start")
    assert not choices(thesaurus, "to start up the work", "start")


def test_rare_senses_give_no_synonyms(thesaurus: Thesaurus) -> None:
    """WordNet knows "cat" as a gossip and "dog" as a frump: not what is meant."""
    assert not {"guy", "hombre", "bozo"} & {*thesaurus.choice("cat").words}
    assert not {"frump", "cad", "wienerwurst"} & {*thesaurus.choice("dog").words}
    assert not thesaurus.choice("the").words and not thesaurus.choice("zzz").words


def test_the_case_of_the_word_is_taken_over() -> None:
    assert cased_like("movie", "FILM") == "MOVIE"
    assert cased_like("movie", "Film") == "Movie"
    assert cased_like("movie", "film") == "movie"
    assert cased_like("motion picture", "I") == "Motion picture"
    texts = ["THE FILM IS ABOUT DOGS AND HOUSES IN THE TOWN"] * 20
    assert all(text.isupper() for text in Policy((Step("synonyms", 1.0),)).apply(texts, 0, 0, range(20)))


def test_a_thesaurus_is_made_once_for_a_table() -> None:
    assert Resources().thesaurus is Resources().thesaurus is thesaurus_of(Wordnet.shipped())
    assert SamePolicy is Policy


# ── inflection ──


@pytest.mark.parametrize(
    ("base", "pos", "tag", "form"),
    [
        ("film", "n", "s", "films"), ("box", "n", "s", "boxes"), ("city", "n", "s", "cities"),
        ("day", "n", "s", "days"), ("church", "n", "s", "churches"), ("child", "n", "s", "children"),
        ("motion picture", "n", "s", "motion pictures"), ("walk", "v", "s", "walks"), ("go", "v", "s", "goes"),
        ("try", "v", "s", "tries"), ("hope", "v", "ing", "hoping"), ("stop", "v", "ing", "stopping"),
        ("lie", "v", "ing", "lying"), ("see", "v", "ing", "seeing"), ("visit", "v", "ing", "visiting"),
        ("admit", "v", "past", "admitted"), ("open", "v", "past", "opened"), ("play", "v", "past", "played"),
        ("cry", "v", "past", "cried"), ("fix", "v", "past", "fixed"), ("write", "v", "past", "wrote"),
        ("write", "v", "part", "written"), ("take part", "v", "past", "took part"),
        ("look up", "v", "ing", "looking up"), ("big", "a", "er", "bigger"), ("large", "a", "est", "largest"),
        ("happy", "a", "er", "happier"), ("clean", "a", "er", "cleaner"), ("beautiful", "a", "er", "more beautiful"),
        ("gunman", "n", "s", "gunmen"), ("human", "n", "s", "humans"), ("earnings", "n", "s", "earnings"),
        ("lens", "n", "s", "lenses"), ("let", "v", "past", "let"), ("quickly", "r", "", "quickly"),
        ("modern", "a", "est", "most modern"),
    ],
)  # fmt: skip
def test_forms_are_right_and_lead_back(base: str, pos: Pos, tag: Tag, form: str) -> None:
    assert inflected(base, pos, tag) == form
    if " " not in form and form not in ("children", "lying", "earnings"):  # these come from the table
        found = possible_bases(form)
        assert (base, pos, tag) in found or (tag == "part" and (base, pos, "past") in found)


def test_exceptions_of_the_table_come_before_the_rules(thesaurus: Thesaurus) -> None:
    assert "forbidding" in thesaurus.choice("prohibiting").words
    assert not [form for form in thesaurus.choice("prohibiting").words if form == "forbiding"]


def test_all_forms_of_a_verb() -> None:
    assert regular_forms("love") == ("love", "loves", "loving", "loved")
    assert regular_forms("write") == ("write", "writes", "writing", "wrote", "written")
