"""What the pillars cost in a training step of the built-in cnn: dropout 0.2, batch norm and weight decay against the
same step with the same batch norm alone.

    python bench/step.py [--rounds N] [--json]

Both run in turns: forward, backward and optimizer (AdamW, fused), batches of 64, one thread, channels last, large
blocks kept in the heap as in every training of gapless. Goal: 1.15 at most.
"""

import argparse
import json
import platform
import statistics
import time

import torch
from torch.nn import functional

from gapless.models import CNN
from gapless.recipe import BatchNorm, Decay, Dropout, Recipe
from gapless.train.memory import keep_big_blocks

GOAL = 1.15
STEPS = 20
SIZES = {"28x28 gray": (1, 28), "32x32 RGB": (3, 32), "64x64 RGB": (3, 64)}
NORM = Recipe(batchnorm=BatchNorm(insert=True))
RECIPES = {
    "plain": Recipe(),
    "batch norm": NORM,
    "batch norm, decay, dropout 0.2 before the head": NORM.replace("dropout", Dropout(hidden=0.2)),
    "batch norm, decay, dropout 0.2 everywhere": NORM.replace("dropout", Dropout(hidden=0.2, channel=0.2)),
}


class Step:
    """Training steps of one recipe on one batch."""

    def __init__(self, recipe: Recipe, channels: int, size: int):
        torch.manual_seed(0)
        self.model = CNN(channels, 10, size)
        recipe.attach(self.model)
        self.model.to(memory_format=torch.channels_last)
        self.optimizer = recipe.optimizer(self.model, lr=1e-3)
        self.images = torch.rand(64, channels, size, size).contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(10, (64,))

    def seconds(self) -> float:
        begun = time.perf_counter()
        for _ in range(STEPS):
            loss = functional.cross_entropy(self.model(self.images), self.labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        return (time.perf_counter() - begun) / STEPS


def measure(channels: int, size: int, rounds: int) -> list[dict[str, object]]:
    steps = {
        name: Step(recipe.replace("decay", Decay(strength=0.05)) if recipe.dropout.active else recipe, channels, size)
        for name, recipe in RECIPES.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            taken[name].append(step.seconds())
    beside = taken["batch norm"][1:]
    return [
        {
            "recipe": name,
            "ms": round(1e3 * statistics.median(seconds[1:]), 3),
            "ratio": round(statistics.median(a / b for a, b in zip(seconds[1:], beside, strict=True)), 3),
            "goal": GOAL if "dropout" in name else None,
        }
        for name, seconds in taken.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_big_blocks()
    rows = {name: measure(*shape, chosen.rounds) for name, shape in SIZES.items()}
    if chosen.json:
        machine = {"platform": platform.platform(), "torch": torch.__version__, "python": platform.python_version()}
        print(json.dumps({"machine": machine, "rows": rows}, indent=1))
        return
    for name, found in rows.items():
        for row in found:
            goal = f", goal {row['goal']}" if row["goal"] else ""
            print(f"{name:12} {row['recipe']:48} {row['ms']:8} ms, {row['ratio']} times batch norm alone{goal}")


if __name__ == "__main__":
    main()
