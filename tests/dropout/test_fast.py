"""The compiled path: when it is taken, that it and torch's mean the same, and that threads and forks are safe."""

import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from gapless.dropout import Dropout, DropPath, fast

PATIENCE = 280  # seconds: a busy machine may starve a new process for a minute; a deadlock lasts longer


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which kernels were asked, in order."""
    seen: list[str] = []
    ours, theirs = fast.run, torch.nn.functional.dropout

    def spy_ours(*args: Any) -> Tensor:
        seen.append("kernel")
        return ours(*args)

    def spy_theirs(*args: Any, **kwargs: Any) -> Tensor:
        seen.append("torch")
        return theirs(*args, **kwargs)

    monkeypatch.setattr(fast, "run", spy_ours)
    monkeypatch.setattr(torch.nn.functional, "dropout", spy_theirs)
    return seen


def half(x: Tensor) -> Tensor:
    return fast.dropout(x, 0.5)


def half_sum(x: Tensor) -> Tensor:
    return half(x).sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_kernel_runs_forward_and_backward(taken: list[str], dtype: torch.dtype) -> None:
    x = torch.ones(8, 8, dtype=dtype, requires_grad=True)
    fast.dropout(x, 0.5).sum().backward()
    assert taken == ["kernel", "kernel"]


def test_torch_runs_where_there_is_no_kernel(taken: list[str]) -> None:
    fast.dropout(torch.ones(8, 8, dtype=torch.float16), 0.5)
    fast.dropout(torch.ones(8, 8, device="meta"), 0.5)
    fast.dropout(torch.ones(0, 8), 0.5)
    fast.dropout(torch.ones(4, dtype=torch.complex64).conj().imag, 0.5)  # a lazily negated view
    assert taken == ["torch"] * 4


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own import
def test_torch_runs_under_transformations(taken: list[str]) -> None:
    x = torch.ones(4, 1000)
    y = torch.func.vmap(half, randomness="different")(x)
    assert not torch.equal(y[0], y[1])
    same = torch.func.vmap(half, randomness="same")(x)
    assert torch.equal(same[0], same[1])
    rows = torch.func.vmap(DropPath(0.5), randomness="different")(torch.ones(50, 8, 2))  # noise from new_ones
    assert torch.equal(rows[..., :1].expand_as(rows), rows) and 100 < int(rows.count_nonzero()) < 700

    def scaled_row(scale: Tensor) -> Tensor:
        return half(x[0]) * scale

    closed_over = torch.func.vmap(scaled_row, randomness="different")(torch.ones(4))
    assert not torch.equal(closed_over[0], closed_over[1])
    gradient = torch.func.grad(half_sum)(x)
    assert set(gradient.unique().tolist()) == {0.0, 2.0}
    graph = make_fx(half)(x)
    assert not torch.equal(graph(x), graph(x)), "the mask was baked into the graph"
    assert "kernel" not in taken


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own import
def test_forward_mode_has_the_mask_of_the_plain_pass(taken: list[str]) -> None:
    x = torch.ones(4, 8).T
    torch.manual_seed(1)
    plain = half(x)
    with forward_ad.dual_level():
        torch.manual_seed(1)
        dual = forward_ad.unpack_dual(half(forward_ad.make_dual(x, 3 * x)))
        assert dual.tangent is not None
        assert torch.equal(dual.primal, plain) and torch.equal(dual.tangent, 3 * plain)
        torch.manual_seed(1)
        y = half(x.clone().requires_grad_())  # only looked at in a level, and run again outside of it
    assert torch.equal(y, plain) and set(taken) == {"kernel"}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own import
def test_a_checkpoint_begun_in_forward_mode_recomputes_its_mask() -> None:
    x = torch.ones(64, requires_grad=True)
    with forward_ad.dual_level():
        y = checkpoint(lambda z: half(z * z), x, use_reentrant=False)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, 2 * y)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own import
def test_both_modes_agree_with_numbers() -> None:
    def run(x: Tensor) -> Tensor:
        torch.manual_seed(1)
        return fast.dropout(x.sin(), 0.5)

    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (x,), check_forward_ad=True, check_backward_ad=True)


def test_a_vectorised_jacobian_sees_the_mask_of_forward() -> None:
    def run(x: Tensor) -> Tensor:
        torch.manual_seed(1)
        return fast.dropout(x, 0.5)

    x = torch.ones(3, 4).T
    jacobian = torch.autograd.functional.jacobian(run, x, vectorize=True)
    expected = torch.autograd.functional.jacobian(run, x)
    assert torch.equal(jacobian, expected)
    assert torch.equal(jacobian.reshape(12, 12).diag(), run(x).reshape(12))


def test_the_default_device_is_not_asked() -> None:
    x = torch.ones(8, 8, requires_grad=True)
    with torch.device("meta"):
        y = fast.dropout(x.T, 0.5)
        gradient = torch.autograd.grad(y, x, y.new_ones(8, 8))[0].T
    assert y.is_cpu and torch.equal(y, gradient)


def test_dropped_infinities_are_zero() -> None:
    y = fast.dropout(torch.tensor([float("inf"), float("nan")] * 500), 0.5)
    assert 350 < int((y == 0).sum()) < 650
    assert bool((y[y != 0].isinf() | y[y != 0].isnan()).all())
    half = fast.dropout(torch.tensor([float("inf"), float("-inf"), float("nan")] * 100, dtype=torch.bfloat16), 0.1)
    assert bool(half[0::3][half[0::3] != 0].isposinf().all()) and bool(half[1::3][half[1::3] != 0].isneginf().all())
    assert bool(half[2::3][half[2::3] != 0].isnan().all())


def test_extreme_rates() -> None:
    x = torch.ones(1 << 16)
    assert int((fast.dropout(x, 1 - 1e-12) == 0).sum()) == len(x)
    assert int((fast.dropout(x, 1e-12) == 0).sum()) == 0
    assert fast.dropout(torch.tensor(2.0), 0.5).item() in (0.0, 4.0)


def test_nothing_is_stored_for_backward() -> None:
    held: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        Dropout(0.5)(torch.ones(64, 64, requires_grad=True))
    assert held == []


def test_one_number_is_drawn_per_mask() -> None:
    torch.manual_seed(3)
    fast.dropout(torch.ones(5), 0.5)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    fast.dropout(torch.ones(1000, 100), 0.5)
    assert torch.equal(torch.get_rng_state(), after)


@pytest.mark.parametrize("watching", ["neither", "forward", "backward"])
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_recomputes_the_same_mask(reentrant: bool, watching: str) -> None:
    """Also where one of the two passes is looked at: counting the operations of the forward pass is usual."""
    weight = torch.randn(16, 16, requires_grad=True)

    def block(x: Tensor) -> Tensor:
        return fast.dropout((x @ weight).relu(), 0.5) @ weight

    x = torch.randn(8, 16, requires_grad=True)
    torch.manual_seed(1)
    expected = torch.autograd.grad(block(x).square().sum(), [weight])[0]
    torch.manual_seed(1)
    with FlopCounterMode(display=False) if watching == "forward" else nullcontext():
        y = checkpoint(block, x, use_reentrant=reentrant)
    with FlopCounterMode(display=False) if watching == "backward" else nullcontext():
        y.square().sum().backward()
    torch.testing.assert_close(weight.grad, expected)


def test_inference_mode_and_parameters() -> None:
    with torch.inference_mode():
        assert set(fast.dropout(torch.ones(1000), 0.5).unique().tolist()) == {0.0, 2.0}
    weight = torch.nn.Parameter(torch.ones(1000))
    fast.dropout(weight, 0.5).sum().backward()
    assert weight.grad is not None and set(weight.grad.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_number_of_threads_draws_the_same_mask(threads: int, dtype: torch.dtype) -> None:
    x = torch.ones((1 << 19) + 13, dtype=dtype)
    alone = fast.run(x, fast.Rule(0.5, 2.0), 9, None)
    torch.set_num_threads(threads)
    together = fast.run(x, fast.Rule(0.5, 2.0), 9, None)
    torch.set_num_threads(1)
    assert torch.equal(together, alone)


def test_calls_from_many_threads_at_once() -> None:
    torch.set_num_threads(2)
    x = torch.ones(1 << 18)
    expected = [fast.run(x, fast.Rule(0.5, 2.0), seed, None) for seed in range(6)]
    wrong: list[int] = []

    def work(seed: int) -> None:
        for _ in range(10):
            drawn = fast.run(x, fast.Rule(0.5, 2.0), seed, None)
            if not np.array_equal(drawn.numpy(), expected[seed].numpy()):  # not torch's: its threads would spin
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    assert wrong == [] and not any(worker.is_alive() for worker in workers)


def _sum_in_child(x: Tensor, answer: Any) -> None:
    answer.put(int(fast.run(x, fast.Rule(0.5, 2.0), 4, None).numpy().sum()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes(method: str) -> None:
    """A forked worker has none of the threads that its parent used before."""
    context: Any = multiprocessing.get_context(method)
    x = torch.ones(1 << 18)
    torch.set_num_threads(2)
    expected = int(fast.run(x, fast.Rule(0.5, 2.0), 4, None).numpy().sum())
    answer = context.Queue()
    child = context.Process(target=_sum_in_child, args=(x, answer), daemon=True)
    child.start()
    try:
        assert answer.get(timeout=PATIENCE) == expected
        child.join(PATIENCE)
        assert child.exitcode == 0
    finally:
        child.kill()


def test_numba_is_imported_by_the_first_mask_only() -> None:
    code = (
        "import sys, torch, gapless.dropout as d; layer = d.Dropout(0.5)\n"
        "assert 'numba' not in sys.modules\n"
        "layer(torch.ones(4)); assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
