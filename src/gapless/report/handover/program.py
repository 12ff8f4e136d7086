"""train.py: the program that trains a recipe as the run did, in plain PyTorch, to copy into a loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gapless.augment.text import OPS
from gapless.recipe import Recipe

if TYPE_CHECKING:
    from gapless.data import Task
    from gapless.search.options import TuneOptions
    from gapless.train.loop import Plan


@dataclass(frozen=True)
class Source:
    """The code that makes the run's task, with its model, once more; imports: what it needs besides gapless."""

    task: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Handed:
    """What is handed back: a recipe, its learning rate, and the epochs of its training."""

    recipe: Recipe
    lr: float
    epochs: int


def picks(recipe: Recipe) -> list[str]:
    """Its operations that pick from paraphrases, made ahead."""
    return [o.op for o in recipe.augment.ops if o.op in OPS and OPS[o.op].whole_text]


def program(task: Task, handed: Handed, plan: Plan, options: TuneOptions, source: Source | None) -> str:
    """The program.

    Args:
        plan: of the run's trainings. source: None where only the user knows how to make the task: then there is the
            function that trains, and nothing that calls it.
    """
    blocks = [
        _head(task, handed, plan, options, source),
        _train(task, handed, plan, options),
        *([_answer()] if task.kind == "text" else []),
        *([_averaging()] if plan.ema else []),
        *([] if source is None else [_main(task, source, brought(handed.recipe, options))]),
    ]
    return "\n\n\n".join("\n".join(lines) for lines in blocks) + "\n"


# ── its parts ──


def _head(task: Task, handed: Handed, plan: Plan, options: TuneOptions, source: Source | None) -> list[str]:
    ahead, _ = _made(picks(handed.recipe), options)
    call = "call train(x, y, model)" if source is None else "run it, or copy train(x, y, model) into your own program"
    torches = ["from torch.optim.swa_utils import AveragedModel"] if plan.ema else []
    known = () if source is None else source.imports
    ours = sorted({"import gapless", *ahead, *known}, key=lambda line: (line.startswith("from"), line))
    constants = f"EPOCHS, BATCH, LR, WARMUP = {handed.epochs}, {plan.batch_size}, {handed.lr:.6g}, {plan.warmup:g}"
    return [
        '"""The recipe that gapless found, trained as in the run: plain PyTorch, but for the recipe itself.',
        "",
        f"To use it, {call}. The recipe lies beside this file.",
        '"""',
        "",
        "import math",
        "from pathlib import Path",
        "",
        "import torch",
        "from torch.nn import functional",
        *torches,
        "",
        *ours,
        "",
        "FOLDER = Path(__file__).parent  # that of recipe.toml",
        constants,
        *([f"EMA = {plan.ema:g}  # decay of the averaged weights that answer"] if plan.ema else []),
        f'SEED, DEVICE = {options.seed}, "{plan.device}"',
    ]


def _train(task: Task, handed: Handed, plan: Plan, options: TuneOptions) -> list[str]:
    kind = "" if plan.optimizer == "adamw" else f', kind="{plan.optimizer}"'
    own, made = _made(picks(handed.recipe), options)
    more = ", paraphrases" if brought(handed.recipe, options) else ""
    return [
        f"def train(x, y, model{more}):",
        '    """Trains the model in place; returns what answers further rows like x.',
        "",
        f"    x: {_inputs(task)}. y: {_targets(task)}."
        + (" paraphrases: operation -> text -> its paraphrases." if more else ""),
        '    """',
        "    generator = torch.Generator().manual_seed(SEED)",
        *_indented(_measured(task)),
        '    recipe = gapless.Recipe.load(FOLDER / "recipe.toml")',
        *(["    if hasattr(model, 'learn'):  # its words", "        model.learn(x)"] if task.kind == "text" else []),
        *_indented(made),
        "    recipe.attach(model)",
        "    model.to(DEVICE)",
        f"    optimizer = recipe.optimizer(model, lr=LR{kind})",
        "    batches = max(1, min(round(len(y) / BATCH), len(y) // 2))",
        "    steps, warm = EPOCHS * batches, max(1.0, WARMUP * EPOCHS * batches)",
        "",
        "    def factor(step):  # the learning rate rises, then falls along half a cosine",
        "        return min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps))",
        "",
        "    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)",
        *(["    average = AveragedModel(model, multi_avg_fn=averaging, use_buffers=True)"] if plan.ema else []),
        "    for epoch in range(EPOCHS):",
        "        model.train()",
        "        for rows in torch.randperm(len(y), generator=generator).tensor_split(batches):",
        *_indented(_forward(task, handed.recipe, bool(own)), 3),
        "            optimizer.zero_grad()",
        "            loss.backward()",
        "            optimizer.step()",
        "            schedule.step()",
        *(["            average.update_parameters(model)"] if plan.ema else []),
        "",
        "    @torch.no_grad()",
        "    def predict(x):",
        *(["        model = average.module.eval()"] if plan.ema else ["        model.eval()"]),
        *_indented(_answers(task), 2),
        "",
        "    return predict",
    ]


