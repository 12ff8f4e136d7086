"""How many labels the operations of a policy change, for a task's own rows; see `gapless.diagnose.labels`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gapless.data import Task
from gapless.diagnose.label_judges import image_classifier, text_classifier
from gapless.diagnose.label_ops import text_ops
from gapless.diagnose.labels import Classifier, Op, Progress, Table, measure
from gapless.errors import UsageError
from gapless.recipe import Recipe

SHARES = (0.25, 0.5, 1.0)
"""Of the policy's strengths: agreement against strength at three points."""
CHECKED = 1000
"""Texts whose labels are checked for a report: some seconds."""


def check(
    task: Task,
    ops: dict[str, Op],
    *,
    classifier: Callable[[int], Classifier] | None = None,
    rows: int = 2000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Table:
    """The guard's table for a task's development rows.

    Args:
        ops: such as `guard_steps.text_ops(policy)`; their strengths are shares of the policy's.
        classifier: the judge; None takes the default for texts or pictures.
        rows: at most so many, drawn by the seed.
        progress: hears of the pieces of work, with the time left.

    Raises:
        UsageError: a table or a regression, a policy that changes nothing, too few rows of a class.
    """
    if task.kind == "table" or not task.classes:
        raise UsageError(f"{task.name}: labels are checked for classes of pictures or texts, not for tables or numbers")
    if not ops:
        raise UsageError("the policy leaves everything as it is: there is nothing to check")
    if rows < 1:
        raise UsageError(f"rows must be at least 1, got {rows}")
    chosen = np.arange(len(task.develop))
    if len(chosen) > rows:
        chosen = np.sort(np.random.Generator(np.random.Philox(seed)).permutation(len(chosen))[:rows])
    part = task.develop.take(chosen)
    names = [task.classes[int(label)] for label in part.y.tolist()]
    judge = classifier or (text_classifier if task.kind == "text" else image_classifier)
    examples = part.x.tolist() if task.kind == "text" else part.x
    found = measure(examples, names, judge, ops, SHARES, seed=seed, groups=part.group, progress=progress)
    return found.at(chosen.tolist())


def check_recipe(task: Task, recipe: Recipe, seed: int) -> Table | str | None:
    """The guard's table for the operations of a recipe for texts, of training rows only.

    A string says why it cannot be measured; None: there is nothing to measure.
    """
    if task.kind != "text" or not task.classes or not recipe.augment.ops:
        return None
    try:
        ops = text_ops(recipe.augment.text_policy(), task.resources)
        return check(task, ops, rows=CHECKED, seed=seed)
    except UsageError as error:
        return f"Not measured: {error}"
