"""The models for texts: their words, and that a batch has no say in what one text gets."""

import copy
import pickle

import pytest
import torch
from torch import nn

from gapless.models import TextBag, TextCNN, TextModel
from gapless.models.text import notes_on
from gapless.models.vocabulary import PADDING, UNKNOWN, Vocabulary, words_of

TEXTS = [
    "A fine, fine film!",
    "dull",
    "I don't know why; it was so-so :-)",
    "a film that is not worth the money at all",
]
MODELS = [TextBag, TextCNN]


def built(model: type[TextModel], seed: int = 0) -> TextModel:
    torch.manual_seed(seed)
    made = model(3)  # pyright: ignore[reportCallIssue]  # the number of outputs is the subclasses' to take
    made.learn(TEXTS)
    return made.eval()


# ── words ──


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't STOP", ["don't", "stop"]),
        ("It’s 5:30 -- ok?!", ["it’s", "5", ":", "30", "--", "ok", "?!"]),
        ("naïve 日本 😀", ["naïve", "日本", "😀"]),
        (" \n", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_learned_words_have_ids_of_their_own_and_others_share_by_hash() -> None:
    vocabulary = Vocabulary(known=4, hashed=3).learned(["b b b a a c", "a b d e e"])
    ids = [int(i) for i in vocabulary.encode(["b a e c d x y z unheard of"])[0]]
    assert ids[:4] == [2, 3, 4, 5]  # the four most frequent, equals by letter
    assert all(6 <= i < vocabulary.size == 9 for i in ids[4:])
    assert Vocabulary(known=4, hashed=3).encode(["d x"])[0].tolist() == [ids[4], ids[5]]  # whatever was learned


def test_a_batch_is_padded_to_its_longest_and_no_text_is_empty() -> None:
    vocabulary = Vocabulary(most=5)
    ids = vocabulary.encode(["one two three", " ", "1 2 3 4 5 6 7"])
    assert ids.shape == (3, 5)
    assert ids[0, 3:].tolist() == [PADDING] * 2
    assert ids[1].tolist() == [UNKNOWN, *[PADDING] * 4]
    assert vocabulary.encode([]).shape[0] == 0


def test_ids_are_the_same_before_and_after_a_copy() -> None:
    vocabulary = Vocabulary().learned(TEXTS)
    for other in (copy.deepcopy(vocabulary), pickle.loads(pickle.dumps(vocabulary))):
        assert torch.equal(other.encode([*TEXTS, "new words"]), vocabulary.encode([*TEXTS, "new words"]))


def test_hashes_do_not_depend_on_the_process() -> None:
    """Python's own hash of a str does; 0xCBF43926 is what every CRC-32 gives for these digits."""
    assert Vocabulary(known=0, hashed=1000).encode(["123456789"]).item() == 2 + 0xCBF43926 % 1000


# ── models ──


@pytest.mark.parametrize("model", MODELS)
def test_shape_does_not_depend_on_the_texts(model: type[TextModel]) -> None:
    plain = model(3)  # pyright: ignore[reportCallIssue]
    before = {name: p.shape for name, p in plain.state_dict().items()}
    plain.learn(TEXTS * 3)
    assert {name: p.shape for name, p in plain.state_dict().items()} == before
    assert plain(plain.encode(TEXTS)).shape == (4, 3)


@pytest.mark.parametrize("model", MODELS)
def test_a_text_gets_the_same_answer_in_any_batch(model: type[TextModel]) -> None:
    net = built(model)
    together = net(net.encode(TEXTS))
    for i, text in enumerate(TEXTS):
        torch.testing.assert_close(net(net.encode([text]))[0], together[i], rtol=1e-5, atol=1e-6)
    padded = nn.functional.pad(net.encode(TEXTS), (0, 9))
    torch.testing.assert_close(net(padded), together, rtol=1e-5, atol=1e-6)


def test_word_order_counts_for_the_convolutions_and_for_known_pairs() -> None:
    texts = ["a film that is not worth the money", "the money is not worth a film that"]
    for model, learned, differ in ((TextCNN, TEXTS, True), (TextBag, TEXTS, False), (TextBag, TEXTS * 2, True)):
        net = built(model)
        net.learn(learned)
        one, two = net(net.encode(texts))
        assert bool((one - two).abs().max() > 1e-4) == differ


def test_pairs_that_stand_twice_are_read() -> None:
    """Others are padding, whatever their words; so are those with a word that was made unknown."""
    net = TextBag(2)
    net.learn(["not good at all", "it is not good", "good film"])
    ids = net.encode(["not good film", "good not good"])
    first = net.vocabulary.size
    assert net._pair_ids(ids).tolist() == [[first, PADDING], [PADDING, first]]
    assert net._pair_ids(ids.masked_fill(ids == ids[0, 0], UNKNOWN)).tolist() == [[PADDING] * 2] * 2
    assert net._pair_ids(TextBag(2).encode(["not good"])).tolist() == [[PADDING]]
    assert net._pair_ids(ids[:, :1]).shape == (2, 0)


def test_more_pairs_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gapless.models.text.PAIRS", 2)
    net = TextBag(2)
    net.learn(["a b", "c d", "e f"] * 2 + ["e f", "c d"])
    known = net._pair_ids(net.encode(["a b", "c d", "e f"])).flatten().tolist()
    assert known[0] == PADDING and sorted(known[1:]) == [net.vocabulary.size, net.vocabulary.size + 1]


@pytest.mark.parametrize("model", MODELS)
def test_plain_inside(model: type[TextModel]) -> None:
    net = built(model).train()
    kinds = {type(m).__name__ for m in net.modules()}
    assert not [k for k in kinds if "Norm" in k or "Drop" in k], kinds
    ids = net.encode(TEXTS)
    assert torch.equal(net(ids), net(ids))


@pytest.mark.parametrize("model", MODELS)
def test_padding_is_never_learned(model: type[TextModel]) -> None:
    net = built(model).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    for _ in range(3):
        optimizer.zero_grad()
        net(net.encode(TEXTS)).square().sum().backward()
        optimizer.step()
    embed = net.get_submodule("embed")
    assert not embed.get_parameter("weight")[PADDING].any()


@pytest.mark.parametrize("model", MODELS)
def test_it_learns_what_a_word_says(model: type[TextModel]) -> None:
    net = built(model).train()
    texts = [f"{'good' if i % 2 else 'bad'} number {i}" for i in range(32)]
    labels = torch.arange(32) % 2
    net.learn(texts)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(net.encode(texts)), labels).backward()
        optimizer.step()
    net.eval()
    new = net(net.encode(["good film", "bad film", "a good one", "how bad"])).argmax(1)
    assert new.tolist() == [1, 0, 1, 0]


def test_texts_that_are_not_read_to_their_end_are_said() -> None:
    assert notes_on(TEXTS) == ()
    assert notes_on(["word " * 400, "x" * 9000]) == ()
    assert notes_on(["word " * 401]) == ("1 text is longer than 400 words; the built-in models read the first 400.",)
