"""What the compiled image engine costs: its first use, its memory, a processor without AVX-512, a second thread.

    python bench/augment_costs.py [--json]

First use: a new process with an empty cache of compiled code, then another one. Memory: the peak of a pass over 60,000
pictures of 32x32 in batches of 256, into two batches that are used again. Processor: the code that is made for AVX2
beside that for this machine, in turns; and two threads beside one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import torch
from augment import CLASSIC, CROP, DRAWN, NORMAL, PHOTO, compiled, rand_augment, rate, trivial_augment
from photos import synthetic

from gapless.augment.image.cpu import interpreter as cpu

BATCH, PICTURES, SIDE = 256, 60_000, 32
AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def first_batch() -> dict[str, float]:
    pictures = np.zeros((BATCH, SIDE, SIDE, 3), np.uint8)
    start = time.perf_counter()
    program = CLASSIC.program(np.random.default_rng(0).random((BATCH, CLASSIC.columns)), SIDE, SIDE)
    cpu.run(program, pictures, NORMAL)
    return {"seconds": time.perf_counter() - start}


def memory() -> dict[str, float]:
    """The peak before there is a source (with what the engine loads), after source and batches, and after a pass."""
    first_batch()
    generator = np.random.default_rng(0)
    loaded = peak_mb()
    source = np.zeros((PICTURES, SIDE, SIDE, 3), np.uint8)
    source[:] = 1
    out = [torch.zeros(BATCH, 3, SIDE, SIDE) for _ in range(2)]
    held = peak_mb()
    for first in range(0, PICTURES, DRAWN):
        part = source[first : first + DRAWN]
        plan = cpu.prepare(CLASSIC.program(generator.random((len(part), CLASSIC.columns)), SIDE, SIDE), 3, NORMAL)
        for n, start in enumerate(range(0, len(part), BATCH)):
            batch = part[start : start + BATCH]
            plan.run(batch, start, out[n % 2][: len(batch)])
    batches = sum(tensor.nbytes for tensor in out) / 2**20
    return {
        "loaded_mb": loaded,
        "source_mb": source.nbytes / 2**20,
        "two_batches_mb": batches,
        "peak_mb": peak_mb(),
        "above_source_and_batches_mb": peak_mb() - loaded - source.nbytes / 2**20 - batches,
        "above_what_was_held_mb": peak_mb() - held,
    }


def speed() -> dict[str, float]:
    """Pictures a second, by as many threads as BENCH_THREADS says."""
    data, rates = synthetic(), {}
    for name, policy, pictures, count in (
        ("W1", CROP, data["i32"], 256),
        ("W2_32", CLASSIC, data["i32"], 256),
        ("RA_32", rand_augment(), data["i32"], 256),
        ("TA_32", trivial_augment(), data["i32"], 256),
        ("W2_224", CLASSIC, data["i224"], 32),
        ("W3", PHOTO, data["big"], 32),
    ):
        one = compiled(policy, pictures, count)
        rate(one, 0.2)
        rates[name] = rate(one, 0.5)
    return rates


PARTS = {"first": first_batch, "memory": memory, "speed": speed}


def process(part: str, **variables: str) -> tuple[dict[str, float], float]:
    """What a part says in a process of its own, and how long the process took."""
    start = time.perf_counter()
    command = [sys.executable, __file__, "--part", part]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
    return json.loads(done.stdout), time.perf_counter() - start


def measure(rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        new, new_process = process("first", NUMBA_CACHE_DIR=folder)
        later = [process("first", NUMBA_CACHE_DIR=folder) for _ in range(rounds)]
        rates: dict[str, list[dict[str, float]]] = {"native": [], "avx2": [], "two threads": []}
        for _ in range(rounds):
            rates["native"].append(process("speed", NUMBA_CACHE_DIR=folder)[0])
            rates["avx2"].append(process("speed", NUMBA_CACHE_DIR=folder, **AVX2)[0])
            rates["two threads"].append(process("speed", NUMBA_CACHE_DIR=folder, BENCH_THREADS="2")[0])

    def shares(what: str) -> dict[str, float]:
        pairs = list(zip(rates[what], rates["native"], strict=True))
        return {name: statistics.median(a[name] / n[name] for a, n in pairs) for name in rates["native"][0]}

    return {
        "first_use_seconds": new["seconds"],
        "first_use_process_seconds": new_process,
        "later_first_batch_seconds": statistics.median(said["seconds"] for said, _ in later),
        "later_process_seconds": statistics.median(seconds for _, seconds in later),
        "memory": process("memory")[0],
        "avx2_share_of_native_speed": shares("avx2"),
        "two_threads_over_one": shares("two threads"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, help="one part in this process, as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.part:
        print(json.dumps(PARTS[options.part]()))
        return
    document = measure(options.rounds) | {
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }
    if options.json:
        print(json.dumps(document, indent=1))
        return
    for name, value in document.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
