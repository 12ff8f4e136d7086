from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.values import flag, given, made_by, opaque, receiver, text
from gapless.lint.rule import Hit, reads

_HIGHER = {"acc", "accuracy", "f1", "auc", "auroc", "precision", "recall", "iou", "miou", "dice", "bleu", "r2", "map"}
_LOWER = {"loss", "rmse", "mae", "mse", "perplexity", "ppl", "wer", "cer", "nll"}
_STOPPERS = ("EarlyStopping", "ModelCheckpoint")


@reads(
    level="error",
    title="the best epoch is looked for in the wrong direction",
    effect="the worst epoch is kept as the best, training stops when it gets better, or the rate falls while it "
    "improves",
    fix="say mode='max' for what is better when higher, such as accuracy; greater_is_better=True in transformers",
    source="docs of lightning's EarlyStopping and ModelCheckpoint (mode='min' by default) and of ReduceLROnPlateau",
    broken="""
from lightning.pytorch.callbacks import EarlyStopping

stop = EarlyStopping(monitor="val_acc", patience=5)
""",
    healthy="""
from lightning.pytorch.callbacks import EarlyStopping

stop = EarlyStopping(monitor="val_acc", patience=5, mode="max")
""",
)
def monitor_in_wrong_direction(program: Program) -> Iterator[Hit]:
    for call in program.calls:
        name = program.qualified(call.func)
        last = name.rpartition(".")[2]
        if opaque(call):
            continue
        if name.startswith("lightning.") and last in _STOPPERS:
            monitor, mode = text(program, given(call, "monitor", None if last == "ModelCheckpoint" else 0)), "min"
            if (stated := given(call, "mode")) is not None:
                mode = text(program, stated) or ""
            yield from _judged(call, monitor, mode)
        elif name.startswith("transformers.") and last.endswith("TrainingArguments"):
            monitor = text(program, given(call, "metric_for_best_model"))
            greater = flag(program, given(call, "greater_is_better"))
            if greater is not None:
                yield from _judged(call, monitor, "max" if greater else "min")
    yield from _plateaus(program)


def _plateaus(program: Program) -> Iterator[Hit]:
    for call in program.methods_of("step"):
        made = made_by(program, receiver(call))
        if made is None or program.qualified(made.func) != "torch.optim.lr_scheduler.ReduceLROnPlateau":
            continue
        stated = given(made, "mode", 1)
        mode = "min" if stated is None else text(program, stated) or ""
        metric = given(call, "metrics", 0)
        if isinstance(metric, ast.Name | ast.Attribute):
            yield from _judged(call, ast.unparse(metric).rpartition(".")[2], mode)


def _judged(call: ast.Call, monitor: str | None, mode: str) -> Iterator[Hit]:
    words = set(re.split(r"[^a-z0-9]+", (monitor or "").lower()))
    if words & _HIGHER and not words & _LOWER and mode == "min":
        yield Hit(call, f"{monitor} is better when higher, but the lowest is taken for the best")
    elif words & _LOWER and not words & _HIGHER and mode == "max":
        yield Hit(call, f"{monitor} is better when lower, but the highest is taken for the best")
