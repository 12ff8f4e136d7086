"""What one run on an example tells of a model: which layers take the input, which are heads, what sees one tensor."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gapless.errors import UsageError
from gapless.flow import follow


class HeadFirst(nn.Module):
    """The head is registered before everything else."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.c1, self.c2 = nn.Linear(16, 3), nn.Linear(4, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.c2(self.c1(x).relu()).relu())


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.policy, self.value = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        hidden = self.body(x).relu()
        return {"policy": self.policy(hidden), "value": self.value(hidden)}


class Attention(nn.Module):
    """Queries, keys and values apart, as in every modern model; a gate works in place, a mask is given too."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(65, 8), nn.Embedding(256, 8)
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
        self.idle = nn.Linear(8, 8)
        self.out = nn.Linear(8, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        seen = F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x)).masked_fill(~mask[..., None], 0)
        x = x + F.linear(self.o(seen), self.idle.weight)
        with torch.no_grad():
            wide = self.up(x)
        wide[:, 0] = 0
        x = x + self.down(F.relu_(wide))
        return self.out(x.mean(1)), mask.sum(1)


def test_heads_and_first_layers_are_told_by_the_data() -> None:
    flow = follow(HeadFirst(), torch.randn(2, 4))
    assert flow is not None
    assert (flow.order, flow.firsts, flow.heads) == (("c1", "c2", "fc"), {"c1"}, {"fc"})
    two = follow(TwoHeads(), torch.randn(2, 4))
    assert two is not None and two.heads == {"policy", "value"} and two.together == (("policy", "value"),)


def test_attention_of_separate_layers() -> None:
    ids, mask = torch.randint(65, (3, 5)), torch.ones(3, 5, dtype=torch.bool)
    flow = follow(Attention(), {"ids": ids, "mask": mask})
    assert flow is not None
    assert flow.firsts == {"q", "k", "v"} and flow.heads == {"out"}
    assert flow.together == (("q", "k", "v"),)
    assert "idle" not in flow.order and flow.tables == ("words",) and flow.normalises == ""
    assert flow == follow(Attention(), (ids, mask)) == follow(Attention(), flow)


def test_what_lies_inside_torchs_blocks_is_part_of_them() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    flow = follow(nn.Sequential(nn.Linear(4, 8), layer, nn.LSTM(8, 4)), torch.randn(2, 5, 4))
    assert flow is not None
    assert (flow.order, flow.firsts, flow.heads) == (("0", "1", "2"), {"0"}, {"2"})
    assert flow.normalises == "layer_norm"


def test_the_model_and_torchs_random_state_are_as_before() -> None:
    class Moving(HeadFirst):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(F.dropout(x, 0.5))  # on in eval mode too

    model = Moving().train()
    model.c1.eval()
    hooks = [len(vars(m)["_forward_hooks"]) + len(vars(m)["_forward_pre_hooks"]) for m in model.modules()]
    before = torch.get_rng_state()
    follow(model, torch.randn(2, 4, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training and not model.c1.training
    assert hooks == [len(vars(m)["_forward_hooks"]) + len(vars(m)["_forward_pre_hooks"]) for m in model.modules()]
    assert torch.backends.mha.get_fastpath_enabled()


def test_an_example_that_does_not_fit_is_named() -> None:
    with pytest.raises(UsageError, match=r"does not go through HeadFirst: RuntimeError.*a dict of them by name"):
        follow(HeadFirst(), torch.randn(2, 5))
