"""The built-in text-bag, trained plain, beside TF-IDF + logistic regression on the same texts; and its speed.

    python bench/text_models.py --json [--seeds N] [--rows N] [--epochs N] [--model M] [--snippets FOLDER]

Corpora: made reviews (tests/truth/reviews.py) of 18 words, and a third as many of 200 words. With FOLDER, which holds
*_GroundTruth.txt as bench/vader.py describes it, its film snippets as well. Each seed draws its own rows; 1,500 others
are scored. The learning rate is the better of the first two of a search, on a fifth of the rows; then all rows are
trained on. Differences are in points of accuracy. Texts a second are of processor time in training, one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "truth"))
from reviews import reviews
from vader import FILES, snippets

from gapless.data import Rows, Task
from gapless.data.readers.texts import as_array
from gapless.data.splits import select_split
from gapless.data.task import with_model
from gapless.evidence.rivals import rivals
from gapless.recipe import Recipe
from gapless.search.space import RATES
from gapless.train.loop import Plan, Trainer, feed_of
from gapless.train.scores import score

ASKED = 1500

Corpus = Callable[[int], tuple[Rows, Rows]]
"""Rows to train on and rows to score, by a seed."""


def made(rows: int, length: float) -> Corpus:
    return lambda seed: (reviews(rows, seed, length), reviews(ASKED, seed + 1000, length))


def films(folder: Path, rows: int) -> Corpus:
    found = snippets(folder / f"{FILES['movie']}_GroundTruth.txt")
    texts, labels = as_array([text for text, _ in found]), np.array([label == "positive" for _, label in found])
    whole = Rows(texts, labels.astype(np.int64))

    def drawn(seed: int) -> tuple[Rows, Rows]:
        order = np.random.default_rng(seed).permutation(len(whole))
        return whole.take(order[:rows]), whole.take(order[rows : rows + ASKED])

    return drawn


def trained(task: Task, rows: np.ndarray, lr: float, seed: int, epochs: int) -> tuple[Trainer, float]:
    """The model, and the texts a second it was trained with."""
    trainer = Trainer(task, rows, Recipe(), lr, seed, Plan(epochs), task.develop)
    begun = time.process_time()
    trainer.run_to(epochs)
    return trainer, epochs * len(rows) / (time.process_time() - begun)


def measured(task: Task, seed: int, epochs: int) -> dict[str, float]:
    assert task.confirm is not None
    train, select = select_split(task.develop.y, 0, seed)
    tried = {lr: trained(task, train, lr, seed, epochs)[0] for lr in RATES["adamw"].first}
    lr = max(tried, key=lambda rate: score(tried[rate].model, tried[rate].feed, select).mean)
    trainer, speed = trained(task, np.arange(len(task.develop)), lr, seed, epochs)
    ours = score(trainer.model, feed_of(task.confirm, trainer.scale, 2, trainer.device)).mean
    floor, linear = rivals(task, 600, task.confirm, seed)
    assert floor.score is not None and linear.score is not None
    return {
        "commonest": floor.score,
        "tf-idf": linear.score,
        "ours": ours,
        "difference": 100 * (ours - linear.score),
        "lr": lr,
        "texts/s": round(speed),
        "tf-idf seconds": linear.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--model", default="text-bag")
    parser.add_argument("--snippets", type=Path)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    corpora = {"short reviews": made(chosen.rows, 18), "long reviews": made(chosen.rows // 3, 200)}
    if chosen.snippets:
        corpora["film snippets"] = films(chosen.snippets, chosen.rows)
    found: dict[str, dict[str, object]] = {}
    for name, corpus in corpora.items():
        each: list[dict[str, float]] = []
        for seed in range(chosen.seeds):
            develop, asked = corpus(seed)
            task = with_model(Task(name, develop, asked, ("bad", "good")), chosen.model)
            each.append(measured(task, seed, chosen.epochs))
        differences = [one["difference"] for one in each]
        spread = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else None
        found[name] = {"difference": statistics.mean(differences), "standard error": spread, "seeds": each}
    if chosen.json:
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "platform": platform.platform()}
        print(json.dumps({"machine": machine, "torch": torch.__version__, "command": sys.argv[1:], **found}, indent=1))
    else:
        for name, one in found.items():
            print(f"{name}: {one['difference']:+.1f} points beside TF-IDF + logistic regression")


if __name__ == "__main__":
    main()
