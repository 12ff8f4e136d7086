"""What `gapless tune` makes of sets at which it used to judge models that were hardly trained.

    python bench/search.py [SET ...] [--seeds 3] [--json]

Each set of `search_sets.py` is searched with its budget and two workers. Told are the scores on new rows of the model
that is handed over, of the plain model and of the best quick model of scikit-learn, and how long it took. Goals are
scores at least, for sets of these sizes and kinds; the sets themselves were drawn for this script.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """A set, its budget in minutes, and the score that is asked for; None where a verdict in time is all."""

    name: str
    minutes: float
    goal: float | None


CASES = (Case("numbers", 2, 0.88), Case("reviews", 3, 0.875), Case("colours", 4, 0.77), Case("grays", 5, None))


@dataclass(frozen=True)
class Row:
    """What one run came to. epochs: of recipes, and what the plain model needs."""

    name: str
    seed: int
    verdict: str
    handed: float
    plain: float
    best: float
    quick: float
    gain: tuple[float, float, float]
    epochs: int
    needed: int
    trainings: int
    seconds: float
    in_time: bool
    goal: float | None
    reached: bool


def run(case: Case, seed: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gapless", "tune", f"search_sets:{case.name}_task"]
        options = [
            "--minutes",
            str(case.minutes),
            "--workers",
            "2",
            "--seed",
            str(seed),
            "--json",
            "--out",
            folder + "/run",
        ]
        begun = time.monotonic()
        env = {**os.environ, "GAPLESS_LEDGER": folder + "/ledger"}  # these verdicts are no one's
        done = subprocess.run([*command, *options], cwd=HERE, env=env, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"{case.name}: {done.stderr}")
    result = json.loads(done.stdout)
    plain, best = (result[side]["confirm"]["mean"] for side in ("plain", "best"))
    handed = best if result["verdict"] == "improved" else plain
    quick = max((q["score"] for q in result["quick"] if q["score"] is not None), default=float("nan"))
    gain = tuple(result["gain"][end] for end in ("mean", "low", "high"))
    training = result["training"]
    return Row(
        case.name,
        seed,
        result["verdict"],
        handed,
        plain,
        best,
        quick,
        gain,
        training["epochs"],
        training["length"]["epochs"],
        sum(result["trials"].values()),
        seconds,
        seconds <= 66 * case.minutes,
        case.goal,
        case.goal is None or handed >= case.goal,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help=", ".join(c.name for c in CASES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows: list[Row] = []
    for case in CASES:
        if chosen.sets and case.name not in chosen.sets:
            continue
        for seed in range(chosen.seeds):
            row = run(case, seed)
            rows.append(row)
            if not chosen.json:
                print(
                    f"{row.name:8} seed {row.seed}: {row.verdict:18} handed {row.handed:.3f} (goal {row.goal or '-'}), "
                    f"plain {row.plain:.3f}, best {row.best:.3f}, quick {row.quick:.3f}, gain {row.gain[0]:+.3f} "
                    f"({row.gain[1]:+.3f} to {row.gain[2]:+.3f}), {row.epochs} epochs (plain needs {row.needed}), "
                    f"{row.trainings} trainings, {row.seconds:.0f} s",
                    flush=True,
                )
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
