"""The built-in models: plain inside, right shapes at any size, gradients everywhere."""

import pytest
import torch
from torch import nn

from gapless.models import CNN, MLP, ResNet
from gapless.models.cnn import halvings

SIZES = [(1, 1), (2, 3), (5, 5), (8, 8), (9, 31), (28, 28), (32, 32), (47, 47), (48, 48), (64, 40), (130, 128)]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("model", [CNN, ResNet])
def test_pictures_of_any_size(model: type[CNN] | type[ResNet], size: tuple[int, int], channels: int) -> None:
    torch.manual_seed(0)
    net = model(channels, 7, min(size))
    out = net(torch.randn(2, channels, *size))
    assert out.shape == (2, 7)
    assert out.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 4), (13,), (1,)])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_mlp(shape: tuple[int, ...], depth: int) -> None:
    net = MLP(shape, 4, width=10, depth=depth)
    assert net(torch.randn(3, *shape)).shape == (3, 4)
    assert sum(isinstance(m, nn.Linear) for m in net.modules()) == depth + 1


@pytest.mark.parametrize(
    "model", [CNN(3, 5, 32), ResNet(3, 5, 32, depth=2), MLP((3, 4, 4), 5), MLP((3,), 5, (0, 4, 0))]
)
def test_plain_inside(model: nn.Module) -> None:
    kinds = {type(m).__name__ for m in model.modules()}
    assert not [k for k in kinds if "Norm" in k or "Drop" in k], kinds
    model.train()
    torch.manual_seed(0)
    x = torch.rand(4, 3) if isinstance(model, MLP) and model.embed else torch.rand(4, 3, 4, 4)
    assert torch.equal(model(x), model(x))
    assert torch.equal(model(x), model.eval()(x))
    assert all(p.requires_grad for p in model.parameters())


def test_halvings_end_near_eight_pixels() -> None:
    assert halvings(8) == halvings(28) == halvings(47) == (1, 1)
    for size in range(48, 600):
        total = sum(halvings(size))
        assert 5.5 <= size / 2**total <= 12, size


def test_resnet_begins_as_the_identity_between_stages_of_one_width() -> None:
    """The second convolution of a block begins at zero, so a block without a short cut passes what it gets."""
    torch.manual_seed(0)
    net = ResNet(1, 3, 16, width=6, depth=3)
    x = torch.rand(2, 6, 5, 5)
    block = net.stages[0][1]  # pyright: ignore[reportIndexIssue]  # a Sequential
    assert torch.equal(block(x), x)


def test_depth_and_width_do_what_they_say() -> None:
    def parameters(net: nn.Module) -> int:
        return sum(p.numel() for p in net.parameters())

    def convolutions(net: nn.Module) -> int:
        return sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in net.modules())

    assert convolutions(ResNet(3, 10, depth=1)) == 7
    assert convolutions(ResNet(3, 10, depth=4)) == 25
    assert parameters(CNN(1, 10, width=8)) == sum((9 * 8 + 8, 9 * 8 * 16 + 16, 9 * 16 * 32 + 32, 32 * 10 + 10))
    assert parameters(ResNet(1, 10, width=32)) > 3.5 * parameters(ResNet(1, 10, width=16))


def test_loss_can_fall_everywhere() -> None:
    """Every parameter of a deep plain resnet gets a gradient after the first step."""
    torch.manual_seed(0)
    net = ResNet(1, 4, 8, depth=2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(torch.rand(16, 1, 8, 8)), torch.arange(16) % 4).backward()
        optimizer.step()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in net.parameters())


# ── categories ──


def test_categories_are_embedded() -> None:
    net = MLP((4,), 3, (0, 3, 0, 200), width=8, depth=1)
    sizes = [(e.num_embeddings, e.embedding_dim) for e in net.embed if isinstance(e, nn.Embedding)]
    assert sizes == [(3, 2), (200, 50)]
    assert net.hidden[0].in_features == 2 + 2 + 50
    assert not [k for k in net.state_dict() if "codes" in k or "numeric" in k]


def test_a_category_is_a_name_not_a_number() -> None:
    """Only the rows of the embedding decide: swap them and the codes, and the output is the same."""
    torch.manual_seed(0)
    net = MLP((2,), 3, (4, 0))
    x = torch.tensor([[0.0, 0.3], [3.0, 0.3]])
    before = net(x)
    with torch.no_grad():
        embed = net.embed[0]
        assert isinstance(embed, nn.Embedding)
        embed.weight[:] = embed.weight[[3, 1, 2, 0]]
    torch.testing.assert_close(net(x.flip(0)[:, :]), before)
    assert not torch.equal(before[0], before[1])


def test_only_categories() -> None:
    net = MLP((2,), 1, (2, 5))
    assert net(torch.tensor([[1.0, 4.0], [0.0, 0.0]])).shape == (2, 1)


def test_large_codes_survive_float32() -> None:
    """Codes come as float32, which holds whole numbers up to 2^24."""
    n = 70_001
    net = MLP((1,), 2, (n,))
    x = torch.tensor([[float(n - 1)]])
    assert net(x).isfinite().all()
