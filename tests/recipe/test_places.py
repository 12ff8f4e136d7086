"""Where a recipe goes on a model: by the way of an example through it, by patterns, and what is said without either."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from gapless.batchnorm.insert import inserted_layers
from gapless.dropout import Scheduled, attach, monte_carlo
from gapless.dropout.dropped import Dropped
from gapless.errors import UsageError
from gapless.recipe import Augment, BatchNorm, Dropout, Recipe
from gapless.schedule import Early
from gapless.surgery import additions

FULL = Recipe(batchnorm=BatchNorm(insert=True), dropout=Dropout(input=0.2))


class HeadFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.c1, self.c2 = nn.Linear(16, 3), nn.Linear(4, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.c2(self.c1(x).relu()).relu())


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.policy, self.value = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(x).relu()
        return self.policy(hidden), self.value(hidden)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.front, self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.front(x)
        return self.out(F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x)))


X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
S = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))


def layers_of(model: nn.Module) -> list[str]:
    return [path for path, _, _ in inserted_layers(model)]


def seen_by(model: nn.Module, *paths: str) -> dict[str, Tensor]:
    """What the layers' own forwards are given in one pass in training mode."""
    found: dict[str, Tensor] = {}
    model.train()
    for path in paths:
        layer = model.get_submodule(path)
        (addition,) = additions(layer)
        assert isinstance(addition, Dropped)

        def told(args: tuple[Tensor], kwargs: object, path: str = path) -> object:
            found[path] = args[0]
            return args, kwargs

        plain = addition.before
        addition.before = lambda m, a, k, plain=plain, told=told: told(*plain(m, a, k))  # type: ignore[method-assign]
    model(S)
    return found


# ── heads and first layers ──


def test_a_head_that_is_registered_first_is_a_head() -> None:
    model = HeadFirst()
    change = FULL.attach(model, example=X)
    assert layers_of(model) == ["c1", "c2"]
    assert [line.path for line in change.account if line.what == "input"] == ["c1"]
    change.undo()
    blind = FULL.attach(model)
    assert layers_of(model) == ["fc", "c1"]
    assert "order of registration; an example tells which one takes the input" in str(blind)
    assert "the last weight layer in the order of registration; an example tells where the heads are" in str(blind)


def test_all_heads_are_spared() -> None:
    model = ActorCritic()
    change = FULL.attach(model, example=X)
    assert layers_of(model) == ["body"]
    assert str(change).count("a head: no other weight layer stands between it and the output") == 2
    blind = ActorCritic()
    FULL.attach(blind, skip=["policy"])
    assert layers_of(blind) == ["body"]


def test_a_layer_that_is_announced_is_one_that_works() -> None:
    class Idle(HeadFirst):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(F.linear(self.c1(x).relu(), self.c2.weight).relu())

    model = Idle()
    change = Recipe(batchnorm=BatchNorm(insert=True), dropout=Dropout(hidden=0.2)).attach(model, example=X)
    assert layers_of(model) == ["c1"]
    assert [line.path for line in change.account if line.what == "hidden"] == ["fc"]
    model(X).sum().backward()
    new = {name: p for name, p in model.named_parameters() if "batchnorm" in name}
    assert new and all(p.grad is not None for p in new.values())  # what DistributedDataParallel asks of them


def test_a_function_that_normalises_counts() -> None:
    class Functional(HeadFirst):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(F.layer_norm(self.c2(self.c1(x)), (16,)))

    change = Recipe(batchnorm=BatchNorm(insert=True)).attach(Functional(), example=X)
    assert change.paths == () and "already normalises: the example goes through layer_norm" in str(change)


# ── one tensor, one mask ──


@pytest.mark.parametrize("rates", [Dropout(hidden=0.5), Dropout(input=0.5)])
def test_queries_keys_and_values_see_one_mask(rates: Dropout) -> None:
    model = Attention() if rates.hidden else nn.Sequential(Attention())
    if rates.input:
        model[0].front = nn.Identity()  # type: ignore[index, assignment]
    change = Recipe(dropout=rates).attach(model, example=S)
    assert "one mask with k, v" in str(change)
    prefix = "" if rates.hidden else "0."
    seen = seen_by(model, *(f"{prefix}{name}" for name in "qkv"))
    q, k, v = seen.values()
    assert q is k is v and 0 < int((q == 0).sum()) < q.numel()
    change.undo()
    assert not additions(model.get_submodule(f"{prefix}q"))


def test_one_mask_survives_checkpoint_and_copies() -> None:
    model = Attention()
    Recipe(dropout=Dropout(hidden=0.5)).attach(model, example=S)
    twin = copy.deepcopy(model)
    grads: list[list[Tensor]] = []
    for net, call in ((model, model), (twin, lambda x: checkpoint(twin, x, use_reentrant=False))):
        torch.manual_seed(0)
        call(S).square().sum().backward()  # type: ignore[operator]
        grads.append([p.grad for p in net.parameters() if p.grad is not None])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


# ── patterns ──


