"""What the building blocks of a training step cost, beside torch's own and beside one copy of their input.

    python bench/layers.py [--json] [--threads 1] [--rounds 9] [--only dropout] [--memory returned|kept]

Every row is measured in turns (ours, torch's, one copy, ours, ...), so a disturbance meets all three; the figures are
medians over the rounds. A copy goes into memory that is already there: `y.copy_(x)`. With one thread the clock is the
thread's own processor time, which other processes of the machine disturb least; with more it is the wall clock.

Results are allocated anew in every step, by everyone. glibc gives memory that is freed at the end of the heap back to
the system, and getting it again costs a page fault per 4 KiB: more than the layer itself. `--memory returned` leaves
that as it is; `kept`, the default, tells malloc to keep what it has, so the layer is what is measured.

To add a block, write a function that yields its cases and name it in BLOCKS.
"""

import argparse
import ctypes
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gapless.batchnorm import BatchNorm, BatchRenorm, FrozenBatchNorm, GhostBatchNorm
from gapless.decay import groups
from gapless.dropout import AlphaDropout, ChannelDropout, DropBlock, Dropout, GaussianDropout

Step = Callable[[], object]
Clock = Callable[[], float]
TURN = 0.05  # seconds that one of the three runs before the next has its turn


@dataclass(frozen=True)
class Case:
    """Ours, torch's (None where torch has none) and one copy of the input, as functions without arguments."""

    name: str
    ours: Step
    torch: Step | None
    copy: Step


@dataclass(frozen=True)
class Row:
    """Medians; the ratios are how many copies ours costs, and how many times faster than torch's it is."""

    name: str
    seconds: float
    spread: tuple[float, float]
    copies: float
    torch_seconds: float | None
    times_torch: float | None


