"""fold: the original architecture comes back, or a reason."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from gapless.batchnorm import fold, insert


class Net(nn.Module):
    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=bias)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, bias=bias)
        self.fc = nn.Linear(6 * 9, 8, bias=bias)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.head(torch.relu(self.fc(x.flatten(1))))


def images(rows: int = 16) -> Tensor:
    return torch.randn(rows, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def train(model: nn.Module, x: Tensor) -> None:
    """Random scales and shifts, then some steps, so that nothing is where it began and every output moves with x."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
            nn.init.uniform_(module.weight, 1, 3, generator=generator)
            nn.init.normal_(module.bias, std=0.5, generator=generator)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(5):
        y = model.train()(2 * x + torch.randn(x.shape, generator=generator) + 0.5)
        optimizer.zero_grad()
        (y - torch.randn(y.shape, generator=generator)).square().mean().backward()
        optimizer.step()
    spread = model.eval()(x).detach().std(0).mean()
    assert spread > 0.01, "the output hardly depends on x: this test has no teeth"


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).detach().abs().max() / b.detach().abs().max().clamp(min=1))


def test_the_original_architecture_comes_back() -> None:
    model = Net()
    insert(model)
    train(model, images())
    frozen = copy.deepcopy(model.state_dict())
    folded = fold(model)
    assert apart(folded.eval()(images()), model.eval()(images())) < 1e-5
    original = Net()
    original.load_state_dict(folded.state_dict())
    assert list(original.state_dict()) == list(folded.state_dict())
    assert apart(original.eval()(images()), model(images())) < 1e-5
    assert not any(vars(m)["_forward_hooks"] for m in folded.modules())
    assert all(torch.equal(v, frozen[k]) for k, v in model.state_dict().items()), "fold changed the model it was given"
    plain = Net()
    plain.load_state_dict({k: v for k, v in frozen.items() if "batchnorm" not in k})
    assert apart(plain(images()), model(images())) > 0.1, "the batch norms did nothing: this test has no teeth"


def test_without_bias_it_is_refused_unless_allowed() -> None:
    model = Net(bias=False)
    insert(model)
    train(model, images())
    with pytest.raises(
        ValueError, match=r"conv1 has no bias .* 'conv1\.bias' that the original class does not load"
    ) as e:
        fold(model)
    assert str(e.value).count("new_bias=True") == 3, "all reasons at once"
    folded = fold(model, new_bias=True)
    assert apart(folded.eval()(images()), model.eval()(images())) < 1e-5
    Net(bias=True).load_state_dict(folded.state_dict())


def test_a_layer_called_twice_folds_exactly() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.second = self.first
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.relu(self.second(torch.relu(self.first(x)))))

    model, x = Shared(), torch.randn(32, 4)
    insert(model)
    train(model, x)
    folded = fold(model)
    assert apart(folded.eval()(x), model.eval()(x)) < 1e-5
    Shared().load_state_dict(folded.state_dict())


def test_tied_weights_are_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    model[1].weight = model[0].weight
    insert(model)
    train(model, torch.randn(32, 4))
    with pytest.raises(ValueError, match=r"a parameter of 0 is tied \(0\.weight, 1\.weight\)"):
        fold(model)


def test_never_trained_or_never_called_is_refused() -> None:
    model = Net()
    insert(model)
    with pytest.raises(ValueError, match=r"conv1\.batchnorm: it never saw a training batch"):
        fold(model)


def test_a_hook_sees_what_the_layer_puts_out_before_and_after_folding() -> None:
    """Batch norm belongs to the layer, so a hook of the user's comes after it, and a fold moves nothing across it."""
    for hook in (lambda m, a, y: None, lambda m, a, y: y.abs()):
        model = Net()
        model.conv1.register_forward_hook(hook)
        insert(model)
        train(model, images())
        assert apart(fold(model).eval()(images()), model.eval()(images())) < 1e-5


