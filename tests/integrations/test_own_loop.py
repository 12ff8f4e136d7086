"""A recipe in a loop of one's own, in accelerate's and in Fabric's; in two processes as in one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, DistributedSampler
from trained_digits import TURNED, WHOLE, digits, loader, network, run_example, same

from gapless import Recipe, UsageError
from gapless.integrations.loop import Gapless
from gapless.recipe import Augment, BatchNorm, Decay, Dropout

SHARED = Recipe(augment=TURNED, decay=Decay(strength=0.5))
"""What two processes do as one does: no batch statistics, no dropout masks, no partners."""


def train(gapless: Any, model: nn.Module, optimizer: Any, rows: Any, epochs: range, prepared: Any = None) -> None:
    for epoch in epochs:
        torch.manual_seed(epoch)
        model.train()
        for inputs, targets in gapless.batches(rows, epoch):
            optimizer.zero_grad()
            loss = functional.cross_entropy((prepared or model)(inputs), targets)
            if hasattr(gapless, "accelerator"):
                gapless.accelerator.backward(loss)
            else:
                loss.backward()
            optimizer.step()


def made(recipe: Recipe | None = WHOLE, **options: Any) -> tuple[Gapless, nn.Module, torch.optim.Optimizer]:
    model = network()
    gapless = Gapless(recipe, model, classes=10, **options)
    return gapless, model, gapless.optimizer(torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9))


def test_resuming_is_as_if_nothing_had_happened() -> None:
    through, model, optimizer = made()
    train(through, model, optimizer, loader(0, 64), range(4))
    first, half, second = made()
    train(first, half, second, loader(0, 64), range(2))
    resumed, again, third = made()
    again.load_state_dict(half.state_dict())
    third.load_state_dict(second.state_dict())
    train(resumed, again, third, loader(0, 64), range(2, 4))
    assert same(model, again)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # dynamo's own, on its way
def test_a_compiled_model_trains_as_the_plain_one() -> None:
    """In place and not, after another model of the class was compiled without a recipe."""

    def small() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))

    results: list[nn.Module] = []
    torch.compile(small(), backend="aot_eager")(digits()[0][:16])
    for compiled in ("", "copy", "in place"):
        model = small()
        gapless = Gapless(Recipe(batchnorm=BatchNorm(insert=True), augment=TURNED), model)
        prepared = torch.compile(model, backend="aot_eager") if compiled == "copy" else model
        if compiled == "in place":
            model.compile(backend="aot_eager")
        optimizer = gapless.optimizer(torch.optim.SGD(model.parameters(), lr=0.05))
        train(gapless, model, optimizer, loader(0, 32), range(1), prepared)
        results.append(model)
    assert int(results[1][1].batchnorm.num_batches_tracked) == 2
    for other in results[1:]:
        for a, b in zip(results[0].state_dict().values(), other.state_dict().values(), strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_the_same_rows_are_measured_each_time_and_nothing_moves() -> None:
    gapless, model, _ = made(None, rows=20)
    before, state = torch.get_rng_state(), {name: t.clone() for name, t in model.state_dict().items()}
    first = gapless.measure(loader(0, 64, shuffle=True), loader(1000, 64), 0)
    second = gapless.measure(loader(0, 64, shuffle=True), loader(1000, 64), 1)
    assert first.right == second.right and first.rows == (20, 20)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    again = Gapless.watch(model, rows=20)
    again.load_state_dict(gapless.state_dict())
    again.measure(loader(0, 64), loader(1000, 64), 2)
    assert [gap.epoch for gap in again.watched.history] == [0, 1, 2]
    assert gapless.report().startswith("After epoch 2: ")


def test_folding_leaves_the_outputs() -> None:
    gapless, model, optimizer = made(Recipe(dropout=Dropout(hidden=0.3), batchnorm=BatchNorm(insert=True)))
    train(gapless, model, optimizer, loader(0, 64), range(1))
    expected = model.eval()(digits()[0][:20])
    gapless.fold()
    assert model.state_dict().keys() == network().state_dict().keys()
    assert torch.allclose(model(digits()[0][:20]), expected, atol=1e-5)


# ── two processes ──


def in_two(rank: int, folder: str, port: int) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    try:
        gapless, model, optimizer = made(SHARED)
        rows = loader(0, 64)
        dealt = DataLoader(rows.dataset, 8, sampler=DistributedSampler(rows.dataset, shuffle=False))
        wrapped = nn.parallel.DistributedDataParallel(model)
        train(gapless, model, optimizer, dealt, range(2), wrapped)
        gap = gapless.measure(dealt, loader(1000, 50), 1)
        if rank == 1:
            torch.save((model.state_dict(), gap.right.gap, gap.right.low), f"{folder}/two.pt")
    finally:
        torch.distributed.destroy_process_group()


def test_two_processes_do_as_one(tmp_path: Path) -> None:
    gapless, model, optimizer = made(SHARED)
    train(gapless, model, optimizer, loader(0, 64), range(2))
    gap = gapless.measure(loader(0, 64), loader(1000, 50), 1)
    torch.multiprocessing.start_processes(in_two, (str(tmp_path), free_port()), nprocs=2, start_method="fork")
    state, found, low = torch.load(tmp_path / "two.pt")
    assert all(torch.allclose(state[name], tensor, atol=1e-5) for name, tensor in model.state_dict().items())
    assert (found, low) == (pytest.approx(gap.right.gap), pytest.approx(gap.right.low))


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


# ── accelerate ──


def accelerated(recipe: Recipe | None, order: str, rows: Any, epochs: range = range(2)) -> Any:
    from accelerate import Accelerator

    from gapless.integrations.accelerate import Gapless as Accelerated

    accelerator = Accelerator(cpu=True)
    model = network()
    optimizer: Any = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule: Any = torch.optim.lr_scheduler.StepLR(optimizer, 1, 1.0)
    if order == "before":
        gapless = Accelerated(recipe, model, accelerator, classes=10)
        gapless.optimizer(optimizer, schedule)
    prepared, optimizer, schedule, rows = accelerator.prepare(model, optimizer, schedule, rows)
    if order == "after":
        gapless = Accelerated(recipe, prepared, accelerator, classes=10)
        gapless.optimizer(optimizer, schedule)
    gapless.accelerator = accelerator
    train(gapless, model, optimizer, rows, epochs, prepared)
    if epochs:
        schedule.step()
    return gapless, model, optimizer


def test_accelerate_before_and_after_prepare() -> None:
    pytest.importorskip("accelerate")
    plain, model, optimizer = made()
    train(plain, model, optimizer, loader(0, 64), range(2))
    for order in ("before", "after"):
        _, found, wrapped = accelerated(WHOLE, order, loader(0, 64))
        assert same(found, model), order
        assert [group["weight_decay"] for group in wrapped.param_groups] == [0.05, 0.0]


def test_accelerate_saves_what_was_measured(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    gapless, _, _ = accelerated(WHOLE, "before", loader(0, 64), range(1))
    gapless.measure(loader(0, 64), loader(1000, 64), 0)
    gapless.accelerator.save_state(str(tmp_path))
    again, model, _ = accelerated(WHOLE, "before", loader(0, 64), range(0))
    again.accelerator.load_state(str(tmp_path))
    assert same(model, gapless.model)
    again.measure(loader(0, 64), loader(1000, 64), 1)
    assert [gap.epoch for gap in again.watched.history] == [0, 1]


def accelerated_in_two(folder: str) -> None:
    torch.set_num_threads(1)
    gapless, model, _ = accelerated(SHARED, "before", loader(0, 64, batch=8))
    gap = gapless.measure(loader(0, 64), loader(1000, 50), 1)
    if gapless.accelerator.process_index == 1:
        torch.save((model.state_dict(), gap.right.gap), f"{folder}/two.pt")


def test_accelerate_in_two_processes_does_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    accelerate = pytest.importorskip("accelerate")
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)  # processes are forked from this one
    accelerate.debug_launcher(accelerated_in_two, (str(tmp_path),), num_processes=2)
    state, found = torch.load(tmp_path / "two.pt")
    gapless, model, optimizer = made(SHARED)
    seen: list[tuple[Tensor, Tensor]] = []
    for epoch in range(2):  # two batches of 8, each as it is shown, are one step of both processes
        single = list(gapless.batches(loader(0, 64, batch=8), epoch))
        seen = [tuple(map(torch.cat, zip(*single[i : i + 2], strict=True))) for i in range(0, 8, 2)]
        for inputs, targets in seen:
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    assert all(torch.allclose(state[name], tensor, atol=1e-5) for name, tensor in model.state_dict().items())
    assert found == pytest.approx(gapless.measure(loader(0, 64), loader(1000, 50), 1).right.gap)


# ── Fabric ──


def test_fabric_does_as_a_plain_loop() -> None:
    fabric = pytest.importorskip("lightning_fabric").Fabric(accelerator="cpu", devices=1)
    plain, model, optimizer = made()
    train(plain, model, optimizer, loader(0, 64), range(2))
    gapless, module, given = made()
    prepared, wrapped = fabric.setup(module, given)
    rows = fabric.setup_dataloaders(loader(0, 64))
    for epoch in range(2):
        torch.manual_seed(epoch)
        for inputs, targets in gapless.batches(rows, epoch):
            wrapped.zero_grad()
            fabric.backward(functional.cross_entropy(prepared(inputs), targets))
            wrapped.step()
    assert same(module, model)


# ── batches ──


def test_dicts_and_other_places() -> None:
    x, y = digits()
    batch = {"ids": torch.arange(8), "picture": x[:8], "kind": y[:8]}
    gapless = Gapless(Recipe(augment=TURNED), network(), inputs="picture", labels="kind")
    (shown,) = gapless.batches([batch], 0)
    assert torch.equal(shown["ids"], batch["ids"]) and not torch.equal(shown["picture"], batch["picture"])
    assert torch.equal(batch["picture"], x[:8]), "the loader's batch is left as it is"
    with pytest.raises(UsageError, match="ids, picture, kind: say which"):
        next(Gapless(Recipe(augment=TURNED), network()).batches([batch], 0))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((torch.rand(4, 1, 8, 8), torch.zeros(4, 8, 8, dtype=torch.int64)), "do not move with the picture"),
        ((torch.rand(4, 3, 1, 8, 8), torch.zeros(4, dtype=torch.int64)), "pictures .B, C, H, W. or rows"),
        (torch.rand(4, 1, 8, 8), "tuple of inputs and labels"),
        ((torch.zeros(4, 5, dtype=torch.int64), torch.zeros(4, dtype=torch.int64)), "pictures"),
    ],
)
def test_what_cannot_be_varied_is_refused(batch: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        next(Gapless(Recipe(augment=TURNED), network()).batches([batch], 0))


def test_texts_are_mixed_after_their_embedding() -> None:
    table = nn.Embedding(20, 6)
    model = nn.Sequential(table, nn.Flatten(), nn.Linear(24, 2))
    ids, labels = torch.randint(20, (8, 4)), torch.arange(8) % 2
    plain = model(ids)
    gapless = Gapless(Recipe(augment=Augment(mixup=1.0)), model, classes=2)
    for inputs, targets in gapless.batches([(ids, labels)], 0):
        assert torch.equal(inputs, ids) and targets.shape == (8, 2)
        assert not torch.allclose(model(inputs), plain)
    assert torch.equal(model(ids), plain), "only within the batch"


def test_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("accelerate").state.AcceleratorState._reset_state(reset_partial_state=True)
    run_example(monkeypatch, tmp_path, "in_accelerate.py", 2)
    assert "Switched on: dropout 0.1 in 1 place; 2 BatchNorm2d; weight decay 0.05" in capsys.readouterr().out