def test_patterns_are_part_of_a_recipe_and_of_its_file(tmp_path: Path) -> None:
    recipe = Recipe(
        dropout=Dropout(hidden=0.3, where=("v*", 'odd"\\name')), batchnorm=BatchNorm(insert=True, skip=["policy"])
    )
    file = tmp_path / "recipe.toml"
    file.write_text(recipe.to_toml("for the actor"), encoding="utf-8")
    assert Recipe.load(file) == recipe == Recipe.from_dict(recipe.to_dict())
    model = ActorCritic()
    change = Recipe(dropout=Dropout(hidden=0.3, where=("v*",)), batchnorm=recipe.batchnorm).attach(model)
    assert [line.path for line in change.account if line.what == "hidden"] == ["value"] and layers_of(model) == ["body"]
    other = recipe.attach(ActorCritic(), where=["policy"], skip=[])  # what is said here counts
    assert [line.path for line in other.account if line.what == "hidden"] == ["policy"]
    assert not Recipe(dropout=Dropout(where=("a",)), batchnorm=BatchNorm(skip=("b",))).active


def test_patterns_that_fit_nothing_are_named() -> None:
    with pytest.raises(UsageError, match=r"skip: no convolution or linear layer is called 'polcy'.*policy"):
        FULL.attach(ActorCritic(), skip=["polcy"])
    with pytest.raises(UsageError, match=r"BatchNorm: skip should be a list of patterns, got 'policy'"):
        BatchNorm(skip="policy")  # type: ignore[arg-type]


# ── rates that a parent reads ──


class Functional(nn.Module):
    """BART's way: numbers, handed to functions; whole layers are left out at another rate."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)
        self.dropout, self.attention_dropout, self.layerdrop, self.note_dropout = 0.1, 0.0, 0.25, 0.4

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(self.a(x), self.dropout, self.training)
        p = self.attention_dropout if self.training else 0.0
        x = F.scaled_dot_product_attention(x, self.b(x), x, dropout_p=p)
        return self.c(x) * (1.0 if self.layerdrop < 0.5 else 0.0)


def test_numbers_that_are_read_as_rates_are_set_and_given_back() -> None:
    model = Functional()
    change = attach(model, hidden=0.3)
    assert (model.dropout, model.attention_dropout, model.layerdrop, model.note_dropout) == (0.3, 0.3, 0.25, 0.4)
    assert "Functional's own dropout, was 0.1" in str(change)
    assert "Functional.layerdrop = 0.25 stays, in 1 places: it drops no single units" in str(change)
    assert not any(additions(module) for module in model.modules())  # and nothing on top of them
    assert monte_carlo(model, S, passes=4).outputs.var(0).max() > 0
    halved = Scheduled(model, Early(0.5, fade=0.1))
    assert halved.at(1.0) == 0 and model.dropout == 0
    halved.restore()
    change.undo()
    assert (model.dropout, model.attention_dropout) == (0.1, 0.0)


# ── adapters ──


class Lora(nn.Module):
    """As peft builds it: a frozen layer, and two small ones beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.base_layer = nn.Linear(8, 8).requires_grad_(False)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(8, 2, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(2, 8, bias=False)})

    def forward(self, x: Tensor) -> Tensor:
        return self.base_layer(x) + self.lora_B["default"](self.lora_A["default"](x))


@pytest.mark.parametrize("example", [None, torch.randn(3, 8)])
def test_an_adapter_drops_what_it_reads(example: Tensor | None) -> None:
    model = nn.Sequential(Lora(), nn.ReLU(), Lora(), nn.ReLU(), nn.Linear(8, 2))
    change = attach(model, hidden=0.2, example=example)
    assert change.paths == ("2.lora_A.default", "4")


# ── tables of words ──


class Char(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tok, self.pos, self.out = nn.Embedding(65, 8), nn.Embedding(256, 8), nn.Linear(8, 2)

    def forward(self, i: Tensor) -> Tensor:
        return self.out((self.tok(i) + self.pos(torch.arange(i.shape[1]))).mean(1))


class Items(Char):
    """More rows in the table that no input reaches, under a name that says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.far = self.pos
        del self.pos

    def forward(self, i: Tensor) -> Tensor:
        return self.out((self.tok(i) + self.far(torch.arange(i.shape[1]))).mean(1))


class Named(Items):
    def get_input_embeddings(self) -> nn.Embedding:
        return self.tok


@pytest.mark.parametrize(("build", "told"), [(Char, False), (Char, True), (Items, True), (Named, False)])
def test_words_are_dropped_and_not_positions(build: type[nn.Module], told: bool) -> None:
    ids = torch.randint(65, (4, 7))
    change = Recipe(dropout=Dropout(embedding=0.3)).attach(build(), example=ids if told else None)
    assert change.paths == ("tok",)


def test_mixing_takes_the_table_of_words_and_says_where_it_does_not() -> None:
    ids, labels, generator = torch.randint(65, (4, 7)), torch.tensor([0, 1, 0, 1]), torch.Generator()
    recipe = Recipe(augment=Augment(mixup=0.4))
    with recipe.mixing(Char(), labels, generator, classes=2) as targets:
        assert targets.shape == (4, 2)
    model = Items()
    with (
        pytest.raises(UsageError, match=r"4 labels, and the table of words, far, gave 7 rows.*get_input_embeddings"),
        recipe.mixing(model, labels, generator, classes=2),
    ):
        model(ids)


# ── all or nothing ──


def test_a_layer_that_cannot_take_it_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    model[1].weight = nn.Parameter(torch.zeros(8, 8, dtype=torch.int8), requires_grad=False)
    with pytest.raises((RuntimeError, UsageError)):
        FULL.attach(model)
    assert not any("batchnorm" in name for name, _ in model.named_modules())
    assert not any(additions(module) for module in model.modules())
