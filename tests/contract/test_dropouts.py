"""What every dropout of the family promises, run over every member."""

import copy
import inspect
import math
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

import gapless.dropout as family
from gapless.dropout import FAMILY

DRAWS = 1500


@dataclass(frozen=True)
class Member:
    """One class: how to build it with rate p, what to feed it, and which promises it makes in another form."""

    build: Callable[[float], nn.Module]
    shape: tuple[int, ...]
    kind: type
    words: bool = False  # takes word numbers
    unbiased: bool = True  # E[f(x)] = x; the others have tests of their own
    learned: bool = False  # p is a parameter, so never 0
    plain: Callable[[nn.Module], nn.Module] | None = None  # what it is without dropout; None: the identity

    def sample(self, dtype: torch.dtype = torch.float32) -> Tensor:
        generator = torch.Generator().manual_seed(3)
        if self.words:
            return torch.randint(5, self.shape, generator=generator)
        return torch.randn(self.shape, generator=generator, dtype=dtype) + 2


def linear(layer: nn.Module) -> nn.Module:
    plain = nn.Linear(6, 4)
    plain.load_state_dict(layer.state_dict())
    return plain


def embedding(layer: nn.Module) -> nn.Module:
    plain = nn.Embedding(5, 4)
    plain.load_state_dict(layer.state_dict())
    return plain


MEMBERS = [
    Member(family.AlphaDropout, (4, 6), family.AlphaDropout, unbiased=False),
    Member(family.AttentionDropout, (2, 2, 3, 3), family.AttentionDropout),
    Member(family.ChannelDropout, (3, 4, 2, 2), family.ChannelDropout),
    Member(family.ChannelDropout, (3, 4), family.ChannelDropout),
    Member(family.ChannelDropout, (2, 4, 2, 2, 2), family.ChannelDropout),
    Member(family.ConcreteDropout, (4, 6), family.ConcreteDropout, learned=True),
    Member(lambda p: family.DropBlock(p, 3), (2, 2, 9), family.DropBlock),
    Member(lambda p: family.DropBlock(p, 2), (2, 2, 4, 3), family.DropBlock),
    Member(lambda p: family.DropBlock(p, 2), (2, 2, 3, 2, 3), family.DropBlock),
    Member(lambda p: family.DropConnect(6, 4, p), (5, 6), family.DropConnect, plain=linear),
    Member(family.DropPath, (6, 2, 2), family.DropPath),
    Member(family.Dropout, (4, 6), family.Dropout),
    Member(lambda p: family.EmbeddingDropout(5, 4, p), (2, 3), family.EmbeddingDropout, words=True, plain=embedding),
    Member(family.GaussianDropout, (4, 6), family.GaussianDropout),
    Member(family.LockedDropout, (3, 2, 4), family.LockedDropout),
    Member(lambda p: family.LockedDropout(p, time=0), (3, 2, 4), family.LockedDropout),
    Member(family.PatchDropout, (2, 9, 3), family.PatchDropout, unbiased=False),
    Member(lambda p: family.TokenDropout(p, prefix=1), (2, 5, 3), family.TokenDropout),
    Member(
        lambda p: family.WeightDrop(nn.Linear(6, 4), ["weight"], p),
        (5, 6),
        family.WeightDrop,
        plain=lambda layer: layer.get_submodule("module"),
    ),
]
ids = [f"{i}-{m.kind.__name__}" for i, m in enumerate(MEMBERS)]


@pytest.fixture(params=MEMBERS, ids=ids)
def member(request: pytest.FixtureRequest) -> Member:
    torch.manual_seed(0)
    return request.param


def only(chosen: Callable[[Member], bool]) -> pytest.MarkDecorator:
    """The members that a promise is about."""
    rows = [(m, name) for m, name in zip(MEMBERS, ids, strict=True) if chosen(m)]
    return pytest.mark.parametrize("member", [m for m, _ in rows], ids=[name for _, name in rows])


def test_every_class_is_in_the_family_and_every_member_is_tested() -> None:
    public = {value for value in vars(family).values() if inspect.isclass(value) and issubclass(value, nn.Module)}
    assert public - {family.NoiseLayer} == set(FAMILY)
    assert {m.kind for m in MEMBERS} == set(FAMILY)
    assert {cls.__name__ for cls in FAMILY} <= set(family.__all__)
    assert list(family.__all__) == sorted(family.__all__, key=lambda name: (not name.isupper(), name))


@pytest.mark.parametrize("p", [0.1, 0.6])
@only(lambda m: m.unbiased)  # the others keep something else; see tests/laws
def test_the_expectation_is_the_input(member: Member, p: float) -> None:
    torch.manual_seed(0)
    layer, x = member.build(p).double(), member.sample(torch.float64)
    with torch.no_grad():
        seen = torch.stack([layer(x) for _ in range(DRAWS)])
        expected = x if member.plain is None else member.plain(layer).double()(x)
    error = (seen.mean(0) - expected).abs()
    bound = 4 * seen.std(0) / math.sqrt(DRAWS) + 1e-12
    assert bool((error <= bound).all()), float((error / bound).max())
    fixed = seen.std(0) == 0
    assert fixed.float().mean() < 0.5, "nothing was dropped"


