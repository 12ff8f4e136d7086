"""Contents to render: a realistic run on digits, and changes of it. Figures are made up, but of the size runs have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from gapless.diagnose.examples import Samples
from gapless.evidence.result import (
    Away,
    Confusion,
    Curve,
    Elsewhere,
    Interval,
    MetricFacts,
    ModelFacts,
    Pillar,
    QuickModel,
    Recall,
    Result,
    Side,
    SizeOfTarget,
    Spread,
    Synergy,
    TaskFacts,
    Training,
    TrialCounts,
    Turned,
    TurnedRow,
)
from gapless.report.answers.rows import ShownRow, ShownRows
from gapless.report.changes import Part, Preview
from gapless.report.content import Content, TrialRow
from gapless.report.drawing.pictures import picture
from gapless.report.handover.commands import typed
from gapless.report.html import render

STRONG = {
    "dropout": {"hidden": 0.3, "channel": 0.1},
    "batchnorm": {"insert": True},
    "decay": {"strength": 0.05},
    "augment": {"ops": [{"op": "rotate", "strength": 15.0}, {"op": "translate", "strength": 0.1}]},
}
SUMMARY = "dropout .3, batch norm, decay .05, rotate 15, translate .1"
TOML = """schema = 1

[dropout]
hidden = 0.3
channel = 0.1

[batchnorm]
insert = true

[decay]
strength = 0.05

[[augment.ops]]
op = "rotate"
strength = 15.0

[[augment.ops]]
op = "translate"
strength = 0.1
"""
PYTHON = """import gapless

recipe = gapless.Recipe.load("gapless-run-digits/recipe.toml")
attached = recipe.attach(model)
optimizer = recipe.optimizer(model, lr=0.003)
# in every training step:
inputs, targets = recipe.batch(inputs, labels, generator, classes=10)
"""


def spread(mean: float, sd: float = 0.006, seeds: int = 5) -> Spread:
    steps = np.linspace(-1.2, 1.2, seeds) if seeds > 1 else np.zeros(1)
    return Spread(mean, sd, tuple(float(mean + sd * s) for s in steps))


def side(train: float, confirm: float, lr: float, recipe: dict[str, object], half: float = 0.012) -> Side:
    gap = Interval(train - confirm, train - confirm - half, train - confirm + half)
    return Side(lr, 30, spread(train, 0.001), spread(confirm), gap, recipe)


def samples(n: int = 6, k: int = 6, size: int = 8, channels: int = 1, seed: int = 0) -> Samples:
    draw = np.random.default_rng(seed)
    before = draw.integers(0, 256, (n, size, size, channels), dtype=np.uint8)
    return Samples(
        before,
        np.stack([np.roll(before, s, axis=2) for s in range(1, k + 1)], axis=1)
        if k
        else np.zeros((n, 0, size, size, channels), np.uint8),
    )


def trial(number: int, **changes: object) -> TrialRow:
    row = TrialRow(
        number=number,
        phase="joint",
        origin="joint proposal",
        candidate=number,
        plain=False,
        summary=f"dropout .{number:03d}",
        lr=0.001,
        split=number % 3,
        seed=0,
        epochs=40,
        status="finished",
        score=0.9,
        train_score=0.99,
        seconds=2.1,
    )
    return replace(row, **changes)


def many_trials(total: int = 60, seed: int = 1) -> tuple[TrialRow, ...]:
    """A search of the usual shape: the opening, moves from its best, joint proposals, and the finals."""
    draw = np.random.default_rng(seed)
    rows = [
        trial(0, phase="opening", origin="plain", plain=True, summary="plain", lr=0.001, score=0.874, train_score=1.0),
        trial(1, phase="opening", origin="plain", plain=True, summary="plain", lr=0.003, score=0.868, train_score=1.0),
        trial(2, phase="opening", origin="preset strong", summary=SUMMARY, lr=0.003, score=0.978),
        trial(3, phase="opening", origin="preset light", summary="dropout .2, rotate 5", lr=0.003, score=0.93),
        trial(
            4,
            phase="opening",
            origin="preset classic",
            summary="dropout .5, decay .01",
            lr=0.1,
            status="failed",
            score=None,
            train_score=None,
            epochs=3,
            reason="loss is NaN after epoch 3",
        ),
    ]
    while len(rows) < total - 10:
        n = len(rows)
        stopped = bool(draw.random() < 0.4)
        score = float(np.clip(0.93 + 0.03 * draw.standard_normal() - 0.04 * stopped, 0.3, 0.995))
        phase, origin = ("moves", "strong, dropout off") if n < total // 2 else ("joint", "joint proposal")
        rows.append(
            trial(
                n,
                phase=phase,
                origin=origin,
                score=score,
                train_score=min(1.0, score + 0.03),
                lr=float(10 ** draw.uniform(-4, -1.5)),
                epochs=10 if stopped else 40,
                status="stopped" if stopped else "finished",
                seconds=0.6 if stopped else 2.3,
                summary=f"dropout .{n % 9 + 1}, batch norm, decay .0{n % 7 + 1}, rotate {n % 30}, mixup .{n % 5}",
                reason="behind the best at epoch 10" if stopped else "",
            )
        )
    for s in range(5):
        n = len(rows)
        rows.append(
            trial(
                n,
                phase="finals",
                origin="plain",
                candidate=0,
                plain=True,
                summary="plain",
                seed=s,
                score=0.872 + s / 999,
            )
        )
        rows.append(
            trial(
                n + 1,
                phase="finals",
                origin="preset strong",
                candidate=2,
                summary=SUMMARY,
                lr=0.003,
                seed=s,
                score=0.975 + s / 999,
            )
        )
    return tuple(rows)


def curves(epochs: int = 40, plain: float = 0.874, best: float = 0.955) -> tuple[Curve, ...]:
    at = tuple(range(1, epochs + 1))
    rise = [1 - float(np.exp(-e / 4)) for e in at]
    slow = [1 - float(np.exp(-e / 9)) for e in at]
    return (
        Curve("plain", at, tuple(0.1 + 0.9 * r for r in rise), tuple(0.1 + (plain - 0.1) * r for r in rise)),
        Curve("best", at, tuple(0.1 + 0.89 * r for r in slow), tuple(0.1 + (best - 0.1) * r for r in slow)),
    )


def digits() -> Content:
    """The issue's example: digits with 150 pictures to learn from, the strong recipe wins by 8.1 points."""
    rows = many_trials()
    counts = TrialCounts(*(sum(t.status == s for t in rows) for s in ("finished", "stopped", "failed")))
    result = Result(
        task=TaskFacts(
            name="digits",
            kind="image",
            train=150,
            select=30,
            select_parts=3,
            confirm=1647,
            classes=10,
            class_names=tuple("0123456789"),
            shape=(1, 8, 8),
            notes=("2 rows of the training part are also in the confirm part; they were left in.",),
            skipped=(("digits/7/broken.png", "cannot be decoded: truncated file"), ("digits/3/tiny.png", "1x1 pixels")),
        ),
        model=ModelFacts("cnn", 24_234),
        metric=MetricFacts("accuracy"),
        training=Training(40, 64, "AdamW", "cpu"),
        plain=side(1.0, 0.874, 0.001, {}),
        best=side(0.989, 0.955, 0.003, STRONG, 0.008),
        gain=Interval(0.081, 0.060, 0.102),
        verdict="improved",
        selection_optimism=0.024,
        pillars=(
            Pillar("dropout", Interval(-0.004, -0.013, 0.005), p=0.4),
            Pillar("batchnorm", Interval(-0.012, -0.021, -0.003), p=0.03),
            Pillar("decay", None),
            Pillar("augment", Interval(-0.049, -0.066, -0.032), p=0.001),
        ),
        trials=counts,
        seconds=171.4,
        seed=0,
        versions={"gapless": "0.1.0", "torch": "2.13.0", "python": "3.11.2", "numpy": "2.3.1"},
    )
    command = "gapless tune digits --train-size 150 --minutes 3 --seed 0 --out gapless-run-digits"
    return Content(result, rows, 2, curves(), TOML, PYTHON, samples(), command)


