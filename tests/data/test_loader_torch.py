"""Inside torch's DataLoader: workers and epochs differ, reruns agree, pictures are those of gapless's own loader."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, get_worker_info

from gapless.augment.image import Policy, RampUp, Step
from gapless.augment.image.cpu.interpreter import Normal
from gapless.data import Collate, Indexed, Loader, Order
from gapless.errors import DataError, UsageError

POLICY = Policy((Step("rotate", 30), Step("flip_x", 1, 0.5), Step("brightness", 0.5)))
NORMAL = Normal((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
ROWS = 24
X = np.random.default_rng(0).integers(0, 256, (ROWS, 9, 8, 3), np.uint8)


class Pictures:
    """Row i with label i; every row the same picture if `alike`. Also says which worker gave it."""

    def __init__(self, alike: bool = False, give: Callable[[Any], Any] = np.asarray):
        self.x = np.broadcast_to(X[:1], X.shape) if alike else X
        self.give = give

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, row: int) -> tuple[Any, tuple[int, int]]:
        info = get_worker_info()
        return self.give(self.x[row]), (row, -1 if info is None else info.id)


Start = Literal["fork", "spawn"] | None


def loader_of(
    dataset: Indexed[Any], collate: Collate, workers: int = 0, start: Start = None, keep: bool = False, **more: Any
) -> DataLoader[Any]:
    return DataLoader(
        dataset, collate_fn=collate, num_workers=workers, multiprocessing_context=start, persistent_workers=keep, **more
    )


def by_row(loader: DataLoader[Any]) -> tuple[Tensor, set[int]]:
    """One pass: each picture at its row, and the workers they came from."""
    found: dict[int, Tensor] = {}
    workers: set[int] = set()
    for images, (rows, whose) in loader:
        found |= {int(row): image for row, image in zip(rows, images, strict=True)}
        workers |= set(whose.tolist())
    assert sorted(found) == list(range(ROWS))
    return torch.stack([found[row] for row in range(ROWS)]), workers


def ours(epochs: int, seed: int = 0) -> list[Tensor]:
    """What gapless's own loader gives."""
    loader = Loader(X, None, POLICY, 5, seed=seed, normal=NORMAL, shuffle=False)
    return [torch.cat([images.clone() for images, _ in loader]) for _ in range(epochs)]


# ── the same pictures ──


@pytest.mark.parametrize(
    ("workers", "start", "keep"),
    [(0, None, False), (2, "fork", False), (2, "fork", True), (2, "spawn", True)],
)
def test_with_our_order(workers: int, start: Start, keep: bool) -> None:
    """Two passes are two epochs, the same as with no workers and as in our own loader."""
    loader = loader_of(
        Indexed(Pictures()), Collate(POLICY, NORMAL), workers, start, keep, sampler=Order(ROWS), batch_size=5
    )
    for wanted in ours(2):
        found, whose = by_row(loader)
        assert torch.equal(found, wanted)
        assert whose == (set(range(workers)) if workers else {-1})


@pytest.mark.parametrize(
    ("workers", "start", "keep"),
    [(0, None, False), (2, "fork", False), (2, "fork", True), (2, "spawn", True)],
)
def test_with_another_order_and_set_epoch(workers: int, start: Start, keep: bool) -> None:
    """Any sampler does if it is said which epoch it is; workers that are kept hear of it."""
    rows = Indexed(Pictures())
    loader = loader_of(rows, Collate(POLICY, NORMAL), workers, start, keep, shuffle=True, batch_size=7)
    epochs = ours(3)
    for epoch in (2, 0):
        rows.set_epoch(epoch)
        assert torch.equal(by_row(loader)[0], epochs[epoch])


@pytest.mark.parametrize("keep", [False, True])
def test_workers_and_epochs_differ(keep: bool) -> None:
    """Of one picture in every row, no two are the same, over workers and epochs."""
    loader = loader_of(
        Indexed(Pictures(alike=True)), Collate(POLICY), 2, "fork", keep, sampler=Order(ROWS), batch_size=4
    )
    passes = [by_row(loader) for _ in range(2)]
    assert all(whose == {0, 1} for _, whose in passes)
    assert len({picture.numpy().tobytes() for found, _ in passes for picture in found}) == 2 * ROWS


def test_no_global_generator_decides() -> None:
    found: list[Tensor] = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  # what users do
        loader = loader_of(Indexed(Pictures()), Collate(POLICY), sampler=Order(ROWS), batch_size=4)
        found.append(torch.cat([images for images, _ in loader]))
    assert torch.equal(*found)


