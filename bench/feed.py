"""What augmentation adds to an epoch of training: the built-in cnn under the classic operations, augmented by the torch
and by the compiled interpreter, beside an epoch without augmentation.

    python bench/feed.py [--rounds N] [--json]

One thread, batches of 64, the three in turns. Also how long a process waits for the compiled interpreter: once after
installing, when it is compiled, and in every later process, when it is loaded. `gapless.train.batches.COMPILED_FROM`
was chosen by this: the run that begins to gain is the one whose training takes longer than `pays_after_s`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

from gapless.data import Rows, Task
from gapless.models import ModelOptions, choose
from gapless.recipe import Recipe, preset
from gapless.train.batches import COMPILED_FROM, Feed
from gapless.train.loop import Plan, Trainer
from gapless.train.memory import keep_big_blocks

SHAPES = {
    "8x8 gray": (8, 8, 1),
    "28x28 gray": (28, 28, 1),
    "32x32 RGB": (32, 32, 3),
    "48x48 RGB": (48, 48, 3),
    "64x64 RGB": (64, 64, 3),
    "128x128 RGB": (128, 128, 3),
}
PIXELS = 3_000_000
"""Numbers in the pictures of an epoch: enough that it takes some tenths of a second."""
FIRST = """
import time
import numpy as np
from gapless.augment.image import cpu
from gapless.recipe import preset
policy = preset("image", "classic").augment.policy()
program = policy.program(np.full((2, policy.columns), 0.3), 8, 8)
begun = time.perf_counter()
cpu.run(program, np.zeros((2, 8, 8, 3), np.uint8))
print(time.perf_counter() - begun)
"""


class Epochs:
    """Epochs of one training."""

    def __init__(self, shape: tuple[int, int, int], recipe: Recipe, compiled: bool):
        count = max(256, min(2048, PIXELS // int(np.prod(shape))))
        rng = np.random.default_rng(0)
        rows = Rows(rng.integers(0, 256, (count, *shape), np.uint8), rng.integers(0, 10, count))
        task = Task("noise", rows, classes=tuple("0123456789"))
        _, build = choose("cnn", "image", task.shape, 10, (), ModelOptions(None))
        task = Task("noise", rows, classes=task.classes, model=build)
        self.trainer = Trainer(task, np.arange(count), recipe, 1e-3, 0, Plan(10**6, 64), rows)
        assert isinstance(self.trainer.feed, Feed)
        self.trainer.feed.compiled = compiled
        self.count = count

    def seconds(self) -> float:
        begun = time.perf_counter()
        self.trainer.run_to(self.trainer.epoch + 1)
        return (time.perf_counter() - begun) / self.count


def measure(shape: tuple[int, int, int], rounds: int, compile_seconds: float) -> dict[str, object]:
    """Microseconds a picture; augmentation alone is the classic recipe without its other pillars."""
    part = preset("image", "classic").augment
    classic = Recipe().replace("augment", part)
    contestants = {
        "none": Epochs(shape, Recipe(), False),
        "torch": Epochs(shape, classic, False),
        "compiled": Epochs(shape, classic, True),
    }
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, epochs in contestants.items():
            taken[name].append(epochs.seconds())
    middle = {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}
    ratio = statistics.median(a / b for a, b in zip(taken["compiled"][1:], taken["torch"][1:], strict=True))
    return {
        "us_a_picture": {name: round(1e6 * seconds, 1) for name, seconds in middle.items()},
        "compiled_to_torch": round(ratio, 4),
        "pays_after_s": round(compile_seconds / (1 - ratio)) if ratio < 1 else None,
        "used": int(np.prod(shape)) >= COMPILED_FROM,
    }


def first_use() -> dict[str, float]:
    """Seconds until the first batch, with an empty cache of compiled code and with a full one."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            subprocess.run(
                [sys.executable, "-c", FIRST],
                env=os.environ | {"NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            for _ in range(2)
        ]
    return {name: round(float(run.stdout), 2) for name, run in zip(("compiling", "loading"), runs, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_big_blocks()
    first = first_use()
    rows = {name: measure(shape, chosen.rounds, first["compiling"]) for name, shape in SHAPES.items()}
    if chosen.json:
        machine = {"platform": platform.platform(), "torch": torch.__version__, "python": platform.python_version()}
        print(json.dumps({"machine": machine, "first_use_s": first, "rows": rows}, indent=1))
        return
    print(f"first use: {first['compiling']} s compiling, {first['loading']} s in later processes")
    for name, row in rows.items():
        print(
            f"{name:12} {row['us_a_picture']} us a picture, compiled / torch {row['compiled_to_torch']}, "
            f"pays after {row['pays_after_s']} s of training"
        )


if __name__ == "__main__":
    main()
