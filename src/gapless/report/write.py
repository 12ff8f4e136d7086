"""The files of a finished run: recipe.toml, result.json, report.html."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from gapless.augment.guard_steps import text_ops
from gapless.augment.text import OPS, Resources
from gapless.errors import UsageError
from gapless.recipe import Recipe
from gapless.report import guarded, html
from gapless.report.content import Content, Samples
from gapless.report.marked import Preview, compared
from gapless.search import outcome
from gapless.train.checkpoint import write_atomically

if TYPE_CHECKING:
    from gapless.augment.text.resources import Paraphrases
    from gapless.data import Task
    from gapless.search.run import TuneOptions
    from gapless.search.tune import Finished

SHOWN, DRAWS = 6, 8
"""Pictures on the sheet of samples, and augmented versions of each."""
VERSIONS, LONGEST = 3, 400
"""Versions of each text, and characters of it that are shown."""
CHECKED = 1000
"""Texts whose labels are checked: some seconds."""


def write(task: Task, options: TuneOptions, finished: Finished, command: str) -> Content:
    """Writes the three files into the run directory and returns what they show.

    Args:
        command: what to type to repeat the run.

    Raises:
        DataError: the disk is full.
    """
    result = outcome.result(task, options, finished)
    improved = result.verdict == "improved"
    handed, lr = (finished.best.recipe, finished.best.lr) if improved else (Recipe(), finished.plain.lr)
    content = Content(
        result=result,
        trials=outcome.trial_rows(finished),
        curves=outcome.curves(finished),
        recipe_toml=handed.to_toml(_comment(finished, options, improved)),
        python_lines=python_lines(task, handed, lr, options),
        samples=_samples(task, finished.best.recipe, options.seed),
        command=command,
        texts=_texts(task, finished.best.recipe, options.seed),
        labels=_labels(task, finished.best.recipe, options.seed),
    )
    files = {
        "recipe.toml": content.recipe_toml,
        "result.json": json.dumps(result.to_json(), indent=1) + "\n",
        "report.html": html.render(content),
    }
    for name, text in files.items():
        write_atomically(options.out / name, text.encode())
    return content


def _comment(finished: Finished, options: TuneOptions, improved: bool) -> str:
    plan, ahead = finished.plan, _picks(finished.best.recipe)
    if not improved:
        return "The plain model: no recipe was shown to improve on it. What came nearest is in result.json, under best."
    tuned = (
        f"Tuned with learning rate {finished.best.lr:g}, {plan.optimizer}, batches of {plan.batch_size}, "
        f"{plan.epochs} epochs, cosine schedule with {plan.warmup:.0%} warm-up, seed {options.seed}."
    )
    if not ahead:
        return tuned
    makers = {"back_translate": options.translator, "contextual": options.masked_model}
    made = [f"{op} (by {makers[op]})" if makers[op] else op for op in ahead]
    return (
        f"{tuned}\n{' and '.join(made)}: from paraphrases of the training texts, made ahead. recipe.vary needs them as "
        "its resources; the code in report.html makes them."
    )


def _picks(recipe: Recipe) -> list[str]:
    """Its operations that pick from paraphrases, made ahead."""
    return [o.op for o in recipe.augment_part.ops if o.op in OPS and OPS[o.op].whole_text]


def python_lines(task: Task, recipe: Recipe, lr: float, options: TuneOptions) -> str:
    """The lines that apply a recipe in a plain training loop."""
    if task.kind == "text":
        return _text_lines(task, recipe, lr, options)
    soft = recipe.augment_part.mixup or recipe.augment_part.cutmix or recipe.augment_part.label_smoothing
    classes = f", classes={len(task.classes)}" if task.classes and soft else ""
    columns = f", categorical={list(task.categorical)}" if task.categorical and recipe.augment_part.active else ""
    inputs = "images" if task.kind == "image" else "rows"
    model_in = "model(normalise(inputs))" if task.kind == "image" else "model(inputs)"
    loss = f"cross_entropy({model_in}, targets)" if task.classes else f"mse_loss({model_in}[:, 0], targets)"
    table = "numeric columns standardised" if task.classes else "numeric columns and the target standardised"
    hint = "float32 in [0, 1], before you normalise them" if task.kind == "image" else table
    return "\n".join(
        [
            *_begun(lr, options),
            f"for {inputs}, labels in loader:  # {hint}",
            f"    inputs, targets = recipe.augment({inputs}, labels, generator{classes}{columns})",
            f"    loss = functional.{loss}",
            "    optimizer.zero_grad()",
            "    loss.backward()",
            "    optimizer.step()",
        ]
    )


def _begun(lr: float, options: TuneOptions, imports: Sequence[str] = ()) -> list[str]:
    """What stands before the loop, whatever the data."""
    kind = "" if options.optimizer == "adamw" else f', kind="{options.optimizer}"'
    return [
        "import torch",
        "from torch.nn import functional",
        "from gapless import Recipe",
        *imports,
        "",
        f"recipe = Recipe.load({str(options.out / 'recipe.toml')!r})",
        "recipe.attach(model)",
        f"optimizer = recipe.optimizer(model, lr={lr:g}{kind})",
        "generator = torch.Generator().manual_seed(0)",
    ]


def _text_lines(task: Task, recipe: Recipe, lr: float, options: TuneOptions) -> str:
    """The same for a model for texts, which encodes them itself."""
    part = recipe.augment_part
    classes = f", classes={len(task.classes)}" if task.classes and (part.mixup or part.label_smoothing) else ""
    target = "" if task.classes else "; the target standardised"
    loss = "cross_entropy(outputs, targets)" if task.classes else "mse_loss(outputs[:, 0], targets)"
    imports, made = _made(_picks(recipe), options)
    resources = ", resources=resources" if made else ""
    return "\n".join(
        [
            *_begun(lr, options, imports),
            *made,
            "for epoch in range(epochs):",
            f"    for rows, texts, labels in loader:  # rows: the numbers of the texts{target}",
            f"        texts = recipe.vary(texts, seed=0, epoch=epoch, indices=rows{resources})",
            f"        with recipe.mixing(model, labels, generator{classes}) as targets:",
            "            outputs = model(model.encode(texts))",
            f"        loss = functional.{loss}",
            "        optimizer.zero_grad()",
            "        loss.backward()",
            "        optimizer.step()",
        ]
    )


def _made(picks: list[str], options: TuneOptions) -> tuple[list[str], list[str]]:
    """The imports and the lines that make the resources of a recipe whose operations pick from paraphrases."""
    if not picks:
        return [], []
    functions, made = list[str](), list[str]()
    for op, function, maker in (
        ("back_translate", "back_translations", options.translator),
        ("contextual", "masked_variants", options.masked_model and str(options.masked_model)),
    ):
        if op in picks and maker is not None:
            functions.append(function)
            made.append(f"paraphrases[{op!r}] = {function}(train_texts, {maker!r})  # every text you train on")
    first = (
        "paraphrases = {}" if len(made) == len(picks) else "paraphrases = dict(task.paraphrases)  # of your own task"
    )
    imports = [f"from gapless.data.paraphrases import {', '.join(functions)}"] if functions else []
    return ["from gapless.augment.text import Resources", *imports], [
        first,
        *made,
        "resources = Resources(paraphrases=paraphrases)",
    ]


def _texts(task: Task, recipe: Recipe, seed: int) -> tuple[Preview, ...]:
    """A few training texts of different classes, and what the recipe makes of each in its first epochs."""
    if task.kind != "text" or not recipe.augment_part.ops:
        return ()
    rows = _one_of_each(task, seed)
    before: list[str] = [text[:LONGEST] for text in task.develop.x[rows].tolist()]
    shown = Resources(paraphrases={op: _cut(found, task.develop.x[rows]) for op, found in task.paraphrases.items()})
    drawn = [recipe.vary(before, seed, epoch, rows, shown) for epoch in range(VERSIONS)]
    return tuple(
        Preview(text, tuple(compared(text, after[number]) for after in drawn)) for number, text in enumerate(before)
    )


def _cut(found: Paraphrases, texts: Iterable[str]) -> dict[str, list[str]]:
    """The paraphrases of texts that are shown cut, cut as well."""
    return {text[:LONGEST]: [variant[:LONGEST] for variant in found[text]] for text in texts}


def _labels(task: Task, recipe: Recipe, seed: int) -> tuple[str, ...]:
    """How many labels each operation of the recipe changes, and the worst examples; of training rows only."""
    if task.kind != "text" or not task.classes or not recipe.augment_part.ops:
        return ()
    try:
        ops = text_ops(recipe.augment_part.text_policy(), task.resources)
        table = guarded.check(task, ops, rows=CHECKED, seed=seed)
    except UsageError as error:
        return (f"Not measured: {error}",)
    return tuple(guarded.check_lines(table, "texts"))


def _samples(task: Task, recipe: Recipe, seed: int) -> Samples | None:
    """A few training pictures of different classes, and what the recipe makes of each."""
    part = recipe.augment_part
    if task.kind != "image" or not (part.ops or part.mixup or part.cutmix):
        return None
    rows = _one_of_each(task, seed)
    before = np.ascontiguousarray(task.develop.x[rows], dtype=np.uint8)
    images = torch.from_numpy(before).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(task.develop.y[rows])
    generator = torch.Generator().manual_seed(seed)
    classes = len(task.classes) or None
    drawn = [recipe.augment(images, labels, generator, classes)[0] for _ in range(DRAWS)]
    after = torch.stack(drawn, 1).mul(255).round().clamp(0, 255).to(torch.uint8)
    return Samples(before, after.permute(0, 1, 3, 4, 2).numpy())


def _one_of_each(task: Task, seed: int) -> list[int]:
    """Row numbers of up to SHOWN pictures, of as many different classes as there are."""
    order = np.random.default_rng(seed).permutation(len(task.develop))
    if task.classes:
        _, first = np.unique(task.develop.y[order], return_index=True)
        chosen = order[np.sort(first)]
        order = np.concatenate([chosen, np.setdiff1d(order, chosen, assume_unique=True)])
    return sorted(order[:SHOWN].tolist())
