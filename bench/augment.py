"""How many pictures a second the image engine augments, from uint8 in memory to a normalised float32 NCHW batch.

    python bench/augment.py --json            the compiled and the torch interpreter, and OpenCV by hand, in turns

Started by the peers' runner, which makes its module `common` importable, it answers the runner's requests instead.
Workloads: W1 pad 4, crop, flip at 32. W2 rotation 15, scale 0.8-1.2, translation .1, shear 10, flip, brightness,
contrast, saturation .2 at 32, at 28 gray, at 224. W3 decoded photos: random resized crop to 224, flip, colour jitter
.4 .4 .4 and hue .1, antialiased. RA and TA: RandAugment(2, 9) and TrivialAugment (wide). W5: W3 from JPEG bytes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from photos import synthetic

from gapless.augment.image import Policy, Step
from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.cpu.rows_read import rows_read
from gapless.augment.image.torch.interpreter import run as run_torch
from gapless.data.loader.jpeg_rows import Layout, decode_rows, layout

THREADS = int(os.environ.get("BENCH_THREADS", "1"))
CORES = sorted(os.sched_getaffinity(0))
DRAWN = 2048
"""Pictures that are drawn together."""
GROUP = 8
"""Files that are decoded together."""
NORMAL = cpu.Normal((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
GRAY = cpu.Normal((0.5,), (0.5,))


def steps(*entries: tuple[Any, ...]) -> tuple[Step, ...]:
    return tuple(Step(*entry) for entry in entries)


CROP = Policy(steps(("shift_x", 4), ("shift_y", 4), ("flip_x", 1, 0.5)))
PLACES = (("rotate", 15), ("scale", 0.2), ("translate_x", 0.1), ("translate_y", 0.1), ("shear_x", 10))
COLOURS = (("brightness", 0.2), ("contrast", 0.2), ("saturation", 0.2))
CLASSIC = Policy(steps(*PLACES, ("flip_x", 1, 0.5), *COLOURS))
CLASSIC_GRAY = Policy(steps(*PLACES, ("flip_x", 1, 0.5), *COLOURS[:2]))
JITTER = (("brightness", 0.4), ("contrast", 0.4), ("saturation", 0.4))
PHOTO = Policy(steps(("resized_crop", 0.92), ("flip_x", 1, 0.5), *JITTER, ("hue", 36)), size=(224, 224))
PHOTO_YIQ = Policy(steps(("resized_crop", 0.92), ("flip_x", 1, 0.5), *JITTER, ("hue_matrix", 36)), size=(224, 224))
SHARED = (("autocontrast", 1), ("equalize", 1))


def rand_augment() -> Policy:
    """Two of 14, magnitude 9 of 30, of the ranges in Cubuk et al., arXiv 1909.13719."""
    m = 0.3
    shear, move = np.degrees(np.arctan(0.3 * m)), 150 / 331 * m
    places = (("shear_x", shear), ("shear_y", shear), ("translate_x", move), ("translate_y", move), ("rotate", 30 * m))
    levels = tuple((name, 0.9 * m) for name in ("brightness", "saturation", "contrast", "sharpness"))
    always = tuple(
        (*entry, 1.0, "full") for entry in (*places, *levels, ("posterize", 1), ("solarize", 256 * m), *SHARED)
    )
    return Policy(steps(*always), pick=2)


def trivial_augment() -> Policy:
    """One of 14, any magnitude of the wide ranges of Mueller and Hutter, arXiv 2103.10158."""
    shear = np.degrees(np.arctan(0.99))
    places = (("shear_x", shear), ("shear_y", shear), ("shift_x", 32), ("shift_y", 32), ("rotate", 135))
    levels = tuple((name, 0.99) for name in ("brightness", "saturation", "contrast", "sharpness"))
    return Policy(steps(*places, *levels, ("posterize", 6), ("solarize", 256), *SHARED), pick=1)


def batches(pictures: Any, count: int) -> Callable[[], Any]:
    start = 0

    def following() -> Any:
        nonlocal start
        if start + count > len(pictures):
            start = 0
        start += count
        return pictures[start - count : start]

    return following


def plans(policy: Policy, pictures: Any, count: int, normal: cpu.Normal) -> Callable[[], tuple[Any, cpu.Plan, int]]:
    """The next batch with its plan and its place in it, every picture with draws of its own.

    A plan is for many batches, as a loader makes it that knows what comes.
    """
    generator, following = np.random.default_rng(0), batches(pictures, count)
    drawn: deque[tuple[Any, cpu.Plan, int]] = deque()

    def draw() -> None:
        ahead = [following() for _ in range(DRAWN // count)]
        if isinstance(pictures, np.ndarray):
            height, width = pictures.shape[1:3]
        else:
            height, width = np.array([picture.shape[:2] for batch in ahead for picture in batch]).T
        program = policy.program(generator.random((len(ahead) * count, policy.columns)), height, width)
        plan = cpu.prepare(program, pictures[0].shape[-1], normal)
        drawn.extend((batch, plan, n * count) for n, batch in enumerate(ahead))

    def one() -> tuple[Any, cpu.Plan, int]:
        if not drawn:
            draw()
        return drawn.popleft()

    return one


def in_turns(work: Callable[[], Callable[[torch.Tensor], None]], shape: tuple[int, ...]) -> Callable[[], torch.Tensor]:
    """One batch after the other, into memory that is used again.

    work: makes what fills a batch; every thread has its own. Who asks for a batch takes one that another thread has
    ready, or else fills one. The others keep to cores of their own, since the scheduler of a busy machine puts threads
    that wake each other on one. Threads begin when the first batch is asked for.
    """
    fill, own = work(), torch.empty(shape)
    full: SimpleQueue[tuple[torch.Tensor, SimpleQueue[torch.Tensor]]] = SimpleQueue()
    begun: list[threading.Thread] = []
    taken: list[tuple[torch.Tensor, SimpleQueue[torch.Tensor]]] = []

    def loop(core: int) -> None:
        os.sched_setaffinity(threading.get_native_id(), {core})
        fill, free = work(), SimpleQueue[torch.Tensor]()
        for _ in range(2):
            free.put(torch.empty(shape))
        while True:
            out = free.get()
            fill(out)
            full.put((out, free))

    def one() -> torch.Tensor:
        while taken:
            out, free = taken.pop()
            free.put(out)
        while len(begun) < THREADS - 1:
            begun.append(threading.Thread(target=loop, args=(CORES[(len(begun) + 1) % len(CORES)],), daemon=True))
            begun[-1].start()
        if full.empty():
            fill(own)
            return own
        taken.append(full.get())
        return taken[0][0]

    return one


def compiled(policy: Policy, pictures: Any, count: int, normal: cpu.Normal = NORMAL) -> Callable[[], torch.Tensor]:
    """One batch after the other; with other threads, the next is drawn while they are at this one."""
    following = plans(policy, pictures, count, normal)
    out = torch.empty((count, pictures[0].shape[-1], *(policy.size or pictures[0].shape[:2])))
    drawn = [following()]

    def one() -> torch.Tensor:
        batch, plan, start = drawn.pop()
        return plan.run(batch, start, out, THREADS, meanwhile=lambda: drawn.append(following()))

    return one


def keep_apart() -> None:
    """Each thread on a core of its own: the scheduler of a busy machine puts threads that wake each other on one."""
    if THREADS > 1:
        compiled(CROP, np.zeros((DRAWN, 32, 32, 3), np.uint8), 256)()  # begins the threads
        helpers = [thread for thread in threading.enumerate() if thread.name.startswith("gapless-pictures")]
        for thread, core in zip([threading.main_thread(), *helpers], CORES, strict=False):
            os.sched_setaffinity(thread.native_id or 0, {core})


def batched(
    policy: Policy, pictures: np.ndarray, count: int, normal: cpu.Normal = NORMAL
) -> Callable[[], torch.Tensor]:
    following, generator = (
        batches(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()), count),
        np.random.default_rng(0),
    )
    mean, deviation = (torch.tensor(v).view(-1, 1, 1) for v in (normal.mean, normal.deviation))

    def one() -> torch.Tensor:
        batch = following()
        u = generator.random((count, policy.columns))
        out = run_torch(policy.program(u, *batch.shape[2:]), batch.float().div_(255))
        return (out - mean).div_(deviation)

    return one


@dataclass(frozen=True)
class File:
    """A JPEG file in memory, which can be written to, with what its header says."""

    data: memoryview
    layout: Layout

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.layout.height, self.layout.width, 3


def laid_out(file: bytes) -> File:
    found = layout(memoryview(file))
    if found is None:
        raise ValueError("W5 is about upright JPEG photos")
    return File(memoryview(bytearray(file)), found)


def decoded(files: list[bytes], count: int, policy: Policy) -> Callable[[], torch.Tensor]:
    """W5: files are decoded GROUP at a time when their batch comes, and augmented while they are in a cache.

    Decoded by simplejpeg with its quick transforms, as the peers do, down to the last row that the program reads.
    """
    held = [laid_out(file) for file in files]
    largest = max(math.prod(file.shape) for file in held)

    def work() -> Callable[[torch.Tensor], None]:
        following, rooms = plans(policy, held, count, NORMAL), np.empty((GROUP, largest), np.uint8)
        reaches: dict[int, list[int]] = {}

        def fill(out: torch.Tensor) -> None:
            batch, plan, at = following()
            if at == 0:
                reaches[0] = rows_read(plan.program).tolist()
            for start in range(0, count, GROUP):
                pictures = []
                for n, room in zip(range(start, min(start + GROUP, count)), rooms, strict=False):
                    into = room[: math.prod(batch[n].shape)]
                    decode_rows(batch[n].data, batch[n].layout, reaches[0][at + n], 3, into, quick=True)
                    pictures.append(into.reshape(batch[n].shape))
                plan.run(pictures, at + start, out[start : start + len(pictures)])

        return fill

    return in_turns(work, (count, 3, 224, 224))


def workloads(data: dict[str, Any]) -> dict[str, Callable[[], torch.Tensor]]:
    small, gray, large, photos = data["i32"], data["i28"], data["i224"], data["big"]
    return {
        "W1": compiled(CROP, small, 256),
        "W2_32": compiled(CLASSIC, small, 256),
        "W2_28g": compiled(CLASSIC_GRAY, gray, 256, GRAY),
        "W2_224": compiled(CLASSIC, large, 32),
        "W3": compiled(PHOTO, photos, 32),
        "W3@yiq": compiled(PHOTO_YIQ, photos, 32),
        "RA_32": compiled(rand_augment(), small, 256),
        "RA_224": compiled(rand_augment(), large, 32),
        "TA_32": compiled(trivial_augment(), small, 256),
        "TA_224": compiled(trivial_augment(), large, 32),
        "W5": decoded(data["jpg"], 32, PHOTO),
        "W5@yiq": decoded(data["jpg"], 32, PHOTO_YIQ),
    }


def opencv(pictures: np.ndarray, count: int) -> Callable[[], torch.Tensor]:
    """W2 by hand: one warp, one matrix for the colours and normalising, one split into planes."""
    import cv2

    cv2.setNumThreads(0)
    following, generator = batches(pictures, count), np.random.default_rng(0)
    height, width = pictures.shape[1:3]
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    scale = 1 / (255 * np.array(NORMAL.deviation, np.float32))
    shift = -np.array(NORMAL.mean, np.float32) / np.array(NORMAL.deviation, np.float32)

    def picture(source: np.ndarray, out: np.ndarray) -> None:
        angle, size, shear = generator.uniform(-15, 15), generator.uniform(0.8, 1.25), generator.uniform(-10, 10)
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, size)
        turn[:, 2] += generator.uniform(-0.1, 0.1, 2) * (width, height)
        turn[:, 1] += np.tan(np.deg2rad(shear)) * turn[:, 0]
        turn[0] *= generator.choice((-1, 1))
        moved = cv2.warpAffine(source, turn, (width, height), flags=cv2.INTER_LINEAR)
        bright, contrast, colour = generator.uniform(0.8, 1.2, 3)
        gray = bright * float(np.dot(cv2.mean(moved)[:3], luma))
        matrix = np.empty((3, 4), np.float32)
        matrix[:, :3] = bright * contrast * (colour * np.eye(3) + (1 - colour) * luma) * scale[:, None]
        matrix[:, 3] = (1 - contrast) * gray * scale + shift
        cv2.split(cv2.transform(moved.astype(np.float32), matrix), list(out))

    def one() -> torch.Tensor:
        out = np.empty((count, 3, height, width), np.float32)
        for source, planes in zip(following(), out, strict=True):
            picture(source, planes)
        return torch.from_numpy(out)

    return one


def rate(one: Callable[[], torch.Tensor], seconds: float) -> float:
    pictures, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        pictures += len(one())
    return pictures / (time.perf_counter() - start)


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    data = synthetic()
    contestants: dict[str, dict[str, Callable[[], torch.Tensor]]] = {
        name: {"compiled": one} for name, one in workloads(data).items()
    }
    for name, policy, pictures, count in (
        ("W2_32", CLASSIC, data["i32"], 256),
        ("W2_224", CLASSIC, data["i224"], 32),
        ("RA_32", rand_augment(), data["i32"], 256),
    ):
        contestants[name]["torch"] = batched(policy, pictures, count)
    contestants["W2_28g"]["torch"] = batched(CLASSIC_GRAY, data["i28"], 256, GRAY)
    if find_spec("cv2"):
        contestants["W2_32"]["opencv"] = opencv(data["i32"], 256)
        contestants["W2_224"]["opencv"] = opencv(data["i224"], 32)
    rates: dict[str, dict[str, list[float]]] = {
        name: {who: [] for who in who_all} for name, who_all in contestants.items()
    }
    for number in range(rounds + 1):
        for name, entries in contestants.items():
            for who, one in entries.items():
                measured = rate(one, seconds if number else 0.01)
                if number:
                    rates[name][who].append(measured)
    return {
        name: {who: {"median": statistics.median(v), "low": min(v), "high": max(v)} for who, v in entries.items()}
        for name, entries in rates.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    start = time.perf_counter()
    program = CROP.program(np.zeros((1, CROP.columns)), 8, 8)
    cpu.run(program, np.zeros((1, 8, 8, 3), np.uint8))
    first = time.perf_counter() - start
    document = {
        "unit": "pictures a second",
        "rates": measure(options.rounds, options.seconds),
        "seconds_to_first_batch": first,
        "threads": THREADS,
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    if options.json:
        print(json.dumps(document, indent=1))
        return
    for name, entries in document["rates"].items():
        line = "  ".join(f"{who} {v['median']:9.0f} ({v['low']:.0f}-{v['high']:.0f})" for who, v in entries.items())
        print(f"{name:8s} {line}")


if __name__ == "__main__":
    if find_spec("common"):
        from common import D, serve

        keep_apart()
        serve(workloads(D))
    else:
        main()
