"""Pictures a second of gapless's loader, beside torch's DataLoader with the same work, and the memory it needs.

    python bench/loader.py [--rounds N] [--seconds S] [--json]

`arrays` and `mapped`: 32x32 RGB in memory and mapped from a file, rotation 15, scale .25, translation .1, shear 10,
flip, brightness, contrast and saturation .2, batches of 256. `files`: JPEG photos of about 500x375, random resized
crop to 224, flip, brightness, contrast and saturation .4, batches of 32. Everybody gives normalised float32 batches in
shuffled order and runs in turns with the others; every process has one torch thread.

loader N: gapless's loader with N threads, beside the one that takes the batches. collate N: torch's DataLoader with N
workers and gapless's `Collate`. torch N: the DataLoader with the torch interpreter in its collate function. pillow N:
the DataLoader over a data set that does the same work with Pillow, picture by picture.

memory (Linux): a process of its own goes over 60,000 pictures: how far its peak rises above what it held with the
pictures (pages of a mapped file not counted) and the compiled code in memory, against the bytes of two batches; and
what Python and numpy hold at most in a later epoch, beyond that.
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
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.utils.data import DataLoader

from gapless.augment.image import Policy, Step, run
from gapless.augment.image.cpu.interpreter import Normal
from gapless.data import Collate, Files, Indexed, Loader, Order

NORMAL = Normal((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PLACES = (("rotate", 15), ("scale", 0.25), ("translate_x", 0.1), ("translate_y", 0.1), ("shear_x", 10))
SMALL = Policy(
    (
        *(Step(name, strength) for name, strength in PLACES),
        Step("flip_x", 1, 0.5),
        *(Step(name, 0.2) for name in ("brightness", "contrast", "saturation")),
    )
)
LARGE = Policy(
    (
        Step("resized_crop", 0.92),
        Step("flip_x", 1, 0.5),
        *(Step(name, 0.4) for name in ("brightness", "contrast", "saturation")),
    ),
    size=(224, 224),
)
REPEATS = 8
"""How often an epoch goes over the files: where it has few batches, the threads wait for each other at its end."""
MEMORY = """
import sys, tracemalloc
from pathlib import Path
import numpy as np, torch
sys.path.insert(0, {here!r})
from loader import NORMAL, SMALL
from gapless.data import Loader
torch.set_num_threads(1)
x = np.load({path!r}, mmap_mode="r")
if not {mapped}:
    x = np.array(x)
y = np.arange(len(x))
for _ in Loader(x[:512].copy(), y[:512], SMALL, 8, normal=NORMAL, threads={threads}):
    pass
def held(entry):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(entry)).split()[1]) / 1024
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before, files = held("VmRSS"), held("RssFile")
loader = Loader(x, y, SMALL, 256, normal=NORMAL, threads={threads})
for _ in loader:
    pass
rise = held("VmHWM") - before - (held("RssFile") - files)
tracemalloc.start()
for _ in loader:
    pass
print(rise, tracemalloc.get_traced_memory()[1] / 2**20)
"""


class Pictures:
    """An array's pictures with their labels."""

    def __init__(self, x: np.ndarray, give: Callable[[np.ndarray], Any] = np.asarray):
        self.x, self.give = x, give

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        return self.give(self.x[row]), row


class Photos:
    """Decoded files, or files augmented by Pillow."""

    def __init__(self, paths: list[Path], varied: bool):
        self.paths, self.varied = paths, varied

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        with Image.open(self.paths[row]) as photo:
            return (by_pillow(photo) if self.varied else photo.convert("RGB")), row


MEAN, DEVIATION = (torch.tensor(v).view(-1, 1, 1) for v in (NORMAL.mean, NORMAL.deviation))


def by_pillow(photo: Image.Image) -> Tensor:
    """A random resized crop, flip, brightness, contrast and saturation, normalised."""
    u = torch.rand(8).tolist()
    area, ratio = photo.width * photo.height * (0.08 + 0.92 * u[0]), (3 / 4) ** (2 * u[1] - 1)
    width, height = min(photo.width, (area * ratio) ** 0.5), min(photo.height, (area / ratio) ** 0.5)
    left, top = u[2] * (photo.width - width), u[3] * (photo.height - height)
    box = (left, top, left + width, top + height)
    out = photo.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR, box)
    if u[4] < 0.5:
        out = out.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance, chance in zip(
        (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), u[5:], strict=True
    ):
        out = enhance(out).enhance(0.6 + 0.8 * chance)
    levels = torch.from_numpy(np.array(out)).permute(2, 0, 1).float().div_(255)
    return levels.sub_(MEAN).div_(DEVIATION)


