"""Dropout of words, unknown words and mixup of embeddings: on the models for texts and on a model that takes a dict."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gapless.errors import UsageError
from gapless.models import CNN, TextBag, TextCNN
from gapless.recipe import Augment, BatchNorm, Dropout, Op, Recipe, presets
from gapless.recipe.mixing import mixing
from gapless.recipe.words import word_table

TEXTS = ["a fine film", "dull", "so what can one say of it", "fine fine fine"] * 8
BOTH = Recipe(dropout=Dropout(embedding=0.4, word=0.3))


class Named(nn.Module):
    """Takes its texts as a dict of tensors, as Hugging Face's models do; a mean over the words that the mask leaves."""

    unknown_id = 1
    special_ids = (0, 2)

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(8, 6)
        self.words = nn.Embedding(50, 6, padding_idx=0)
        self.head = nn.Linear(6, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        self.seen = input_ids, attention_mask
        x = self.words(input_ids) * attention_mask.unsqueeze(-1)
        return self.head(x.sum(1) / attention_mask.sum(1, keepdim=True))


IDS = torch.tensor([[2, 5, 6, 7], [2, 9, 0, 0]])
MASK = (IDS != 0).long()


def text_model(kind: type[TextBag] | type[TextCNN]) -> TextBag | TextCNN:
    torch.manual_seed(0)
    model = kind(2)
    model.learn(TEXTS)
    return model


def snapshot(model: nn.Module) -> list[Any]:
    found: list[Any] = [(name, id(p), p.detach().clone().tolist()) for name, p in model.named_parameters()]
    for path, module in model.named_modules():
        found.append((path, type(module), sorted(vars(module))))
        found.append([len(v) for k, v in vars(module).items() if "hooks" in k and v is not None])
    return found


@pytest.mark.parametrize("kind", [TextBag, TextCNN])
def test_undo_gives_the_model_back(kind: type[TextBag] | type[TextCNN]) -> None:
    model = text_model(kind)
    before = snapshot(model)
    attached = BOTH.attach(model)
    assert len(attached.account) == 2
    assert snapshot(model) != before
    attached.undo()
    assert snapshot(model) == before
    attached.undo()
    BOTH.attach(model)
    BOTH.attach(model).undo()  # a second attachment replaces the first
    assert snapshot(model) == before


@pytest.mark.parametrize("kind", [TextBag, TextCNN])
def test_nothing_is_dropped_in_eval_mode(kind: type[TextBag] | type[TextCNN]) -> None:
    model = text_model(kind).eval()
    ids = model.encode(TEXTS)
    plain = model(ids)
    BOTH.attach(model)
    assert torch.equal(model.eval()(ids), plain)
    assert not torch.equal(model.train()(ids), plain)


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_copies_drop_by_themselves_and_can_be_undone(how: str) -> None:
    model = text_model(TextCNN)
    plain = model.eval()(model.encode(TEXTS))
    attached = BOTH.attach(model)
    other = copy.deepcopy(model) if how == "deepcopy" else pickle.loads(pickle.dumps(model))
    model.train()
    assert torch.equal(other.eval()(model.encode(TEXTS)), plain)
    attached.undo()
    assert not torch.equal(other.train()(model.encode(TEXTS)), plain)
    Recipe(dropout=Dropout(word=0.1)).attach(other).undo()
    assert torch.equal(other.train()(model.encode(TEXTS)), plain)


def test_embedding_dropout_takes_all_occurrences_of_a_word_and_keeps_the_mean() -> None:
    model = Named()
    plain = model.words(IDS)
    Recipe(dropout=Dropout(embedding=0.5)).attach(model)
    model.train()
    torch.manual_seed(1)
    total = torch.zeros_like(plain)
    for _ in range(400):
        out = model.words(IDS)
        kept = out[0, 0].any()
        assert bool(out[1, 0].any()) == bool(kept)  # the same word in both texts
        assert torch.equal(out[0, 0], plain[0, 0] * 2 if kept else torch.zeros(6))
        total += out
    torch.testing.assert_close(total / 400, plain, rtol=0, atol=0.45)
    assert not model.words(torch.zeros(3, 1, dtype=torch.long)).any()  # padding stays zero


def test_dropped_words_leave_the_mean_of_a_bag() -> None:
    bag = nn.EmbeddingBag(40, 3, mode="mean", padding_idx=0)
    model = nn.Sequential(bag)
    Recipe(dropout=Dropout(embedding=0.5)).attach(model)
    ids = torch.tensor([[5, 6, 5]])
    five, six = bag.weight[5], bag.weight[6]
    possible = [torch.zeros(3), five, six, (five + six + five) / 3]
    torch.manual_seed(0)
    seen: set[int] = set()
    for _ in range(60):
        out = model(ids)[0]
        matches = [i for i, p in enumerate(possible) if torch.allclose(out, p, atol=1e-6)]
        assert len(matches) == 1
        seen |= set(matches)
    assert seen == {0, 1, 2, 3}


def test_word_dropout_makes_words_unknown_and_spares_the_special_ones() -> None:
    model = Named().train()
    Recipe(dropout=Dropout(word=0.5)).attach(model)
    torch.manual_seed(0)
    replaced = torch.zeros(2, 4)
    for _ in range(300):
        model(input_ids=IDS, attention_mask=MASK)
        ids = model.seen[0]
        assert bool(((ids == IDS) | (ids == 1)).all())
        replaced += (ids != IDS).float()
    share = replaced / 300
    special = (IDS == 0) | (IDS == 2)
    assert not share[special].any()
    assert bool(((share[~special] - 0.5).abs() < 0.1).all())
    assert IDS.tolist() == [[2, 5, 6, 7], [2, 9, 0, 0]]  # never changed in place


@pytest.mark.parametrize(
    ("part", "model", "said"),
    [
        (
            Dropout(embedding=0.1),
            CNN(1, 2, 8),
            r"dropout\.embedding: CNN has no place for it: there is no nn\.Embedding",
        ),
        (Dropout(word=0.1), CNN(1, 2, 8), r"dropout\.word: CNN has no place for it: the model must say unknown_id"),
        (
            Dropout(embedding=0.1),
            nn.Sequential(nn.EmbeddingBag(9, 2, mode="sum")),
            r"its nn\.EmbeddingBag must have mode='mean' and a padding_idx",
        ),
    ],
)
def test_a_model_without_a_place_is_refused_and_left_alone(part: Dropout, model: nn.Module, said: str) -> None:
    before = snapshot(model)
    with pytest.raises(UsageError, match=said):
        Recipe(dropout=part, batchnorm=BatchNorm(insert=True)).attach(model)
    assert snapshot(model) == before


def test_the_table_of_words_is_the_largest() -> None:
    model = Named()
    assert word_table(model) is model.words
    assert word_table(CNN(1, 2, 8)) is None


# ── cutoff ──


def test_words_are_erased_while_it_trains_and_padding_is_not_counted() -> None:
    model = text_model(TextCNN)
    table, ids, seen = word_table(model), model.encode(TEXTS), list[Tensor]()
    assert table is not None
    before, labels = snapshot(model), torch.arange(len(TEXTS)) % 2
    with Recipe(augment=Augment(cutoff=0.5)).mixing(model, labels, torch.Generator().manual_seed(0)) as targets:
        handle = table.register_forward_hook(lambda module, args, output: seen.append(output))
        model(ids)
        handle.remove()
    assert targets is labels
    words = ids != table.padding_idx
    erased = (seen[0] == 0).all(dim=2) & words
    assert erased.sum(dim=1).tolist() == [min(round(n / 2), n - 1) for n in words.sum(dim=1).tolist()]
    assert snapshot(model) == before


def test_cutoff_needs_words_that_are_kept_apart() -> None:
    labels, generator = torch.tensor([0, 1]), torch.Generator()
    with (
        pytest.raises(UsageError, match=r"augment\.cutoff: TextBag has no place for it: there is no nn\.Embedding"),
        Recipe(augment=Augment(cutoff=0.1)).mixing(text_model(TextBag), labels, generator),
    ):
        pass
    with pytest.raises(UsageError, match=r"augment\.cutoff erases words of texts"):
        Recipe(augment=Augment(cutoff=0.1)).batch(torch.rand(2, 1, 4, 4), labels, generator)


# ── mixup ──


def test_embeddings_are_blended_with_the_partners_and_so_are_targets_and_masks() -> None:
    model = Named()
    labels = torch.tensor([0, 1])
    part = Augment(mixup=1.0)
    swapped = next(seed for seed in range(50) if _partner(seed) == [1, 0])
    with mixing(part, model, labels, np.random.default_rng(swapped), 2) as targets:
        out = model(input_ids=IDS, attention_mask=MASK)
    share = targets[0, 0]
    assert 0 < share < 1
    assert torch.allclose(targets.sum(1), torch.ones(2))
    assert model.seen[1].tolist() == [[1, 1, 1, 1], [1, 1, 1, 1]]  # as long as the longer of the two
    words = model.words(IDS)
    mixed = share * words[0] + (1 - share) * words[1]
    torch.testing.assert_close(out[0], model.head(mixed.mean(0)))
    plain = model(input_ids=IDS, attention_mask=MASK)  # outside, nothing is blended
    assert model.seen[1].tolist() == MASK.tolist()
    assert not torch.allclose(plain, out)


def _partner(seed: int) -> list[int]:
    stream = np.random.default_rng(seed)
    stream.beta(1.0, 1.0, size=2)
    return stream.permutation(2).tolist()


@pytest.mark.parametrize("kind", [TextBag, TextCNN])
def test_mixing_leaves_no_hook_behind(kind: type[TextBag] | type[TextCNN]) -> None:
    model = text_model(kind).eval()
    before, ids = snapshot(model), model.encode(TEXTS)
    plain = model(ids)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(len(TEXTS)) % 2
    with Recipe(augment=Augment(mixup=0.5)).mixing(model, labels, generator, classes=2) as targets:
        mixed = model(ids)
    assert targets.shape == (len(TEXTS), 2)
    assert not torch.allclose(mixed, plain)
    with pytest.raises(ZeroDivisionError), Recipe(augment=Augment(mixup=0.5)).mixing(model, labels, generator, 2):
        _ = 1 / 0
    assert snapshot(model) == before
    assert torch.equal(model(ids), plain)


def test_without_mixup_labels_are_smoothed_or_left_alone() -> None:
    model, labels, generator = text_model(TextBag), torch.tensor([0, 1]), torch.Generator()
    with Recipe().mixing(model, labels, generator) as targets:
        assert targets is labels
    with Recipe(augment=Augment(label_smoothing=0.2)).mixing(model, labels, generator, 2) as targets:
        assert targets.tolist() == [[pytest.approx(0.9), pytest.approx(0.1)], [pytest.approx(0.1), pytest.approx(0.9)]]
    with pytest.raises(UsageError, match="say how many classes there are"):
        Recipe(augment=Augment(mixup=0.2)).mixing(model, labels, generator)
    with (
        pytest.raises(UsageError, match=r"augment\.mixup: CNN has no nn\.Embedding"),
        mixing(Augment(mixup=0.2), CNN(1, 2, 8), labels, np.random.default_rng(0), 2),
    ):
        pass


# ── operations on texts ──

SWAP = Op(op="swap", strength=0.5)


def test_texts_are_varied_by_seed_epoch_and_number_alone() -> None:
    recipe = Recipe(augment=Augment(ops=(SWAP, Op(op="delete", strength=0.2)), pick=1))
    texts = [f"{i} words of a text that is long enough to be changed" for i in range(30)]
    whole = recipe.vary(texts, 3, 1, range(30))
    assert whole != texts
    assert [recipe.vary([t], 3, 1, [i])[0] for i, t in enumerate(texts)] == whole
    assert recipe.vary(texts[10:20], 3, 1, range(10, 20)) == whole[10:20]
    assert recipe.vary(texts, 3, 2, range(30)) != whole
    assert recipe.vary(texts, 4, 1, range(30)) != whole
    assert Recipe().vary(texts, 3, 1, range(30)) == texts


def test_the_name_of_an_op_says_what_it_is_for() -> None:
    assert SWAP.kind == "text"
    assert Op(op="rotate", strength=5.0).kind == "image"
    with pytest.raises(ValueError, match=r"there is no operation 'swop'\. Did you mean 'swap'\?"):
        Op(op="swop", strength=0.5)
    with pytest.raises(ValueError, match="swap: strength must be from 0 to 1 of the words"):
        Op(op="swap", strength=3.0)


def test_a_recipe_is_for_one_kind_of_data() -> None:
    with pytest.raises(
        ValueError, match="rotate is an operation on pictures and swap one on texts: a recipe is for one kind of data"
    ):
        Augment(ops=(SWAP, Op(op="rotate", strength=5.0)))
    with pytest.raises(UsageError, match="swap is an operation on texts, and these are pictures"):
        Recipe(augment=Augment(ops=(SWAP,))).batch(torch.rand(2, 1, 8, 8), torch.tensor([0, 1]), torch.Generator())
    with pytest.raises(UsageError, match="rotate is an operation on pictures, and these are texts"):
        Recipe(augment=Augment(ops=(Op(op="rotate", strength=5.0),))).vary(["a b"], 0, 0, [0])
    with pytest.raises(UsageError, match=r"got a list; for texts use recipe\.vary and recipe\.mixing"):
        Recipe().batch(["a b"], torch.tensor([0]), torch.Generator())  # pyright: ignore[reportArgumentType]


def test_names_of_operations_are_either_for_pictures_or_for_texts() -> None:
    from gapless.augment import image, text

    assert not set(image.OPS) & set(text.OPS)


@pytest.mark.parametrize("name", presets("text"))
def test_presets_for_texts_find_their_places(name: str) -> None:
    for kind in (TextBag, TextCNN):
        model = text_model(kind)
        recipe = presets("text")[name]
        recipe.attach(model)
        optimizer = recipe.optimizer(model, lr=1e-2)
        texts = recipe.vary(TEXTS, 0, 0, range(len(TEXTS)))
        labels = torch.arange(len(TEXTS)) % 2
        with recipe.mixing(model, labels, torch.Generator().manual_seed(0), classes=2) as targets:
            loss = nn.functional.cross_entropy(model(model.encode(texts)), targets)
        loss.backward()
        optimizer.step()
        assert loss.isfinite()
