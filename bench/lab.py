"""Every experiment of the lab, several times over: does its verdict stay, how long does it take, how much memory?

python bench/lab.py                  # all of them, five times each with other seeds
python bench/lab.py random-labels --runs 1
"""

import argparse
import json
import platform
import sys
import time
from collections import Counter

import torch

from gapless.lab.experiments import EXPERIMENTS
from gapless.lab.runner import run
from gapless.lab.setting import Lab


def peak_mib() -> float:
    if sys.platform == "win32":
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows: list[dict[str, object]] = []
    for experiment in EXPERIMENTS:
        if asked.names and experiment.name not in asked.names and experiment.row not in asked.names:
            continue
        begun = time.process_time()
        records = [run(experiment, Lab(), first=100 * turn) for turn in range(asked.runs)]
        words = Counter(record.finding.word for record in records)
        (word, times), *_ = words.most_common()
        cpu = (time.process_time() - begun) / asked.runs
        found = [f"{record.finding.word}: {record.finding.because}" for record in records]
        peak = round(peak_mib())
        rows.append({"name": experiment.name, "words": dict(words), "seconds": cpu, "peak_mib": peak, "found": found})
        if not asked.json:
            print(f"{experiment.row:3} {experiment.name:24} {word} {times}/{asked.runs}, {cpu:.1f} s, {peak} MiB")
            print("\n".join(f"      {line}" for line in found), flush=True)
    if asked.json:
        machine = {"machine": platform.processor(), "python": platform.python_version(), "torch": torch.__version__}
        print(json.dumps({"command": sys.argv, **machine, "experiments": rows}, indent=1))


if __name__ == "__main__":
    main()
