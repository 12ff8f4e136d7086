"""Paraphrases of a task: what a task takes, how they are made, kept on disk and sent to another process."""

import pickle
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_tasks import pictures, texts

from gapless.augment.text.paraphrase import masked_model as masked
from gapless.data import Task, paraphrases
from gapless.data.paraphrases import back_translations, masked_variants, paraphrases_folder, usable
from gapless.data.splits import subset
from gapless.errors import DataError, UsageError

SENTENCES = [
    "The film was really a bit of a story about people, and it was nice.",
    "The dull film of the town was not a story about people.",
    "The film was really a bit of a story about people, and it was nice.",
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gapless" / "translations"


# ── in a task ──


def with_words(task: Task, *ops: str) -> Task:
    """A paraphrase for every second text."""
    rows: list[str] = task.develop.x.tolist()
    found = {text: (f"Well, {text}",) if row % 2 else () for row, text in enumerate(rows)}
    return replace(task, paraphrases=dict.fromkeys(ops or ("back_translate",), found))


def test_a_task_keeps_them_and_hands_them_to_the_operations() -> None:
    task = with_words(texts(20))
    assert task.resources.paraphrases == task.paraphrases
    assert texts(20).resources.paraphrases == {}
    part = subset(replace(task, confirm=None), 12, 0)
    assert part.paraphrases is task.paraphrases
    assert "paraphrases" not in repr(task)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"typos": {}}, "paraphrases must be for one of back_translate, contextual, got 'typos'"),
        ({"back_translate": {}}, "paraphrases for back_translate: row 0 of develop is not among the texts"),
    ],
)
def test_what_a_task_does_not_take(given: Mapping[str, Mapping[str, Sequence[str]]], said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        replace(texts(20), paraphrases=given)


def test_a_text_in_the_place_of_texts_is_seen() -> None:
    """Or a letter of it would be picked."""
    rows: list[str] = texts(20).develop.x.tolist()
    found: dict[str, Sequence[str]] = dict.fromkeys(rows, ("other words",))
    found[rows[3]] = "other words"
    with pytest.raises(DataError, match="row 3 of develop has a str; give a sequence of str"):
        replace(texts(20), paraphrases={"contextual": found})


def test_only_texts_have_them() -> None:
    with pytest.raises(DataError, match="paraphrases are for texts; leave them out"):
        replace(pictures(40), paraphrases={"back_translate": {}})


def test_a_worker_is_not_sent_the_texts_twice() -> None:
    task = replace(texts(60), model=None)
    rows: list[str] = task.develop.x.tolist()
    bare = len(pickle.dumps(task))
    none = replace(task, paraphrases={op: dict.fromkeys(rows, ()) for op in ("back_translate", "contextual")})
    letters = sum(map(len, rows))
    assert len(pickle.dumps(none)) - bare < 0.5 * letters
    assert pickle.loads(pickle.dumps(none)).paraphrases == none.paraphrases


def test_those_that_lose_what_is_protected_are_no_use() -> None:
    given = ["The film was nice.", "Anna saw a film in 1999.", "The town was dull.", "The river was not dull."]
    found = {
        given[0]: ("A nice film it was.",),
        given[1]: ("Anna watched a film.",),
        given[2]: (),
        given[3]: ("The river was dull.", "Not dull was the river."),
    }
    assert usable(given, "back_translate", found) == usable(given, "contextual", found) == 2


# ── by Apertium ──


@pytest.mark.skipif(
    shutil.which("apertium") is None or not Path("/usr/share/apertium/modes/en-eo.mode").is_file(),
    reason="needs apt-get install apertium-eo-en",
)
def test_back_translations_are_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    found = back_translations(SENTENCES, "apertium", lambda done, of, left: told.append((done, of)))
    assert list(found) == SENTENCES[:2]
    assert found[SENTENCES[0]] and found[SENTENCES[0]] != (SENTENCES[0],)
    assert told[-1] == (4, 4)
    assert len(list(cache.glob("apertium-*.sqlite"))) == 2 and cache == paraphrases_folder()
    monkeypatch.setattr("gapless.augment.text.paraphrase.apertium.Apertium.translate", None)
    assert back_translations(SENTENCES, "apertium") == found


def test_a_translator_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="install `apt-get install apertium-eo-en`"):
        back_translations(SENTENCES, "apertium")
    with pytest.raises(UsageError, match="there is no translator 'google'"):
        back_translations(SENTENCES, "google")


# ── by a masked language model ──


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of a few words with random weights, built here."""
    transformers: Any = pytest.importorskip("transformers")

    folder = tmp_path_factory.mktemp("models") / "bert"
    words = ["film", "story", "town", "people", "house", "river", "teacher", "the", "a", "of", "was", "it", "not"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", *words]
    tokens = {word: n for n, word in enumerate(vocabulary)}
    transformers.BertTokenizerFast(vocab=tokens, do_lower_case=True, model_max_length=48).save_pretrained(folder)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=len(tokens), intermediate_size=16, max_position_embeddings=48, initializer_range=1.0, **sizes
    )
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return folder


def test_variants_are_made_once_for_each_model(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paraphrases._BATCH > 2  # pyright: ignore[reportPrivateUsage]
    found = masked_variants(SENTENCES, model)
    assert list(found) == SENTENCES[:2]
    assert found == masked.contextual(SENTENCES, masked.MaskedModel(model))
    assert any(found.values())
    other = shutil.copytree(model, tmp_path / "other" / "bert")
    (other / "config.json").write_text((other / "config.json").read_text() + "\n")

    def again(*_: object, **__: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(masked, "contextual", again)
    assert masked_variants(SENTENCES, str(model)) == found
    with pytest.raises(AssertionError, match="asked again"):
        masked_variants(SENTENCES, other)


def test_a_model_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="there is no such directory"):
        masked_variants(SENTENCES, tmp_path / "bert")
    monkeypatch.setattr(masked, "find_spec", dict[str, None]().get)
    with pytest.raises(UsageError, match=re.escape("pip install 'gapless[transformers]'")):
        masked_variants(SENTENCES, tmp_path)
