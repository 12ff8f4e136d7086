"""Worlds of paired differences whose mean is known: how often an interval holds it, and how wide it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.evidence.intervals import mean_interval

Table = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Table]


@dataclass(frozen=True)
class World:
    """draw: (generator, seeds, rows) -> differences (S, N). truth: their mean. rare: few rows differ at all."""

    draw: Draw
    truth: float
    seeds: int
    rows: int
    unit: float | None = 1.0
    group: int = 1
    rare: bool = False


def crossed(rng: np.random.Generator, seeds: int, rows: int, seed: float, row: float, rest: float) -> Table:
    by_seed, by_row = rng.standard_normal((seeds, 1)), rng.standard_normal((1, rows))
    return seed * by_seed + row * by_row + rest * rng.standard_normal((seeds, rows))


def repairs(share: float, harms: float = 0.0) -> Draw:
    """One model is right on this share of the rows where the other is wrong, with every seed; and the reverse."""

    def draw(rng: np.random.Generator, seeds: int, rows: int) -> Table:
        u = rng.random((1, rows))
        return np.repeat((u < share).astype(float) - (u > 1 - harms), seeds, 0)

    return draw


def answers(accuracy: float, gain: float, rest: float = 0.7, group: int = 1, together: float = 0.0) -> Draw:
    """Two models that are right on rows by how hard they are; `together`: what the rows of a group share for each."""
    spread = np.sqrt(1.5**2 + 0.4**2 + together**2 + 0.05**2 + rest**2)
    levels = [float(stats.norm.ppf(a)) * spread for a in (accuracy, accuracy + gain)]

    def draw(rng: np.random.Generator, seeds: int, rows: int) -> Table:
        hard = 1.5 * rng.standard_normal((1, rows))
        right: list[Table] = []
        for level in levels:
            own = 0.4 * rng.standard_normal((1, rows))
            own = own + together * np.repeat(rng.standard_normal((1, rows // group)), group, 1)
            right.append((level + hard + own + crossed(rng, seeds, rows, 0.05, 0.0, rest) > 0).astype(float))
        return right[1] - right[0]

    return draw


def normal(seed: float, row: float, rest: float) -> Draw:
    return lambda rng, seeds, rows: crossed(rng, seeds, rows, seed, row, rest)


def heavy(rng: np.random.Generator, seeds: int, rows: int) -> Table:
    return rng.standard_t(3, (1, rows)) + 0.5 * rng.standard_t(3, (seeds, rows))


def worlds() -> dict[str, World]:
    """Every cell by its name."""
    found: dict[str, World] = {}
    for n in (30, 100, 400, 2000):
        for share in (0.01, 0.02, 0.05):
            found[f"repairs {share:.0%} of {n} rows"] = World(repairs(share), share, 5, n, rare=True)
        found[f"repairs 2 % and harms 2 % of {n} rows"] = World(repairs(0.02, 0.02), 0.0, 5, n, rare=True)
        found[f"nothing differs on {n} rows"] = World(repairs(0.0), 0.0, 5, n, rare=True)
        for accuracy, gain in ((0.98, 0.01), (0.99, 0.005)):
            rare = World(answers(accuracy, gain, rest=0.1), gain, 5, n, rare=True)
            found[f"steady models, {accuracy} + {gain}, {n} rows"] = rare
        for accuracy, gain in ((0.6, 0.0), (0.6, 0.03), (0.8, 0.03), (0.92, 0.0), (0.92, 0.03), (0.985, 0.0)):
            world = World(answers(accuracy, gain), gain, 5, n, rare=accuracy > 0.95)
            found[f"models, {accuracy} + {gain}, {n} rows"] = world
        for gain in (0.0, 0.05):
            drawn = World(answers(0.8, gain), gain, 11, n)
            found[f"models, 0.8 + {gain}, {n} rows, 11 seeds"] = drawn
    for n in (30, 300):
        for name, parts in {"row": (0, 1, 0), "seed": (1, 0, 0.01), "mixed": (0.1, 1, 1)}.items():
            found[f"normal, {name}, {n} rows"] = World(normal(*parts), 0.0, 5, n, None)
        found[f"heavy tails, {n} rows"] = World(heavy, 0.0, 5, n, None)
    for size, n in ((2, 400), (4, 400), (10, 400), (10, 1000), (2, 20), (4, 40), (4, 80), (10, 100), (10, 4000)):
        for gain in (0.0, 0.03):
            draw = answers(0.8, gain, group=size, together=1.5)
            found[f"{n // size} groups of {size} rows, gain {gain}"] = World(draw, gain, 5, n, group=size)
    return found


@dataclass(frozen=True)
class Cell:
    """What came of one world: shares of intervals that held the truth, lay above zero, and were of no width."""

    held: float
    above: float
    width: float
    """The median."""


Find = Callable[[World, Table], tuple[float, float]]


def ours(world: World, d: Table) -> tuple[float, float]:
    groups = np.repeat(np.arange(world.rows // world.group), world.group) if world.group > 1 else None
    found = mean_interval(d, world.unit, groups)
    return found.low, found.high


def by_rows(world: World, d: Table) -> tuple[float, float]:
    """Ours, but as if each row were a draw of its own."""
    found = mean_interval(d, world.unit)
    return found.low, found.high


def normal_curve(world: World, d: Table) -> tuple[float, float]:
    """Analysis of variance with Student's t alone: what rare rows and rows that belong together are held against."""
    s, n = d.shape
    by_seed, by_row, mean = d.mean(1, keepdims=True), d.mean(0, keepdims=True), d.mean()
    seed, row = float(by_seed.var(ddof=1)) / s, float(by_row.var(ddof=1)) / n
    rest = float(((d - by_seed - by_row + mean) ** 2).sum()) / ((s - 1) * (n - 1)) / (s * n)
    variance = max(seed + row - rest, seed, row)
    errors = seed**2 / (s - 1) + row**2 / (n - 1) + rest**2 / ((s - 1) * (n - 1))
    half = float(stats.t.isf(0.025, max(1.0, variance**2 / errors))) * np.sqrt(variance) if variance else 0.0
    return float(mean - half), float(mean + half)


def simulate(world: World, repeats: int, find: Find, seed: int = 0) -> Cell:
    rng = np.random.default_rng(seed)
    ends = np.array([find(world, world.draw(rng, world.seeds, world.rows)) for _ in range(repeats)])
    low, high = ends.T
    held = (low <= world.truth + 1e-12) & (world.truth <= high + 1e-12)
    return Cell(float(held.mean()), float((low > 0).mean()), float(np.median(high - low)))
