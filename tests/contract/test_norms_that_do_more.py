"""A batch norm that carries its activation, as in timm: every function treats it as what it is, or says why not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from gapless import batchnorm, decay
from gapless.errors import UsageError


class NormAct(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).relu()


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), NormAct(8), nn.Conv2d(8, 6, 3), NormAct(6), nn.Flatten(), nn.Linear(6 * 16, 2)
    )


X = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_model_that_has_them_normalises_already() -> None:
    assert batchnorm.insert(net()).paths == ()
    assert all(decay.is_norm(m) for m in net() if isinstance(m, NormAct))


def test_folding_would_lose_the_activation_and_is_refused() -> None:
    model = net()
    model(X)
    with pytest.raises(UsageError, match=r"NormAct has a forward of its own.*keep=\['1'\]"):
        batchnorm.fold(model)
    with pytest.raises(UsageError, match="NormAct may do more than normalise"):
        batchnorm.fold(model, example=X)


@pytest.mark.parametrize("layerwise", [False, True])
def test_statistics_are_renewed_with_the_activation_in_place(layerwise: bool) -> None:
    model, other = net(), net()
    batchnorm.reestimate(model, [X], layerwise=layerwise)
    update_bn([X], other)
    for mine, torchs in zip(model.modules(), other.modules(), strict=True):
        if isinstance(mine, NormAct) and isinstance(torchs, NormAct):
            tolerance = 0.1 if layerwise else 1e-5  # layer by layer, the deeper one sees eval mode's inputs
            torch.testing.assert_close(mine.running_mean, torchs.running_mean, rtol=tolerance, atol=1e-2 * layerwise)
            assert mine.momentum == 0.1 and mine.training
    shifts = batchnorm.dropout_shift(net(), [X])
    assert [shift.ratio for shift in shifts] == pytest.approx([1.0, 1.0], abs=5e-3)


def test_freezing_holds_them_and_undo_lets_them_go() -> None:
    model = net()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    expected = model.eval()(X)
    frozen = batchnorm.freeze(model.train())
    assert set(frozen.paths) == {"1", "3"}
    assert torch.equal(model.train()(X), expected)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(p.requires_grad for m in model if isinstance(m, NormAct) for p in m.parameters())
    frozen.undo()
    assert all(type(m) in (nn.Conv2d, NormAct, nn.Flatten, nn.Linear) for m in model)
    assert all(p.requires_grad for p in model.parameters())
    model.train()(X)
    assert not torch.equal(model[1].running_mean, before["1.running_mean"])


@pytest.mark.parametrize(
    "convert", [batchnorm.to_ghost, batchnorm.to_renorm, batchnorm.to_split, batchnorm.to_group_norm, batchnorm.to_sync]
)
def test_an_exchange_of_none_is_an_error(convert: Callable[[nn.Module], object]) -> None:
    with pytest.raises(UsageError, match="none of the 2 batch norms can be exchanged: NormAct does more"):
        convert(net())