def with_result(content: Content, **changes: object) -> Content:
    return replace(content, result=replace(content.result, **changes))


def with_task(content: Content, **changes: object) -> Content:
    return with_result(content, task=replace(content.result.task, **changes))


def all_subsets() -> Content:
    """The same with time for all subsets of its pillars; batch norm gives most, and takes the place of weight decay."""

    def pillar(name: str, lost: float, alone: float, gave: float, p: float) -> Pillar:
        spans = [Interval(v, v - 0.01, v + 0.01) for v in (-lost, alone, gave)]
        return Pillar(name, spans[0], "", spans[1], spans[2], p)

    pillars = (
        pillar("dropout", 0.004, 0.002, 0.003, 0.9),
        pillar("batchnorm", 0.207, 0.058, 0.058, 0.0004),
        pillar("decay", 0.0, 0.03, 0.02, 0.001),
    )
    synergies = (
        Synergy(("dropout", "batchnorm"), Interval(0.002, -0.01, 0.014), 1.0),
        Synergy(("batchnorm", "decay"), Interval(-0.028, -0.04, -0.016), 0.002),
    )
    return with_result(digits(), pillars=pillars, synergies=synergies)


def no_gain() -> Content:
    base = replace(digits(), program="")
    return with_result(
        base,
        best=side(0.99, 0.878, 0.003, STRONG),
        gain=Interval(0.004, -0.009, 0.017),
        verdict="no detectable gain",
        selection_optimism=0.031,
    )


