"""Words replaced by a masked language model: tiny ones with random weights, built here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from gapless.augment.text.paraphrase import masked_model as module
from gapless.augment.text.paraphrase.back_translation import merged
from gapless.augment.text.paraphrase.masked_model import MaskedModel, contextual
from gapless.augment.text.paraphrase.parity import form_objection
from gapless.augment.text.protect import Protect
from gapless.errors import DataError, UsageError

FREE_WORDS = """
film house river story music table window garden letter teacher brother walked carried painted opened old new green
quiet train road
"""
HELD_WORDS = """
the a not never good bad boring two three and of in near was with his
"""
FREE, HELD = FREE_WORDS.split(), HELD_WORDS.split()
WORDS = [*FREE, *HELD]
TEXTS = [
    "The film was in the garden.",
    "His brother carried two letters to the teacher near the river.",
    "We do not recommend the window near London, it was bad.",
    "The quiet teacher painted a green window, and the music was good.",
    "story",
    "THE GREEN TRAIN",
]


def built(folder: Path, words: list[str], positions: int = 48, mask: str = "[MASK]") -> MaskedModel:
    """A BERT with its word pieces, as on a hub; the weights are noise."""
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", mask, ".", ",", *words, "##s", "##ing", "##house", "12", "é!"]
    tokenizer = BertTokenizerFast(
        vocab={word: n for n, word in enumerate(vocabulary)},
        do_lower_case=True,
        mask_token=mask,
        model_max_length=positions,
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=positions,
        initializer_range=1.0,
    )
    BertForMaskedLM(config).save_pretrained(folder)
    return MaskedModel(folder, batch=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MaskedModel:
    return built(tmp_path_factory.mktemp("masked") / "bert", WORDS)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_words_are_replaced_by_words_and_nothing_else(model: MaskedModel) -> None:
    found = contextual(TEXTS, model, share=0.3, variants=6)
    assert list(found) == TEXTS
    assert all(found[text] for text in TEXTS)
    for text, variants in found.items():
        assert len(set(variants)) == len(variants) and text not in variants
        for variant in variants:
            assert re.sub(r"\w+", "w", variant) == re.sub(r"\w+", "w", text), "only words change, one for one"
            changed = [(a, b) for a, b in zip(words(text), words(variant), strict=True) if a != b]
            assert 1 <= len(changed) <= max(1, round(0.3 * len(words(text))))
            for before, after in changed:
                assert after.lower() in FREE, "whole words of the vocabulary that are not protected"
                assert before.lower() not in {*HELD, "recommend", "london"}, "protected words stay"
                assert after.casefold() != before.casefold()
                assert after.istitle() == before.istitle() and after.isupper() == before.isupper()


def test_the_vocabulary_without_pieces_and_protected_words(model: MaskedModel) -> None:
    assert sorted(word for word in model.words if word) == sorted(FREE)


def test_draws_belong_to_the_text_and_the_seed(model: MaskedModel) -> None:
    found = contextual(TEXTS, model, variants=3)
    assert contextual(TEXTS[::-1], model, variants=3) == found, "not to the order or the batch"
    assert contextual(TEXTS[1:2], model, variants=3)[TEXTS[1]] == found[TEXTS[1]]
    more = contextual(TEXTS[1:2], model, variants=6)[TEXTS[1]]
    assert more[: len(found[TEXTS[1]])] == found[TEXTS[1]]
    assert contextual(TEXTS, model, variants=3, seed=1) != found


def test_likely_words_are_drawn_by_their_probability(model: MaskedModel) -> None:
    text = "His brother opened the window."
    best = contextual([text], model, variants=40, top=1)[text]
    many = contextual([text], model, variants=40, top=8)[text]
    places = {tuple(n for n, (a, b) in enumerate(zip(words(text), words(v), strict=True)) if a != b) for v in best}
    assert len(best) == len(places), "one likeliest word at each place"
    assert len(many) > len(best)
    logits = model.expected([text.replace("window", "[MASK]")])[0][0]
    allowed = [n for n, word in enumerate(model.words) if word and word != "window"]
    likeliest = model.words[max(allowed, key=lambda n: float(logits[n]))]
    ends = {words(v)[-1] for v in best if words(v)[-1] != "window"}
    assert ends == {likeliest}


def test_texts_without_a_word_to_replace_have_no_variants(model: MaskedModel) -> None:
    texts = ["", "...", "not good", "42", "the [MASK] of the story", "\ud800"]
    assert contextual(texts, model) == dict.fromkeys(texts, ())


def test_what_is_protected_or_objected_to(model: MaskedModel) -> None:
    text = TEXTS[3]
    kept = contextual([text], model, variants=8, share=1.0, protect=Protect(words=("teacher", "window")))[text]
    assert kept and all("teacher" in variant and "window" in variant for variant in kept)
    assert contextual([text], model, object_to=lambda original, variant: "no") == {text: ()}
    loose = contextual([text], model, variants=8, share=1.0, object_to=form_objection)
    assert merged(loose, loose) == loose


def test_words_beyond_the_reach_of_the_model_stay(model: MaskedModel) -> None:
    text = " ".join(["the garden of"] * 60)
    found = contextual([text], model, share=0.5, variants=2)[text]
    assert found
    for variant in found:
        assert words(variant)[60:] == words(text)[60:]
        assert words(variant)[:30] != words(text)[:30]


def test_progress_is_told_batch_by_batch(model: MaskedModel) -> None:
    told: list[tuple[int, int]] = []
    contextual(TEXTS, model, variants=2, progress=lambda done, total, left: told.append((done, total)))
    assert told == [(4, 12), (8, 12), (12, 12)]


def test_numbers_that_cannot_be_right(model: MaskedModel) -> None:
    with pytest.raises(UsageError, match=r"share must be in \(0, 1\], got 0"):
        contextual(TEXTS, model, share=0)
    with pytest.raises(UsageError, match="variants and top must be at least 1, got 1 and 0"):
        contextual(TEXTS, model, variants=1, top=0)


def test_what_is_not_a_local_model_is_named(
    model: MaskedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"bert-base-uncased: there is no such directory.*hub are not"):
        MaskedModel(Path("bert-base-uncased"))
    with pytest.raises(UsageError, match=r"not a model: there is no config\.json"):
        MaskedModel(tmp_path)
    with pytest.raises(UsageError, match="batch must be at least 1, got 0"):
        MaskedModel(model.directory, batch=0)
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in model.directory.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(DataError, match="broken: the model cannot be loaded"):
        contextual(TEXTS, MaskedModel(broken))
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"needs transformers: .pip install 'gapless\[transformers\]'"):
        MaskedModel(model.directory)


def test_a_tokenizer_without_a_mask_is_refused(model: MaskedModel, tmp_path: Path) -> None:
    folder = tmp_path / "maskless"
    folder.mkdir()
    for path in model.directory.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["mask_token"] = None
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="its tokenizer has no mask token"):
        contextual(TEXTS, MaskedModel(folder))


def test_byte_pairs_start_words_with_a_sign(tmp_path: Path) -> None:
    """RoBERTa's way: what starts without the sign is a piece of a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from tokenizers.decoders import ByteLevel
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForMaskedLM

    folder = tmp_path / "roberta"
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġriver", "Ġgarden", "house", "Ġgood", "ĠcafÃ©", "Ġ1a"]
    raw = Tokenizer(models.WordLevel({token: n for n, token in enumerate(tokens)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    raw.decoder = ByteLevel()
    raw.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=30,
    )
    tokenizer.save_pretrained(folder)
    config = RobertaConfig(
        vocab_size=len(tokens),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    RobertaForMaskedLM(config).save_pretrained(folder)
    model = MaskedModel(folder)
    assert {word for word in model.words if word} == {"river", "garden", "café"}
    (variants,) = contextual(["the train was late"], model, variants=9).values()
    assert variants and all(set(words(v)) & {"river", "garden", "café"} for v in variants)
