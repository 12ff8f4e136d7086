"""Changes of a model: torch sees them, copies carry them, and undo leaves nothing behind."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrizations, parametrize

from gapless import batchnorm, dropout
from gapless.errors import UsageError
from gapless.recipe import BatchNorm, Dropout, Recipe
from gapless.surgery import additions, plain_class

BOTH = Recipe(dropout=Dropout(hidden=0.5), batchnorm=BatchNorm(insert=True))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.b(self.a(x).relu()).relu())


def sequential() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))


X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
BUILDS = {"a class": Net, "nn.Sequential": sequential}
each = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


def compiled_of(model: nn.Module, in_place: bool) -> nn.Module:
    if in_place:
        model.compile(backend="aot_eager")
        return model
    wrapped = torch.compile(model, backend="aot_eager")
    assert isinstance(wrapped, nn.Module)
    return wrapped


# torch compiles the parts of an nn.Sequential that was compiled in place one by one, and looks at their inputs' grad
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@each
@pytest.mark.parametrize("in_place", [False, True], ids=["torch.compile", "Module.compile"])
def test_a_recipe_counts_after_the_plain_model_was_compiled(build: Callable[[], nn.Module], in_place: bool) -> None:
    """Compiled code is shared by the models of a class: it must see that this one was changed, and how."""
    torch.compiler.reset()
    plain = build()
    compiled_of(plain, in_place)(X)
    model = build()
    BOTH.attach(model)
    compiled = compiled_of(model, in_place)
    first, second = compiled(X), compiled(X)
    assert (first - second).abs().max() > 0.01
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
    assert [int(m.get_buffer("num_batches_tracked")) for m in norms] == [2, 2]
    second.sum().backward()
    assert all(p.grad is not None for m in norms for p in m.parameters())
    other = build()  # another recipe on the same class: neither the first nor the plain model's code
    Recipe(dropout=Dropout(input=0.5)).attach(other)
    compiled = compiled_of(other, in_place)
    assert (compiled(X) - compiled(X)).abs().max() > 0.01
    assert torch.equal(compiled_of(plain, in_place)(X), compiled_of(plain, in_place)(X))


@each
def test_undo_after_compiling_gives_the_plain_model(build: Callable[[], nn.Module]) -> None:
    torch.compiler.reset()
    model = build().eval()
    expected = model(X)
    change = BOTH.attach(model)
    torch.compile(model, backend="aot_eager")(X)
    change.undo()
    assert torch.equal(torch.compile(model.train(), backend="aot_eager")(X), expected)


def test_layers_are_still_leaves_of_their_class() -> None:
    """What walks the children of a Linear and expects none (tensor parallel plans, quantisation) is not disturbed."""
    model = sequential()
    dropout.attach(model, hidden=0.5, input=0.1)
    assert [len(list(m.children())) for m in model if isinstance(m, nn.Linear)] == [0, 0, 0]
    assert all(plain_class(m) is nn.Linear for m in model if isinstance(m, nn.Linear))
    assert fx.symbolic_trace(model.eval())(X).equal(model(X))
    assert type(model[0]).__name__ == "Linear"


def test_the_signature_of_forward_stays() -> None:
    import inspect

    model = nn.Linear(2, 2)
    before = inspect.signature(model.forward)
    dropout.attach(model, input=0.5)
    assert inspect.signature(model.forward) == before


def test_a_lazy_layer_keeps_what_it_was_given() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.LazyLinear(64))
    change = dropout.attach(model, hidden=0.5)
    model(X)
    assert not torch.equal(model(X), model(X))
    change.undo()
    assert type(model[1]) is nn.Linear
    assert torch.equal(model(X), model(X))


@pytest.mark.parametrize("how", ["undo first", "remove first"])
def test_a_parametrization_that_comes_later(how: str) -> None:
    torch.manual_seed(0)
    model = sequential()
    change = dropout.attach(model, hidden=0.5)
    parametrizations.weight_norm(model[2])
    assert not torch.equal(model(X), model(X))
    if how == "undo first":
        change.undo()
        assert torch.equal(model(X), model(X))
        parametrize.remove_parametrizations(model[2], "weight")
    else:
        parametrize.remove_parametrizations(model[2], "weight")
        assert not torch.equal(model(X), model(X))
        change.undo()
    assert torch.equal(model(X), model(X))
    assert not any(additions(m) for m in model.modules())
    assert str(model) == str(sequential())


def test_a_forward_that_was_replaced_on_the_object_is_refused() -> None:
    model = sequential()
    model[2].forward = model[2].forward
    with pytest.raises(UsageError, match="the forward of this Linear was replaced on the object"):
        BOTH.attach(model)
    assert not any(additions(m) for m in model.modules())


class OwnReduction(nn.Linear):
    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return (OwnReduction, (self.in_features, self.out_features))


@pytest.mark.parametrize("make", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_a_class_that_reduces_itself_is_asked(make: Callable[[nn.Module], nn.Module]) -> None:
    model = OwnReduction(4, 4)
    dropout.attach(model, input=0.5)
    assert type(make(model)) is OwnReduction


def test_a_failure_half_way_leaves_the_model_as_it_was() -> None:
    model = sequential()
    model[2].weight = nn.Parameter(torch.zeros(64, 64, dtype=torch.int8), requires_grad=False)
    keys = list(model.state_dict())
    with pytest.raises(RuntimeError):
        batchnorm.insert(model)
    assert list(model.state_dict()) == keys
    assert [type(m) for m in model.modules()] == [type(m) for m in sequential().modules()]


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_scripting_says_what_to_do() -> None:
    model = Net()
    change = BOTH.attach(model)
    with pytest.raises(UsageError, match=r"torch\.jit\.script cannot read .* Linear: undo\(\) the change"):
        torch.jit.script(model)
    change.undo()
    torch.jit.script(model)