def worse() -> Content:
    base = replace(digits(), program="")
    return with_result(
        base,
        best=side(0.91, 0.853, 0.003, STRONG),
        gain=Interval(-0.021, -0.039, -0.003),
        verdict="worse",
        selection_optimism=0.045,
    )


def plain_won() -> Content:
    base = replace(digits(), program="")
    nothing = Interval(0.0, 0.0, 0.0)
    base = with_result(base, best=base.result.plain, gain=nothing, verdict="no detectable gain", pillars=())
    return replace(base, best=0)


def regression() -> Content:
    base = digits()
    rows = tuple(replace(t, score=None if t.score is None else 2 * t.score - 1.2) for t in base.trials)
    base = replace(
        base,
        trials=rows,
        samples=None,
        curves=tuple(
            replace(c, train=tuple(2 * v - 1.1 for v in c.train), select=tuple(2 * v - 1.4 for v in c.select))
            for c in base.curves
        ),
    )
    base = with_task(base, name="houses.csv", kind="table", classes=0, class_names=(), shape=(13,))
    return with_result(
        base,
        metric=MetricFacts("r2"),
        plain=side(0.981, 0.741, 0.001, {}, 0.04),
        best=side(0.934, 0.823, 0.003, STRONG, 0.03),
        gain=Interval(0.082, 0.021, 0.143),
        selection_optimism=0.034,
        model=ModelFacts("mlp", 9_217),
    )


def away(score: float, drop: float) -> Away:
    return Away(spread(score), Interval(drop, drop - 0.02, drop + 0.02))


CHECKED = ("2,000 texts of 2 classes", "", "swap  100 %  3.1 % (2.0 to 4.2)  loses labels, 2 % at least")


def snippets() -> Content:
    """Texts, with examples of what the recipe does to them and two further sets of test data."""
    base = with_task(digits(), name="movies.csv", kind="text", classes=2, class_names=("bad", "good"), shape=())
    elsewhere = (
        Elsewhere("tweets", 420, away(0.612, 0.262), away(0.671, 0.284), Interval(0.059, 0.031, 0.087)),
        Elsewhere("news", 1, away(0.93, -0.056), away(0.94, 0.015), Interval(0.01, -0.02, 0.04)),
    )
    parts = (Part("kept", "a "), Part("out", "fine"), Part("in", "good"), Part("kept", " film"))
    examples = (Preview("a fine film", (parts, (Part("kept", "a fine film"),))),)
    return replace(with_result(base, elsewhere=elsewhere), samples=None, texts=examples, labels=CHECKED)


def by_class() -> Content:
    """Digits with what was answered to each row: one class gained, one has too few rows; pictures that turned."""
    share = Interval(0.9, 0.8, 0.95)
    recalls = (
        Recall("3", 168, Interval(0.75, 0.7, 0.8), share, Interval(0.15, 0.1, 0.2), "gained", share, share),
        Recall("5", 167, share, share, Interval(0.0, -0.1, 0.1), "may be chance", share, share),
        Recall("8", 2, Interval(0.5, 0.1, 0.9), share, None, "unknown", None, share),
    )
    rows = tuple(TurnedRow(n, "3", "5", "3", 0.2, 1.0) for n in range(2))
    other = (TurnedRow(7, "5", "5", "8", 0.8, 0.4),)
    shown = [ShownRow(row, picture(samples(1, size=8).before[0]), "") for row in (*rows, *other)]
    found = with_result(
        digits(),
        recalls=recalls,
        confusions=(Confusion("3", "5", 16.4, 2.0), Confusion("8", "3", 0.2, 1.0)),
        turned=Turned(175, 16, 1343, 113, rows, other),
        quick=(QuickModel("commonest class", 0.102), QuickModel("logistic regression", 0.893)),
    )
    commands = typed(["tune", "digits", "--minutes", "3"], Path("gapless-runs/digits-1"), 3.0, ())
    return replace(found, turned=ShownRows(tuple(shown[:2]), tuple(shown[2:])), commands=commands)


def by_size() -> Content:
    """A regression with errors by the size of the target, and rows that turned."""
    rows = (TurnedRow(3, 512000.0, 298000.0, 470500.0, 214000.0, 41500.0),)
    sizes = (
        SizeOfTarget(5e4, 1.8e5, 40, 21000.0, 20100.0, Interval(900.0, -700.0, 2500.0), 4000.0, 1200.0),
        SizeOfTarget(1.8e5, 6e5, 41, 64000.0, 40000.0, Interval(24000.0, 12000.0, 36000.0), -51000.0, -9000.0),
    )
    shown = (ShownRow(rows[0], None, "rooms 5, town 'Aa', age missing"),)
    found = with_result(regression(), sizes=sizes, turned=Turned(60, 21, 0, 0, rows, ()))
    return replace(found, turned=ShownRows(shown, ()))


@cache
def page_of(make: Callable[[], Content]) -> str:
    """The page of one of the contents above, rendered once for all tests."""
    return render(make())