def test_order_is_that_of_our_loader() -> None:
    order, loader = Order(ROWS, seed=4), Loader(X, None, seed=4)
    assert len(order) == ROWS
    for epoch in range(3):
        keys = list(order)
        assert [row for _, row in keys] == torch.cat([rows.clone() for _, rows in loader]).tolist()
        assert {number for number, _ in keys} == {epoch}
    order.set_epoch(1)
    loader.set_epoch(1)
    assert [row for _, row in order] == torch.cat([rows.clone() for _, rows in loader]).tolist()
    assert [row for _, row in Order(ROWS, shuffle=False)] == list(range(ROWS))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("ranks", [2, 5, ROWS])
def test_ranks_share_the_order(ranks: int, shuffle: bool) -> None:
    """Disjoint, equally long parts of the epoch's one order, the same in every process; the next epoch has others."""
    whole = Order(ROWS, seed=4, shuffle=shuffle)
    parts = [Order(ROWS, seed=4, shuffle=shuffle, rank=rank, ranks=ranks) for rank in range(ranks)]
    seen: list[list[int]] = []
    for epoch in range(2):
        keys = list(whole)
        shares = [list(part) for part in parts]
        assert {len(share) for share in shares} == {len(part) for part in parts} == {ROWS // ranks}
        together = [share[n] for n in range(ROWS // ranks) for share in shares]
        assert together == keys[: len(together)]
        assert {number for number, _ in together} == {epoch}
        seen.append([row for _, row in shares[0]])
    assert (seen[0] != seen[1]) == shuffle


@pytest.mark.parametrize(
    ("rank", "ranks", "message"),
    [
        (0, 0, f"ranks must be from 1 to the number of rows, {ROWS}, got 0"),
        (0, ROWS + 1, f"ranks must be from 1 to the number of rows, {ROWS}, got {ROWS + 1}"),
        (2, 2, "rank must be from 0 to ranks - 1 = 1, got 2"),
        (-1, 2, "rank must be from 0 to ranks - 1 = 1, got -1"),
    ],
)
def test_ranks_out_of_range(rank: int, ranks: int, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        Order(ROWS, rank=rank, ranks=ranks)


def test_seed_decides() -> None:
    found = [
        by_row(loader_of(Indexed(Pictures()), Collate(POLICY, seed=seed), sampler=Order(ROWS)))[0] for seed in (0, 1)
    ]
    assert not torch.equal(*found)


def test_strength_follows_the_epochs() -> None:
    loader = loader_of(Indexed(Pictures()), Collate(POLICY, strength=RampUp(1)), sampler=Order(ROWS), batch_size=6)
    plain = torch.from_numpy(X.transpose(0, 3, 1, 2) / 255).float()
    torch.testing.assert_close(by_row(loader)[0], plain)
    assert (by_row(loader)[0] - plain).abs().max() > 0.1


def test_a_replaced_sampler_without_set_epoch_is_told_what_to_do() -> None:
    loader = loader_of(Indexed(Pictures()), Collate(POLICY), batch_size=4, shuffle=True)
    with pytest.raises(UsageError, match=r"sampler=Order\(len\(dataset\)\), or call set_epoch\(epoch\)"):
        next(iter(loader))


def test_an_error_in_a_worker_arrives() -> None:
    dataset = Indexed(Pictures(give=lambda x: x.astype(np.int32)))
    loader = loader_of(dataset, Collate(POLICY), 1, "fork", sampler=Order(ROWS, shuffle=False))
    with pytest.raises(DataError, match=r"row 0: a picture must be an array \(H, W, C\) of uint8, .* got int32"):
        next(iter(loader))


# ── kinds of pictures and labels ──


GIVE: dict[str, Callable[[Any], Any]] = {
    "PIL": Image.fromarray,
    "uint8 tensor": lambda x: torch.from_numpy(x.transpose(2, 0, 1).copy()),
    "read-only": lambda x: np.broadcast_to(x, x.shape),
}


@pytest.mark.parametrize("kind", GIVE)
def test_kinds_of_pictures(kind: str) -> None:
    loader = loader_of(Indexed(Pictures(give=GIVE[kind])), Collate(POLICY, NORMAL), sampler=Order(ROWS), batch_size=5)
    assert torch.equal(by_row(loader)[0], ours(1)[0])


def test_float_tensors_are_within_a_level() -> None:
    dataset = Indexed(Pictures(give=lambda x: torch.from_numpy(x.transpose(2, 0, 1).copy()).float() / 255))
    loader = loader_of(dataset, Collate(POLICY, NORMAL), sampler=Order(ROWS), batch_size=5)
    assert (by_row(loader)[0] - ours(1)[0]).abs().max() < 1.01 / 255 / 0.2


def test_gray_pictures_and_several_sizes() -> None:
    def item(row: int, side: int) -> tuple[int, int, tuple[Any, Any]]:
        return 0, row, (Image.new("L", (side, 10), 51 * row), {"class": row, "box": [1.0, 2.0]})

    images, labels = Collate(Policy((), size=(6, 6)))([item(row, 8 + row) for row in range(4)])
    assert images.shape == (4, 1, 6, 6)
    torch.testing.assert_close(images[:, 0, 0, 0], torch.arange(4) / 5)
    assert labels["class"].tolist() == [0, 1, 2, 3]
    assert [v.tolist() for v in labels["box"]] == [[1.0] * 4, [2.0] * 4]


def test_the_data_set_is_never_changed() -> None:
    before = X.copy()
    by_row(loader_of(Indexed(Pictures()), Collate(POLICY, NORMAL), sampler=Order(ROWS), batch_size=5))
    assert np.array_equal(X, before)


# ── what is refused ──

RGB = np.zeros((5, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([RGB.astype(np.float64)], "row 0: a picture must be an array (H, W, C) of uint8"),
        (
            [RGB, RGB[..., 0]],
            "row 1: a picture must be an array (H, W, C) of uint8, or of float32 in [0, 1], got uint8",
        ),
        ([RGB.transpose(2, 0, 1)], "row 0: a picture must be an array (H, W, C)"),
        ([torch.from_numpy(RGB)], "row 0: a picture must be a tensor (C, H, W)"),
        ([RGB[:0]], "got uint8 (0, 6, 3)"),
        (["x.jpg"], "row 0: a picture must be an array (H, W, C)"),
        (
            [RGB, RGB[..., :1]],
            "row 1: all pictures of a batch must be alike, got uint8 with 1 channels beside uint8 with 3",
        ),
        ([RGB, RGB.astype(np.float32)], "row 1: all pictures of a batch must be alike, got float32 with 3"),
        ([RGB.astype(np.float32), RGB[1:].astype(np.float32)], "row 1: float32 pictures of a batch must have one size"),
        ([RGB, RGB[1:]], "pictures of different sizes need a policy with a size"),
        ([Image.new("P", (4, 4))], "row 0: a PIL picture must be of mode L, RGB or RGBA, got P; convert('RGB') it"),
        ([Image.new("CMYK", (4, 4))], "mode L, RGB or RGBA, got CMYK"),
        ([RGB.astype(np.float32), RGB + np.float32(2)], "picture 1: float32 levels must be in [0, 1], got 2 to 2"),
        ([RGB.astype(np.float32) * np.float32("nan")], "picture 0: float32 levels must be in [0, 1], got nan to nan"),
    ],
)
def test_pictures_that_cannot_be_used(pictures: list[Any], message: str) -> None:
    with pytest.raises((DataError, UsageError), match=re.escape(message)):
        Collate(POLICY)([(0, row, (picture, 0)) for row, picture in enumerate(pictures)])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "a batch must have at least one row, got none"),
        ([(RGB, 0)], "Collate needs rows that say who they are: DataLoader(Indexed(dataset), ...)"),
        ([RGB], "Collate needs rows that say who they are"),
        ([(0, 3, RGB)], "row 3: the data set must give (picture, label), got ndarray"),
        ([(0, 0, (RGB, 0)), (1, 1, (RGB, 0))], "the rows of a batch must be of one epoch, got epochs [0, 1]"),
    ],
)
def test_items_that_cannot_be_used(items: list[Any], message: str) -> None:
    with pytest.raises((DataError, UsageError), match=re.escape(message)):
        Collate(POLICY)(items)


def test_arguments_out_of_range() -> None:
    with pytest.raises(UsageError, match="rows must be at least 1, got 0"):
        Order(0)
    for who in (Order(3), Indexed(Pictures())):
        with pytest.raises(UsageError, match="epoch must be at least 0, got -2"):
            who.set_epoch(-2)
    with pytest.raises(UsageError, match="a mean and a deviation for each of 3 channels, got 1"):
        Collate(POLICY, Normal((0.5,), (0.5,)))([(0, 0, (RGB, 0))])


def test_other_samplers_of_torch_may_stand_behind_it() -> None:
    """With replacement, a row that comes twice in an epoch looks the same twice."""
    rows = Indexed(Pictures())
    rows.set_epoch(0)
    sampler = RandomSampler(range(ROWS), replacement=True, num_samples=60)
    epoch = ours(1)[0]
    for images, (found, _) in loader_of(rows, Collate(POLICY, NORMAL), sampler=sampler, batch_size=20):
        assert torch.equal(images, epoch[found])
