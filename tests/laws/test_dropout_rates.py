"""Rates over training and over depth: closed forms, and that a model follows them."""

import pytest
import torch
from torch import nn

from gapless.dropout import DropPath, Scheduled, attach, depth_rates
from gapless.schedule import Constant, Early, Late


def test_depth_rates_grow_linearly_to_p() -> None:
    assert depth_rates(0.4, 4) == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert depth_rates(0.4, 1) == (0.4,)
    expected = sum(1 - p for p in depth_rates(0.5, 54))
    assert expected == pytest.approx(54 - 0.5 * 55 / 2)  # about 40 of 54 blocks, as in section 3 of the paper
    blocks = [DropPath(p) for p in depth_rates(0.2, 3)]
    assert [block.p for block in blocks] == pytest.approx([0.2 / 3, 0.4 / 3, 0.2])


def test_a_model_follows_its_schedule_and_gets_its_rates_back() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.2), nn.LSTM(3, 3, 2, dropout=0.4), nn.Dropout2d(0.0))
    scheduled = Scheduled(model, Early(0.5, fade=True))
    assert scheduled.at(0.25) == 0.5
    assert [model[1].p, model[2].dropout, model[3].p] == [0.1, 0.2, 0.0]
    scheduled.at(0.5)
    assert [model[1].p, model[2].dropout] == [0.0, 0.0]
    scheduled.at(0.0)
    assert model[1].p == 0.2
    scheduled.at(1.0)
    scheduled.restore()
    assert [model[1].p, model[2].dropout, model[3].p] == [0.2, 0.4, 0.0]


def test_a_late_schedule_is_off_from_the_start_and_works_on_attached_dropout() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    attach(model, hidden=0.5)
    scheduled = Scheduled(model, Late(0.5))
    x = torch.ones(4, 3)
    assert torch.equal(model(x), model(x))
    scheduled.at(0.5)
    assert not torch.equal(model(x), model(x))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: depth_rates(1.0, 3), r"depth_rates: p must be in \[0, 1\), got 1.0"),
        (lambda: depth_rates(0.5, 0), "depth_rates: blocks must be at least 1, got 0"),
        (lambda: Scheduled(nn.Linear(2, 2), Constant()), "Linear has no dropout with a rate above 0"),
        (lambda: Scheduled(nn.Dropout(0.0), Constant()), "Dropout has no dropout with a rate above 0"),
        (lambda: Scheduled(nn.Dropout(0.5), Constant()).at(1.5), r"progress must be in \[0, 1\], got 1.5"),
        (lambda: Scheduled(nn.Dropout(0.5), lambda _: 2.0), r"must give a factor in \[0, 1\], got 2.0 at 0.0"),
    ],
)
def test_bad_arguments(build: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build()  # type: ignore[operator]