def test_evaluation_gives_back_the_input(member: Member) -> None:
    layer, x = member.build(0.5).eval(), member.sample()
    if member.plain is None:
        assert layer(x) is x
    else:
        assert torch.equal(layer(x), member.plain(layer)(x))


def test_rate_zero_gives_back_the_input(member: Member) -> None:
    if member.learned:
        with pytest.raises(ValueError, match=r"p must be in \(0, 1\), got 0"):
            member.build(0.0)
        return
    layer, x = member.build(0.0), member.sample()
    if member.plain is None:
        assert layer(x) is x
    else:
        assert torch.equal(layer(x), member.plain(layer)(x))


def test_same_seed_same_noise(member: Member) -> None:
    layer, x = member.build(0.5), member.sample()
    torch.manual_seed(7)
    first, second = layer(x), layer(x)
    torch.manual_seed(7)
    assert torch.equal(layer(x), first)
    assert torch.equal(layer(x), second)
    assert not torch.equal(first, second)


def test_state_dict_holds_only_parameters(member: Member) -> None:
    layer = member.build(0.5)
    assert list(layer.state_dict()) == [name for name, _ in layer.named_parameters()]
    assert not list(layer.buffers())
    if member.plain is None and not member.learned:
        assert layer.state_dict() == {}


def test_gradient_and_second_gradient_with_a_fixed_mask(member: Member) -> None:
    layer = member.build(0.4).double()
    inputs: list[Tensor] = list(layer.parameters())
    x = member.sample(torch.float64)
    if not member.words:
        x.requires_grad_()
        inputs.append(x)

    def run(*_: Tensor) -> Tensor:
        torch.manual_seed(5)
        return layer(x)

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize("p", [1.0, -0.1, 1.5, float("nan")])
def test_a_bad_rate_names_the_class_and_the_value(member: Member, p: float) -> None:
    text = rf"^{member.kind.__name__}: p must be in [\[(]0, 1\), got {re.escape(repr(p))}$"
    with pytest.raises(ValueError, match=text):
        member.build(p)


def test_the_docstring_says_where_it_comes_from(member: Member) -> None:
    text = member.kind.__doc__ or ""
    assert re.search(r"arXiv \d{4}\.\d{4,5}|JMLR|ICML|ACL", text)
    assert re.search(r"x: |An embedding|\(W \* m\) x|Any module", text), "the shape, or the formula"


def test_copies_and_pickles(member: Member) -> None:
    layer, x = member.build(0.5), member.sample()
    torch.manual_seed(2)
    expected = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(twin) == repr(layer)
        torch.manual_seed(2)
        assert torch.equal(twin(x), expected)
        twin.eval()
        assert layer.training


def test_the_rate_is_shown(member: Member) -> None:
    assert "p=0.3" in repr(member.build(0.3))


@only(lambda m: not m.words)
def test_input_in_any_memory_layout(member: Member) -> None:
    torch.manual_seed(0)
    layer, x = member.build(0.5), member.sample()
    strided = torch.stack([x, x], -1)[..., 0]
    turned = x.transpose(0, 1).contiguous().transpose(0, 1)
    spread = x[:1].expand(x.shape)
    for view in (strided, turned, spread):
        assert not view.is_contiguous()
        kept = view.clone()
        leaf = view.detach().requires_grad_()
        out = layer(leaf)
        grad = torch.autograd.grad(out.sum(), leaf)[0]
        assert torch.equal(view, kept), "the input was written to"
        if member.plain is None and member.unbiased:
            assert out.shape == x.shape
            assert torch.allclose(out, view * grad, atol=1e-6), "backward saw another mask than forward"


@only(lambda m: len(m.shape) == 4 and m.plain is None)
def test_channels_last_stays_channels_last(member: Member) -> None:
    torch.manual_seed(0)
    layer = member.build(0.5)
    x = member.sample().to(memory_format=torch.channels_last).requires_grad_()
    out = layer(x)
    assert out.is_contiguous(memory_format=torch.channels_last)
    grad = torch.autograd.grad(out, x, torch.ones(member.shape))[0]  # a gradient in another layout
    assert torch.allclose(out, x * grad, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_its_type(member: Member, dtype: torch.dtype) -> None:
    layer, x = member.build(0.5).to(dtype), member.sample(dtype)
    out = layer(x)
    assert out.dtype is dtype and bool(out.isfinite().all())
    if member.plain is None:
        assert not torch.equal(out, x)


def test_autocast(member: Member) -> None:
    layer, x = member.build(0.5), member.sample()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x)
    assert bool(out.isfinite().all())
    assert out.dtype is (torch.bfloat16 if member.kind in (family.DropConnect, family.WeightDrop) else torch.float32)


def test_an_empty_batch(member: Member) -> None:
    layer = member.build(0.5)
    assert layer(member.sample()[:0]).shape[0] == 0


def test_does_not_move_when_evaluating(member: Member) -> None:
    """The generator is not read in evaluation mode, so evaluating between steps does not change the training."""
    layer, x = member.build(0.5).eval(), member.sample()
    state = torch.get_rng_state()
    layer(x)
    assert torch.equal(torch.get_rng_state(), state)
