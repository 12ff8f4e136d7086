"""What weight decay costs in an optimizer step: groups, hooks, penalties, projections beside a copy of the weights.

    python bench/optimizers.py [--json] [--threads 1] [--rounds 9] [--only step]

Every row is measured in turns (ours, the plain one, one copy of all weights, ours, ...), so a disturbance meets all
three; the figures are medians over the rounds. A copy goes into memory that is already there.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn, optim

from gapless import decay

Step = Callable[[], object]
TURN = 0.05  # seconds that one of the runs gets before the next has its turn


@dataclass(frozen=True)
class Case:
    """What we add and the same work without it, as functions without arguments."""

    name: str
    ours: Step
    plain: Step | None
    copy: Step


@dataclass(frozen=True)
class Row:
    """Medians in seconds; `copies` counts copies of all weights, `times_plain` is ours over the work without us."""

    name: str
    seconds: float
    spread: tuple[float, float]
    copies: float
    plain_seconds: float | None
    times_plain: float | None


def network() -> nn.Sequential:
    """Six blocks of a transformer's feed-forward part: 38 tensors, 12.6 million values."""
    width = 512
    blocks = [
        nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        for _ in range(6)
    ]
    return nn.Sequential(*blocks, nn.LayerNorm(width))


def copying(net: nn.Module) -> Step:
    pairs = [(p.detach(), torch.empty_like(p)) for p in net.parameters()]

    def copy() -> None:
        for source, target in pairs:
            target.copy_(source)

    return copy


Make = Callable[[list[dict[str, object]]], optim.Optimizer]


def stepping(
    make: Make, attach: Callable[[optim.Optimizer, nn.Module], object], grouped: bool
) -> tuple[Step, nn.Module]:
    net = network()
    for p in net.parameters():
        p.grad = torch.randn_like(p)
    parameters = decay.groups(net, 1e-9) if grouped else [{"params": list(net.parameters()), "weight_decay": 1e-9}]
    optimizer = make(parameters)
    attach(optimizer, net)
    return optimizer.step, net


def nothing(optimizer: optim.Optimizer, net: nn.Module) -> None:
    """The plain optimizer."""


MAKERS: dict[str, Make] = {
    "AdamW foreach": lambda g: optim.AdamW(g, lr=1e-9, foreach=True),
    "AdamW fused": lambda g: optim.AdamW(g, lr=1e-9, fused=True),
    "SGD momentum fused": lambda g: optim.SGD(g, lr=1e-9, momentum=0.9, fused=True),
}


def steps() -> Iterator[Case]:
    """Optimizer steps with one of our parts, beside the same torch optimizer with one group and its own decay."""
    parts: dict[str, Callable[[optim.Optimizer, nn.Module], object]] = {
        "groups": nothing,
        "groups + decouple": lambda o, net: decay.decouple(o),
        "groups + cautious": lambda o, net: decay.decouple(o, cautious=True),
        "groups + schedule": lambda o, net: decay.DecaySchedule(o, decay.FlatCosine(), 10**9),
        "groups + max norm": lambda o, net: decay.constrain(o, net, decay.MaxNorm(3.0)),
        "groups + soft threshold": lambda o, net: decay.constrain(o, net, decay.SoftThreshold(1e-9)),
    }
    for name, make in MAKERS.items():
        for part, attach in parts.items():
            ours, net = stepping(make, attach, grouped=True)
            plain, _ = stepping(make, nothing, grouped=False)
            yield Case(f"{name}: {part}", ours, plain, copying(net))


def penalties() -> Iterator[Case]:
    """Penalty and its gradient alone."""
    net = network()
    start = {name: p.detach() for name, p in net.named_parameters()}
    kinds = {
        "L2": decay.L2(1e-9),
        "L1": decay.L1(1e-9),
        "elastic net": decay.ElasticNet(1e-9),
        "L2-SP": decay.L2SP(start, 1e-9),
        "spectral": decay.Spectral(1e-9),
        "orthogonal": decay.Orthogonal(1e-9),
    }
    for name, kind in kinds.items():
        pull = decay.penalty(net, kind)
        yield Case(f"penalty {name}, forward + backward", lambda pull=pull: pull().backward(), None, copying(net))


def grouping() -> Iterator[Case]:
    """Once per training."""
    net = network()
    yield Case("groups(model)", lambda: decay.groups(net, 0.1), None, copying(net))
    yield Case("account(model)", lambda: str(decay.account(net, 0.1)), None, copying(net))


BLOCKS: dict[str, Callable[[], Iterator[Case]]] = {"step": steps, "penalty": penalties, "grouping": grouping}


def measure(one: Case, rounds: int) -> Row:
    steps = {"ours": one.ours, "plain": one.plain, "copy": one.copy}
    running = {name: step for name, step in steps.items() if step is not None}
    for step in running.values():
        turn(step)  # touches the memory
    seconds: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, step in running.items():
            seconds[name].append(turn(step))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    plain = median.get("plain")
    return Row(
        one.name,
        median["ours"],
        (min(seconds["ours"]), max(seconds["ours"])),
        median["ours"] / median["copy"],
        plain,
        None if plain is None else median["ours"] / plain,
    )


def turn(step: Step) -> float:
    """The median time of one call, over as many calls as fit into a turn (3 at least)."""
    times: list[float] = []
    while sum(times) < TURN or len(times) < 3:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def machine() -> dict[str, object]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def text(row: Row) -> str:
    beside = "" if row.times_plain is None else f"{row.times_plain:7.2f} times the plain step"
    return f"{row.name:50} {row.seconds * 1e3:9.3f} ms {row.copies:8.2f} copies {beside}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=sorted(BLOCKS), help="one block")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    rows: list[Row] = []
    for block, cases in BLOCKS.items():
        if arguments.only in (None, block):
            for one in cases():
                rows.append(measure(one, arguments.rounds))
                print(text(rows[-1]), file=sys.stderr if arguments.json else sys.stdout, flush=True)
    if arguments.json:
        print(json.dumps({"machine": machine(), "rounds": arguments.rounds, "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()
