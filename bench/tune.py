"""What `gapless tune` reaches on real data within its budget, against the goals of the project.

    python bench/tune.py [CASE ...] [--json]

Cases: digits (all of it, 2 minutes), digits-150 (3 minutes), fashion-1000 (10 minutes), repeat (one command twice),
and peer-digits-150, peer-fashion-1000: the rows that scikit-learn's `train_test_split(train_size=N, stratify=y,
random_state=0)` draws, so that another tool can be run on the same rows.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SAMPLE = 0.25
"""Seconds between looks at the memory of the command and its workers."""


@dataclass(frozen=True)
class Case:
    """A command and what it should reach: seconds at most, score and gain at least, megabytes at most."""

    arguments: tuple[str, ...]
    seconds: float
    score: float = 0.0
    gain: float = 0.0
    memory: float = 2000.0


CASES = {
    "digits": Case(("digits", "--minutes", "2"), 144),
    "digits-150": Case(("digits", "--train-size", "150", "--minutes", "3"), 216, 0.955),
    "fashion-1000": Case(
        ("fashion-mnist", "--train-size", "1000", "--model", "cnn", "--minutes", "10"), 720, 0.815, 0.02
    ),
    "peer-digits-150": Case(("{digits}", "--model", "cnn", "--minutes", "3"), 216, 0.955),
    "peer-fashion-1000": Case(("{fashion}", "--model", "cnn", "--minutes", "10"), 720, 0.815, 0.02),
}


def peer_digits(folder: Path) -> Path:
    x, y = load_digits(return_X_y=True)
    x = np.round(x.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    return _save(folder / "digits.npz", x, y, 150)


def peer_fashion(folder: Path) -> Path:
    from gapless.data.readers.builtin import fashion_mnist

    task = fashion_mnist(None)
    assert task.confirm is not None
    x, _, y, _ = train_test_split(
        task.develop.x, task.develop.y, train_size=1000, stratify=task.develop.y, random_state=0
    )
    np.savez(folder / "fashion.npz", x=x, y=y, x_test=task.confirm.x, y_test=task.confirm.y)
    return folder / "fashion.npz"


def _save(path: Path, x: np.ndarray, y: np.ndarray, train_size: int) -> Path:
    train, test, labels, truth = train_test_split(x, y, train_size=train_size, stratify=y, random_state=0)
    np.savez(path, x=train, y=labels, x_test=test, y_test=truth)
    return path


def descendants(root: int) -> list[int]:
    """The process and all its children, by the kernel's list."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
        except (OSError, ValueError, IndexError):
            continue
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += parents.get(found[-1], [])
    return found


def memory(root: int) -> float:
    """Megabytes that the processes hold together, shared pages counted once (proportional set size)."""
    total = 0
    for pid in descendants(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return total / 1000


def measure(arguments: list[str], out: Path) -> dict[str, object]:
    """Runs `gapless tune`; wall seconds, peak memory, and what result.json says."""
    command = [str(Path(sys.executable).with_name("gapless")), "tune", *arguments, "--out", str(out)]
    begun, peak = time.perf_counter(), 0.0
    env = {**os.environ, "GAPLESS_LEDGER": str(out.with_name("ledger"))}  # these verdicts are no one's
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(SAMPLE)
        seconds = time.perf_counter() - begun
        assert process.stderr is not None
        said = process.stderr.read()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}:\n{said}")
    result = json.loads((out / "result.json").read_text())
    return {"seconds": round(seconds, 1), "peak_mb": round(peak), "result": result}


def reach(name: str, case: Case, folder: Path) -> dict[str, object]:
    made = {"{digits}": peer_digits, "{fashion}": peer_fashion}
    arguments = [str(made[a](folder)) if a in made else a for a in case.arguments]
    found = measure(arguments, folder / name)
    result = found.pop("result")
    assert isinstance(result, dict)
    return {
        "case": name,
        "command": "gapless tune " + " ".join(case.arguments),
        **found,
        "seconds_goal": case.seconds,
        "verdict": result["verdict"],
        "plain": result["plain"]["confirm"]["mean"],
        "best": result["best"]["confirm"]["mean"],
        "best_goal": case.score,
        "gain": result["gain"],
        "gain_goal": case.gain,
        "memory_goal_mb": case.memory,
        "optimism": result["selection_optimism"],
        "trials": result["trials"],
        "epochs": result["training"]["epochs"],
        "recipe": result["best"]["recipe"],
        "lr": result["best"]["lr"],
    }


def repeat(folder: Path) -> dict[str, object]:
    """The same command and seed twice: the same recipe and the same figures."""
    arguments = ["digits", "--train-size", "200", "--trials", "12", "--workers", "1", "--epochs", "20"]
    runs = []
    for i in range(2):
        result = measure(arguments, folder / f"repeat-{i}")["result"]
        assert isinstance(result, dict)
        runs.append({k: v for k, v in result.items() if k != "seconds"})
    return {"case": "repeat", "command": "gapless tune " + " ".join(arguments), "same": runs[0] == runs[1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["digits", "digits-150", "fashion-1000", "repeat"])
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.cases:
            row = repeat(Path(folder)) if name == "repeat" else reach(name, CASES[name], Path(folder))
            rows.append(row)
            if not chosen.json:
                print("\n".join(f"{key:16} {value}" for key, value in row.items()), end="\n\n", flush=True)
    if chosen.json:
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "platform": platform.platform()}
        print(json.dumps({"machine": machine, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