class Double(nn.Module):
    """y = 2 x: the least that any layer with a forward and a backward pass can cost."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2.0


def dropout() -> Iterator[Case]:
    flat, maps = (256, 4096), (128, 64, 32, 32)
    yield case("multiplication by 2 forward+backward", Double(), None, flat)
    yield case("dropout 0.5 forward+backward", Dropout(0.5), nn.Dropout(0.5), flat)
    yield case("dropout 0.5 forward", Dropout(0.5), nn.Dropout(0.5), flat, backward=False)
    yield case("dropout 0.2 forward+backward", Dropout(0.2), nn.Dropout(0.2), flat)
    yield case("dropout 0.5 forward+backward bfloat16", Dropout(0.5), nn.Dropout(0.5), flat, dtype=torch.bfloat16)
    yield case("dropout 0.5 forward+backward float64", Dropout(0.5), nn.Dropout(0.5), flat, dtype=torch.float64)
    yield case("dropout 0.5 forward+backward", Dropout(0.5), nn.Dropout(0.5), (64, 128))
    yield case("dropout 0.5 forward+backward", Dropout(0.5), nn.Dropout(0.5), maps)
    yield case("alpha dropout 0.5 forward+backward", AlphaDropout(0.5), nn.AlphaDropout(0.5), flat)
    yield case("gaussian dropout 0.5 forward+backward", GaussianDropout(0.5), None, flat)
    yield case("channel dropout 0.2 forward+backward", ChannelDropout(0.2), nn.Dropout2d(0.2), maps)
    yield case("drop block 0.1, size 7 forward+backward", DropBlock(0.1, 7), None, maps)


def batch_norm() -> Iterator[Case]:
    flat, maps = (256, 4096), (128, 64, 32, 32)
    norms = {"batch norm": BatchNorm, "ghost batch norm, 32 rows": GhostBatchNorm, "batch renorm": BatchRenorm}
    for name, layer in norms.items():
        yield case(f"{name} forward+backward", layer(64), nn.BatchNorm2d(64), maps)
    yield case("batch norm forward+backward", BatchNorm(4096), nn.BatchNorm1d(4096), flat)
    yield case("frozen batch norm forward+backward", FrozenBatchNorm(64), nn.BatchNorm2d(64).eval(), maps)


def optimizers() -> Iterator[Case]:
    """A step over 10 million weights in two groups (decayed or not), beside the same without groups or decay."""
    yield step_case("AdamW fused, weight decay in groups", lambda groups: torch.optim.AdamW(groups, 1e-3, fused=True))
    yield step_case("SGD fused, weight decay in groups", lambda groups: torch.optim.SGD(groups, 1e-3, 0.9, fused=True))


def step_case(name: str, make: Callable[[Any], torch.optim.Optimizer]) -> Case:
    ours, theirs = (nn.Sequential(*(nn.Linear(1250, 1000) for _ in range(8))) for _ in range(2))
    for model in (ours, theirs):
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
    grouped, plain = make(groups(ours, 0.05)), make([{"params": list(theirs.parameters()), "weight_decay": 0.0}])
    source = torch.randn(sum(p.numel() for p in ours.parameters()))
    target = torch.empty_like(source)
    return Case(name, grouped.step, plain.step, lambda: target.copy_(source))


BLOCKS: dict[str, Callable[[], Iterator[Case]]] = {
    "dropout": dropout,
    "batchnorm": batch_norm,
    "optimizer": optimizers,
}


def case(
    name: str,
    ours: nn.Module,
    theirs: nn.Module | None,
    shape: tuple[int, ...],
    *,
    backward: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Case:
    """A layer from input to output, and back with a gradient that is already there."""
    x = torch.randn(shape, dtype=dtype).requires_grad_(backward)
    gradient, target = torch.randn(shape, dtype=dtype), torch.empty(shape, dtype=dtype)

    def step(layer: nn.Module) -> Step:
        def run() -> Tensor:
            y = layer(x)
            return torch.autograd.grad(y, x, gradient)[0] if backward else y

        return run

    label = f"{name} {'x'.join(map(str, shape))}"
    return Case(label, step(ours), None if theirs is None else step(theirs), lambda: target.copy_(gradient))


def measure(one: Case, rounds: int, clock: Clock) -> Row:
    steps = {"ours": one.ours, "torch": one.torch, "copy": one.copy}
    running = {name: step for name, step in steps.items() if step is not None}
    for step in running.values():
        turn(step, clock)  # compiles, and touches the memory
    seconds: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, step in running.items():
            seconds[name].append(turn(step, clock))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    theirs = median.get("torch")
    return Row(
        one.name,
        median["ours"],
        (min(seconds["ours"]), max(seconds["ours"])),
        median["ours"] / median["copy"],
        theirs,
        None if theirs is None else theirs / median["ours"],
    )


def turn(step: Step, clock: Clock) -> float:
    """The median time of one call, over as many calls as fit into a turn (3 at least)."""
    times: list[float] = []
    while sum(times) < TURN or len(times) < 3:
        start = clock()
        step()
        times.append(clock() - start)
    return statistics.median(times)


def machine() -> dict[str, object]:
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def processor() -> str:
    listing = Path("/proc/cpuinfo")
    if not listing.exists():
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in listing.read_text().splitlines() if "model name" in line]
    return names[0] if names else platform.processor()


def keep_memory() -> None:
    """Tell glibc to serve large blocks from the heap and never to shrink it."""
    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # names of the parameters in malloc.h
    if not (mallopt(mmap_max, 0) and mallopt(trim_threshold, 2**31 - 1) and mallopt(top_pad, 2**28)):
        raise SystemExit("this malloc cannot be told to keep its memory; use --memory returned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory", choices=["kept", "returned"], default="kept")
    parser.add_argument("--only", choices=sorted(BLOCKS), help="one block")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if arguments.memory == "kept":
        keep_memory()
    clock = time.thread_time if arguments.threads == 1 else time.perf_counter
    rows: list[Row] = []
    for block, cases in BLOCKS.items():
        if arguments.only in (None, block):
            for one in cases():
                rows.append(measure(one, arguments.rounds, clock))
                print(text(rows[-1]), file=sys.stderr if arguments.json else sys.stdout, flush=True)
    if arguments.json:
        facts = {"memory": arguments.memory, "clock": clock.__name__, "rounds": arguments.rounds}
        print(json.dumps({"machine": machine(), **facts, "rows": [asdict(row) for row in rows]}))


def text(row: Row) -> str:
    beside = "" if row.times_torch is None else f"{row.times_torch:7.1f} times torch's speed"
    return f"{row.name:60} {row.seconds * 1e3:8.3f} ms {row.copies:7.2f} copies {beside}"


if __name__ == "__main__":
    main()