def by_torch(items: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """The batch, augmented by the torch interpreter."""
    levels = torch.stack([picture for picture, _ in items]).float().div_(255)
    u = torch.rand(len(items), SMALL.columns, dtype=torch.float64).numpy()
    out = run(SMALL.program(u, 32, 32), levels)
    return (out - MEAN).div_(DEVIATION), torch.tensor([label for _, label in items])


def planes(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture.transpose(2, 0, 1).copy())


def loaders(x: np.ndarray, mapped: np.ndarray, paths: list[Path]) -> dict[str, dict[str, Iterable[Any]]]:
    found: dict[str, dict[str, Iterable[Any]]] = {"arrays": {}, "mapped": {}, "files": {}}
    labels = np.arange(len(x))
    for threads in (1, 2):
        for name, pictures in (("arrays", x), ("mapped", mapped)):
            found[name][f"loader {threads}"] = Loader(pictures, labels, SMALL, 256, normal=NORMAL, threads=threads)
        found["files"][f"loader {threads}"] = Loader(
            Files(paths * REPEATS), None, LARGE, 32, normal=NORMAL, threads=threads
        )
    for workers in (0, 2):
        common: dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0}
        for name, pictures in (("arrays", x), ("mapped", mapped)):
            ours: Any = Indexed(Pictures(pictures))
            found[name][f"collate {workers}"] = DataLoader(
                ours, 256, sampler=Order(len(x)), collate_fn=Collate(SMALL, NORMAL), **common
            )
            plain: Any = Pictures(pictures, planes)
            found[name][f"torch {workers}"] = DataLoader(plain, 256, shuffle=True, collate_fn=by_torch, **common)
        ours = Indexed(Photos(paths * REPEATS, varied=False))
        found["files"][f"collate {workers}"] = DataLoader(
            ours, 32, sampler=Order(len(paths) * REPEATS), collate_fn=Collate(LARGE, NORMAL), **common
        )
        plain = Photos(paths * REPEATS, varied=True)
        found["files"][f"pillow {workers}"] = DataLoader(plain, 32, shuffle=True, **common)
    return found


def endless(loader: Iterable[Any]) -> Iterator[int]:
    """How many pictures each batch holds, pass after pass."""
    while True:
        for images, _ in loader:
            yield len(images)


def rate(batches: Iterator[int], seconds: float) -> float:
    count, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        count += next(batches)
    return count / passed


def write_files(folder: Path) -> tuple[np.ndarray, np.ndarray, list[Path]]:
    """Crops of the two photos that scikit-learn brings: small ones in an array and a file, large ones in JPEG files."""
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    rng = np.random.default_rng(0)

    def crop(photo: Image.Image, height: int, width: int) -> Image.Image:
        left, top = (int(v) for v in rng.integers(0, (photo.width - 450, photo.height - 350)))
        return photo.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + 450, top + 350))

    paths = [folder / f"{number:03}.jpg" for number in range(128)]
    for path, photo in zip(paths, cycle(photos), strict=False):
        crop(photo, *(int(v) for v in rng.integers((340, 460), (411, 541)))).save(path, quality=92)
    few = np.stack([np.asarray(crop(photo, 32, 32)) for photo in photos * 128])
    x = few[rng.integers(0, len(few), 16_384)]
    np.save(folder / "x.npy", x)
    return x, np.load(folder / "x.npy", mmap_mode="r"), paths


def memory(folder: Path) -> list[dict[str, Any]]:
    """In MB."""
    np.save(folder / "large.npy", np.random.default_rng(0).integers(0, 256, (60_000, 32, 32, 3), np.uint8))
    rows: list[dict[str, Any]] = []
    for source in ("arrays", "mapped"):
        for threads in (1, 2):
            path, mapped = str(folder / "large.npy"), source == "mapped"
            program = MEMORY.format(here=str(Path(__file__).parent), path=path, mapped=mapped, threads=threads)
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            rise, traced = (float(word) for word in done.stdout.split())
            rows.append(
                {
                    "source": source,
                    "threads": threads,
                    "two_batches": 2 * 256 * 32 * 32 * 3 * 4 / 2**20,
                    "peak_rises_by": round(rise, 1),
                    "python_holds_more": round(traced, 2),
                }
            )
    return rows


def measure(folder: Path, rounds: int, seconds: float) -> dict[str, dict[str, dict[str, float]]]:
    contestants = {
        name: {who: endless(loader) for who, loader in entries.items()}
        for name, entries in loaders(*write_files(folder)).items()
    }
    taken: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        for name, entries in contestants.items():
            for who, batches in entries.items():
                if not number:
                    next(batches)
                    continue
                rate(batches, seconds / 5)  # what the others' turns left in buffers and queues
                taken.setdefault((name, who), []).append(rate(batches, seconds))
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (name, who), rates in taken.items():
        found.setdefault(name, {})[who] = {
            "median": round(statistics.median(rates)), "low": round(min(rates)), "high": round(max(rates)),
        }  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rates, held = measure(Path(folder), chosen.rounds, chosen.seconds), memory(Path(folder))
        document = {
            "unit": "pictures a second",
            "rates": rates,
            "memory_mb": held,
            "machine": {"platform": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()},
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
        }
    if chosen.json:
        print(json.dumps(document, indent=1))
        return
    for name, entries in rates.items():
        for who, found in entries.items():
            print(f"{name:8} {who:10} {found['median']:9} ({found['low']} to {found['high']})")
    for row in held:
        print(row)


if __name__ == "__main__":
    main()
