"""What `gapless tune` finds on the movie snippets of VADER's ground truth, and how its models fare on other domains.

    python bench/vader.py FOLDER [--minutes N] [--model M] [--workers N] [--rows N] [--translator T] [--out RUN]

FOLDER holds *_GroundTruth.txt (id, mean valence from -4 to 4, text), from additional_resources/hutto_ICWSM_2014.tar.gz
in the source distribution of vaderSentiment 3.3.2 (Hutto and Gilbert, ICWSM 2014). The label is the sign of the valence
where its size is above 0.5. 2,000 movie snippets are to train and choose on, the others for the verdict; amazon, tweets
and nyt are further test data. With --translator apertium the search may use back-translation as well.
"""

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

FILES = {
    "movie": "movieReviewSnippets",
    "amazon": "amazonReviewSnippets",
    "tweets": "tweets",
    "nyt": "nytEditorialSnippets",
}
TRAIN, NEUTRAL = 2000, 0.5


def snippets(path: Path) -> list[tuple[str, str]]:
    """Text and label of every snippet that is not neutral. A few bytes of the files are not UTF-8."""
    rows: list[tuple[str, str]] = []
    for line in path.read_bytes().decode("utf-8", "replace").splitlines():
        fields = line.split("\t", 2)
        if len(fields) == 3 and abs(float(fields[1])) > NEUTRAL:
            rows.append((fields[2], "positive" if float(fields[1]) > 0 else "negative"))
    return rows


def write_csv(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])


def arguments(folder: Path, chosen: argparse.Namespace) -> list[str]:
    """Writes a file for each domain and returns what to ask of the command."""
    for name, stem in FILES.items():
        write_csv(folder / f"{name}.csv", snippets(chosen.folder / f"{stem}_GroundTruth.txt"))
    further = [word for name in list(FILES)[1:] for word in ("--also", f"{name}={folder / name}.csv")]
    source = [str(folder / "movie.csv"), "--text", "text", "--target", "label", "--train-size", str(chosen.rows)]
    if chosen.translator is not None:
        source += ["--translator", chosen.translator]
    run = [
        "--minutes",
        str(chosen.minutes),
        "--workers",
        str(chosen.workers),
        "--model",
        chosen.model,
        "--out",
        str(chosen.out),
    ]
    return ["tune", *source, *further, *run]


def tried(out: Path) -> dict[str, int]:
    """How many recipes of the search have each operation on texts."""
    events = [json.loads(line) for line in (out / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    recipes = [event["recipe"] for event in events if event["event"] == "candidate"]
    return dict(Counter(op["op"] for recipe in recipes for op in recipe.get("augment", {}).get("ops", [])))


def figures(result: dict[str, Any], out: Path) -> dict[str, object]:
    """What the run is about, out of its result and its folder."""
    return {
        "verdict": result["verdict"],
        "plain": result["plain"]["confirm"]["mean"],
        "best": result["best"]["confirm"]["mean"],
        "gain": result["gain"],
        "gap": {side: result[side]["gap"] for side in ("plain", "best")},
        "pillars": {p["name"]: p["without"] for p in result["pillars"]},
        "drop": {e["name"]: {side: e[side]["drop"] for side in ("plain", "best")} for e in result["elsewhere"]},
        "gain elsewhere": {e["name"]: e["gain"] for e in result["elsewhere"]},
        "recipe": result["best"]["recipe"],
        "lr": result["best"]["lr"],
        "epochs": result["training"]["epochs"],
        "trials": result["trials"],
        "tried": tried(out),
        "seconds": result["seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--model", default="text-bag")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=TRAIN)
    parser.add_argument("--translator")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen.out = chosen.out or Path(folder, "run")
        command = [str(Path(sys.executable).with_name("gapless")), *arguments(Path(folder), chosen), "--json"]
        env = {**os.environ, "GAPLESS_LEDGER": str(Path(folder, "ledger"))}  # this verdict is no one's
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
        found = figures(json.loads(done.stdout), chosen.out)
    if chosen.json:
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "platform": platform.platform()}
        print(json.dumps({"machine": machine, "command": "gapless " + " ".join(command[1:]), **found}, indent=1))
    else:
        print("\n".join(f"{key:16} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