def _inputs(task: Task) -> str:
    if task.kind == "text":
        return "a list of texts"
    if task.kind == "image":
        return f"pictures uint8 (N, {', '.join(map(str, task.shape))})"
    return f"rows float32 (N, {task.shape[0]}), numeric columns standardised"


def _targets(task: Task) -> str:
    return "class numbers int64 (N,)" if task.classes else "numbers float32 (N,)"


def _measured(task: Task) -> list[str]:
    """What the training rows say of their scale."""
    lines: list[str] = []
    if task.kind == "image":
        lines += [
            "some = x[:: max(1, len(x) // 5000)].float() / 255",
            "mean = some.mean((0, 2, 3), keepdim=True).to(DEVICE)",
            "sd = some.std((0, 2, 3), correction=0, keepdim=True).clamp_min(1e-3).to(DEVICE)",
        ]
    if not task.classes:
        lines += ["middle, spread = y.mean(), y.std(correction=0)", "y = (y - middle) / spread"]
    return lines


def _forward(task: Task, recipe: Recipe, made: bool) -> list[str]:
    """From the rows of a batch to its loss."""
    part = recipe.augment
    soft = part.mixup or part.label_smoothing or (part.cutmix and task.kind != "text")
    classes = f", classes={len(task.classes)}" if task.classes and soft else ""
    loss = "cross_entropy(outputs, targets)" if task.classes else "mse_loss(outputs[:, 0], targets)"
    if task.kind == "text":
        resources = ", resources=resources" if made else ""
        return [
            f"texts = recipe.vary([x[i] for i in rows], SEED, epoch, rows.tolist(){resources})",
            f"with recipe.mixing(model, y[rows].to(DEVICE), generator{classes}) as targets:",
            "    outputs = answer(model, texts)",
            f"loss = functional.{loss}",
        ]
    columns = f", categorical={list(task.categorical)}" if task.categorical and part.active else ""
    inputs, seen = ("x[rows].to(DEVICE).float() / 255", "(inputs - mean) / sd")
    if task.kind == "table":
        inputs, seen = "x[rows].to(DEVICE)", "inputs"
    return [
        f"inputs, targets = recipe.batch({inputs}, y[rows].to(DEVICE), generator{classes}{columns})",
        f"outputs = model({seen})",
        f"loss = functional.{loss}",
    ]


def _answers(task: Task) -> list[str]:
    """What a trained model says of rows, some at a time."""
    if task.kind == "text":
        parts = "answer(model, x[i : i + 500]) for i in range(0, len(x), 500)"
    else:
        seen = "(part.to(DEVICE).float() / 255 - mean) / sd" if task.kind == "image" else "part.to(DEVICE)"
        parts = f"model({seen}) for part in x.split(500)"
    outputs = f"outputs = torch.cat([{parts}]).cpu()"
    return [outputs, "return outputs.argmax(1)" if task.classes else "return outputs[:, 0] * spread + middle"]


def _answer() -> list[str]:
    return [
        "def answer(model, texts):",
        "    encoded = model.encode(texts)",
        "    if isinstance(encoded, dict):",
        "        return model(**{name: tensor.to(DEVICE) for name, tensor in encoded.items()})",
        "    return model(encoded.to(DEVICE))",
    ]


def _averaging() -> list[str]:
    return [
        "def averaging(averages, values, count):  # numbers are averaged; counts and column numbers are copied",
        "    for average, value in zip(averages, values):",
        "        average.lerp_(value, 1 - EMA) if average.is_floating_point() else average.copy_(value)",
    ]


def _main(task: Task, source: Source, paraphrased: bool) -> list[str]:
    made = {
        "image": "torch.tensor(part.x).permute(0, 3, 1, 2)",
        "table": "torch.tensor(part.x)",
        "text": "part.x.tolist()",
    }[task.kind]
    known = (
        'f"{(predict(x) == y).float().mean():.1%} of {len(y):,} new rows are right"'
        if task.classes
        else 'f"{(predict(x) - y).abs().mean():.4g} off on average, on {len(y):,} new rows"'
    )
    return [
        'if __name__ == "__main__":',
        "    torch.manual_seed(SEED)",
        f"    task = {source.task}",
        "    part = task.develop",
        f"    x, y = {made}, torch.tensor(part.y)",
        f"    predict = train(x, y, task.model(){', task.paraphrases' if paraphrased else ''})",
        "    part = task.confirm  # rows that no choice of the run has seen",
        f"    x, y = {made}, torch.tensor(part.y)",
        f"    print({known})",
    ]


def brought(recipe: Recipe, options: TuneOptions) -> bool:
    """Whether it picks from paraphrases that the task brought itself."""
    makers = {"back_translate": options.translator, "contextual": options.masked_model}
    return any(makers.get(op) is None for op in picks(recipe))


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
            made.append(f"paraphrases[{op!r}] = {function}(x, {maker!r})")
    first = "paraphrases = {}" if len(made) == len(picks) else "paraphrases = dict(paraphrases)"
    imports = [f"from gapless.data.paraphrases import {', '.join(functions)}"] if functions else []
    return ["from gapless.augment.text import Resources", *imports], [
        first,
        *made,
        "resources = Resources(paraphrases=paraphrases)",
    ]


def _indented(lines: Sequence[str], by: int = 1) -> list[str]:
    return [" " * 4 * by + line for line in lines]
