"""Marian models from a directory: a tiny one with random weights, built here."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch

from gapless.augment.text.paraphrase import marian as translate_marian
from gapless.augment.text.paraphrase.back_translation import paraphrase, translated
from gapless.augment.text.paraphrase.marian import Marian
from gapless.augment.text.paraphrase.parity import form_objection
from gapless.errors import DataError, UsageError

pytest.importorskip("sentencepiece")

SENTENCES = [
    "the film was good and the music was warm",
    "a small house stood near the old river",
    "we do not recommend this hotel to anyone",
    "my brother read three books about history",
    "the actors play well and the story is clear",
    "No room, no food; nothing but noise!",
]
WORDS = sorted({word for sentence in SENTENCES for word in sentence.split()})


def build(folder: Path, seed: int, positions: int = 64) -> Path:
    """A Marian model directory with everything that a real one has; the weights are noise."""
    import sentencepiece
    from transformers import MarianConfig, MarianMTModel

    folder.mkdir()
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(SENTENCES * 20), encoding="utf-8")
    for side in ("source", "target"):
        sentencepiece.SentencePieceTrainer.Train(
            input=str(corpus), model_prefix=str(folder / side), vocab_size=80, minloglevel=2, hard_vocab_limit=False
        )
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    tokens = ["</s>", "<unk>", *(pieces.id_to_piece(n) for n in range(3, pieces.get_piece_size())), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({token: n for n, token in enumerate(tokens)}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"source_lang": "en", "target_lang": "xx"}))
    pad = len(tokens) - 1
    torch.manual_seed(seed)
    config = MarianConfig(
        vocab_size=len(tokens),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_position_embeddings=positions,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=0,
        bos_token_id=None,
        init_std=1.0,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Marian:
    return Marian(build(tmp_path_factory.mktemp("marian") / "en-xx", 0), "en", "xx", batch=2, beams=1)


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Marian:
    return Marian(build(tmp_path_factory.mktemp("marian") / "xx-en", 1), "xx", "en", batch=3, beams=2)


def test_one_answer_for_each_text_whatever_the_batch(there: Marian) -> None:
    texts = [*SENTENCES, "", " \n", "...", SENTENCES[0]]
    answers = there.translate(texts)
    assert len(answers) == len(texts)
    assert answers[6:9] == ["", " \n", "..."]
    assert answers[0] == answers[-1]
    assert len(set(answers[:6])) >= 2, "what comes out depends on what goes in"
    one_by_one = Marian(there.directory, "en", "xx", batch=1, beams=1)
    assert one_by_one.translate(texts) == answers


def test_a_round_trip_with_a_cache(there: Marian, again: Marian, tmp_path: Path) -> None:
    found = paraphrase(SENTENCES, there, again, tmp_path, object_to=lambda original, variant: None)
    assert list(found) == SENTENCES and all(len(variants) == 1 for variants in found.values())
    assert translated(SENTENCES, there, tmp_path) == dict(zip(SENTENCES, there.translate(SENTENCES), strict=True))
    strict = paraphrase(SENTENCES, there, again, tmp_path, object_to=form_objection)
    assert all(variants == () or variants == found[text] for text, variants in strict.items())


def test_lines_stay_lines(there: Marian) -> None:
    (answer,) = there.translate([f"{SENTENCES[0]}\n\n  {SENTENCES[1]}\n"])
    first, second = there.translate(SENTENCES[:2])
    assert answer == f"{first}\n\n  {second}\n"


def test_nothing_of_a_long_line_is_lost(there: Marian) -> None:
    """What the model cannot read at once is read in parts: the same words, cut at sentence ends where there are any."""
    tokenizer, _, most = there._loaded
    assert most == 64
    for line in (". ".join(SENTENCES * 6) + ".", " ".join(WORDS * 9), "house" * 100):
        pieces = there._pieces(line)
        assert len(pieces) > 1
        assert all(len(tokenizer(piece)["input_ids"]) <= most for piece in pieces)
        assert "".join(pieces).replace(" ", "") == line.replace(" ", "")
    assert all(piece.endswith(".") for piece in there._pieces(". ".join(SENTENCES * 6) + "."))
    assert there.translate([" ".join(WORDS * 9)]) != there.translate([" ".join(WORDS * 8)])


def test_the_name_follows_the_weights(there: Marian, again: Marian, tmp_path: Path) -> None:
    other = build(tmp_path / "other", 5)
    names = {Marian(d, "en", "xx", beams=1).name for d in (there.directory, again.directory, other)}
    assert len(names) == 3
    assert there.name == Marian(there.directory, "en", "xx", batch=7, beams=1).name
    assert there.name != Marian(there.directory, "en", "xx", beams=2).name


def test_what_is_not_a_local_model_is_named(there: Marian, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Helsinki-NLP/opus-mt-en-de: there is no such directory.*hub are not"):
        Marian(Path("Helsinki-NLP/opus-mt-en-de"), "en", "de")
    with pytest.raises(UsageError, match=r"not a Marian model: there is no config\.json, vocab\.json.*in it"):
        Marian(tmp_path, "en", "de")
    with pytest.raises(UsageError, match="beams and batch must be at least 1, got 0 and 16"):
        Marian(there.directory, "en", "xx", beams=0)


def test_a_damaged_model_is_named(there: Marian, tmp_path: Path) -> None:
    broken = build(tmp_path / "broken", 2)
    (broken / "model.safetensors").write_bytes(b"\x00" * 100)
    logging.getLogger("transformers").setLevel(logging.CRITICAL)
    with pytest.raises(DataError, match=r"broken: the Marian model cannot be loaded"):
        Marian(broken, "en", "xx").translate(["a good film"])


def test_missing_packages_are_named(there: Marian, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate_marian, "find_spec", lambda name: None if name == "sentencepiece" else object())
    with pytest.raises(UsageError, match=r"needs sentencepiece: .pip install 'gapless\[transformers\]'"):
        Marian(there.directory, "en", "xx")
