"""How long `gapless --help`, `--version` and `import gapless` take as whole processes, in turns.

python bench/startup.py [--json]
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
GAPLESS = str(Path(sys.executable).with_name("gapless"))
COMMANDS = {
    "gapless --help": ([GAPLESS, "--help"], 0.3),
    "gapless --version": ([GAPLESS, "--version"], 0.3),
    "import gapless": ([sys.executable, "-c", "import gapless"], None),
    "python alone": ([sys.executable, "-c", "pass"], None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS + 1):
        for name, (command, _) in COMMANDS.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - begun)
    rows = [
        {
            "command": name,
            "median_s": round(statistics.median(taken[1:]), 4),
            "max_s": round(max(taken[1:]), 4),
            "goal_s": COMMANDS[name][1],
        }
        for name, taken in seconds.items()
    ]
    if as_json:
        print(json.dumps({"machine": platform.platform(), "python": platform.python_version(), "rows": rows}, indent=1))
        return
    for row in rows:
        print(f"{row['command']:20} median {row['median_s']:.3f} s, slowest {row['max_s']:.3f} s, goal {row['goal_s']}")


if __name__ == "__main__":
    main()
