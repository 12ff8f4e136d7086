"""The lines of Python that apply a recipe in a training loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gapless.augment.text import OPS
from gapless.recipe import Recipe

if TYPE_CHECKING:
    from gapless.data import Task
    from gapless.search.options import TuneOptions


def picks(recipe: Recipe) -> list[str]:
    """Its operations that pick from paraphrases, made ahead."""
    return [o.op for o in recipe.augment.ops if o.op in OPS and OPS[o.op].whole_text]


def python_lines(task: Task, recipe: Recipe, lr: float, options: TuneOptions) -> str:
    """The lines that apply a recipe in a plain training loop."""
    if task.kind == "text":
        return _text_lines(task, recipe, lr, options)
    soft = recipe.augment.mixup or recipe.augment.cutmix or recipe.augment.label_smoothing
    classes = f", classes={len(task.classes)}" if task.classes and soft else ""
    columns = f", categorical={list(task.categorical)}" if task.categorical and recipe.augment.active else ""
    inputs = "images" if task.kind == "image" else "rows"
    model_in = "model(normalise(inputs))" if task.kind == "image" else "model(inputs)"
    loss = f"cross_entropy({model_in}, targets)" if task.classes else f"mse_loss({model_in}[:, 0], targets)"
    table = "numeric columns standardised" if task.classes else "numeric columns and the target standardised"
    hint = "float32 in [0, 1], before you normalise them" if task.kind == "image" else table
    return "\n".join(
        [
            *_begun(lr, options),
            f"for {inputs}, labels in loader:  # {hint}",
            f"    inputs, targets = recipe.batch({inputs}, labels, generator{classes}{columns})",
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
    part = recipe.augment
    classes = f", classes={len(task.classes)}" if task.classes and (part.mixup or part.label_smoothing) else ""
    target = "" if task.classes else "; the target standardised"
    loss = "cross_entropy(outputs, targets)" if task.classes else "mse_loss(outputs[:, 0], targets)"
    imports, made = _made(picks(recipe), options)
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