def test_a_layer_class_of_its_own_is_refused_or_checked() -> None:
    class Standardized(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            return self._conv_forward(input, w / w.std((1, 2, 3), keepdim=True), self.bias)

    class Same(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(nn.functional.pad(input, (1, 1, 1, 1)))

    for kind in (Standardized, Same):
        model = nn.Sequential(kind(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
        model(images())
        insert(model)
        train(model, images())
        with pytest.raises(ValueError, match=f"{kind.__name__} has a forward of its own"):
            fold(model)
        if kind is Same:
            assert apart(fold(model, example=images()).eval()(images()), model.eval()(images())) < 1e-5
        else:
            with pytest.raises(ValueError, match="does not scale with its weight"):
                fold(model, example=images())


def own_model() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Dropout(0.5),
        nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8, affine=False), nn.Linear(8, 2),
    )  # fmt: skip


def test_own_sequential_pairs() -> None:
    model = own_model()
    train(model, images())
    folded = fold(model)
    assert apart(folded.eval()(images()), model.eval()(images())) < 1e-5
    assert [type(m) for m in folded if isinstance(m, nn.Identity)] == [nn.Identity] * 3
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in folded)
    assert folded[0].bias is not None
    assert len(list(folded)) == len(list(model))


def test_a_nonlinearity_between_is_refused_and_can_be_kept() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.BatchNorm1d(4))
    train(model, torch.randn(32, 4))
    with pytest.raises(ValueError, match="2: ReLU stands between it and the layer before"):
        fold(model)
    with pytest.raises(ValueError, match="2: its input is not the output of a convolution or linear layer"):
        fold(model, example=torch.randn(8, 4))
    folded = fold(model, keep=["2"])
    x = torch.randn(8, 4)
    assert apart(folded.eval()(x), model.eval()(x)) < 1e-5
    assert isinstance(folded[2], nn.BatchNorm1d) and isinstance(folded[4], nn.Identity)
    with pytest.raises(ValueError, match="no batch norm is called '3'"):
        fold(model, keep=["3"])


def test_a_module_shared_between_pairs_is_refused() -> None:
    conv = nn.Conv2d(1, 1, 3, padding=1)
    model = nn.Sequential(nn.Sequential(conv, nn.BatchNorm2d(1)), nn.Sequential(conv, nn.BatchNorm2d(1)))
    train(model, images())
    with pytest.raises(ValueError, match=r"shared module, used at 0\.0 and 1\.0"):
        fold(model)
    with pytest.raises(ValueError, match=r"0\.0 is called 2 times in a forward, its batch norm 1 times"):
        fold(model, example=images())


class Block(nn.Module):
    """A residual block: its pairs are not in an nn.Sequential."""

    def __init__(self, leak: bool = False) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(1)
        self.conv1 = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(1, 1, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(1)
        self.leak = leak

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        z = self.bn2(self.conv2(torch.relu(self.bn1(y))))
        return torch.relu(x + z + (y if self.leak else 0))


def test_an_example_finds_pairs_in_any_forward_and_checks_the_result() -> None:
    model = Block()
    train(model, images())
    with pytest.raises(ValueError, match=r"bn1: it does not follow a layer in an nn\.Sequential; pass example="):
        fold(model)
    folded = fold(model, example=images())
    assert apart(folded.eval()(images()), model.eval()(images())) < 1e-5
    assert isinstance(folded.bn1, nn.Identity) and isinstance(folded.bn2, nn.Identity)
    leaking = Block(leak=True)
    train(leaking, images())
    with pytest.raises(ValueError, match="used elsewhere too"):
        fold(leaking, example=images())


def test_modes_gradients_and_types_of_the_copy() -> None:
    model = Net().bfloat16()
    insert(model)
    model.train()(images().bfloat16()).sum().backward()
    model.fc.eval()
    folded = fold(model)
    assert [m.training for m in folded.modules()] == [
        m.training for p, m in model.named_modules() if "batchnorm" not in p
    ]
    assert {p.dtype for p in folded.parameters()} == {torch.bfloat16}
    assert all(p.grad is None for p in folded.parameters())
    assert all(p.grad is not None for p in model.parameters())


def test_keep_is_not_for_inserted_ones() -> None:
    model = Net()
    insert(model)
    train(model, images())
    with pytest.raises(ValueError, match="keep names the model's own batch norms"):
        fold(model, keep=["conv1.batchnorm"])


def test_a_weight_used_beside_the_layer_is_found_by_an_example() -> None:
    class Tied(Net):
        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(self.fc(x.flatten(1)[:, :54]))
            return self.head(h) + (h @ self.fc.weight)[:, :3]

    model = Tied()
    insert(model, skip=["conv*"])
    train(model, images())
    with pytest.raises(ValueError, match="used elsewhere too"):
        fold(model, example=images())


def test_nothing_to_fold() -> None:
    with pytest.raises(ValueError, match="nothing to fold: the model has no batch norm"):
        fold(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="nothing to fold: the model itself is a batch norm"):
        fold(nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match="it has no running statistics"):
        fold(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)))
    with pytest.raises(ValueError, match="it has 3 features, the layer before it 2 outputs"):
        fold(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(3)))


def test_hooks_on_an_own_batch_norm_are_not_lost_silently() -> None:
    model = own_model()
    train(model, images())
    model[1].register_forward_hook(lambda m, a, y: y)
    with pytest.raises(ValueError, match="1: it carries hooks that would be lost"):
        fold(model)
