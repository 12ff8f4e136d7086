from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.values import given, made_by, method, receiver, trace
from gapless.lint.rule import Hit, reads

_KEEP = ("float", "to", "cuda", "half")


@reads(
    level="error",
    title="soft labels that switch a transformer to binary cross-entropy",
    effect="transformers takes float labels of one column a class for a multi-label task and trains with "
    "BCEWithLogits: each class alone, no softmax",
    fix="leave labels out and compute F.cross_entropy(model(...).logits, soft_labels) yourself",
    source="transformers' ForSequenceClassificationLoss: problem_type is multi_label_classification for float labels",
    broken="""
import torch.nn.functional as F
from transformers import AutoModelForSequenceClassification

model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased", num_labels=4)

def loss_of(inputs, y):
    soft = F.one_hot(y, 4).float() * 0.9 + 0.025
    return model(**inputs, labels=soft).loss
""",
    healthy="""
import torch.nn.functional as F
from transformers import AutoModelForSequenceClassification

model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased", num_labels=4)

def loss_of(inputs, y):
    soft = F.one_hot(y, 4).float() * 0.9 + 0.025
    return F.cross_entropy(model(**inputs).logits, soft)
""",
)
def soft_labels_become_bce(program: Program) -> Iterator[Hit]:
    for call in program.calls:
        labels = next((k.value for k in call.keywords if k.arg == "labels"), None)
        if labels is None or not _one_hot(program, labels):
            continue
        made = made_by(program, call.func)
        name = program.qualified(made.func) if made is not None else ""
        classifies = "ForSequenceClassification" in name or "ForImageClassification" in name
        if made is not None and classifies and given(made, "problem_type") is None:
            yield Hit(labels, f"{ast.unparse(labels)} is one float column a class: the loss becomes BCEWithLogits")


def _one_hot(program: Program, node: ast.expr) -> bool:
    """Whether labels are certainly made from one_hot, as floats."""
    found = trace(program, node)
    if isinstance(found, ast.BinOp):
        return _one_hot(program, found.left) or _one_hot(program, found.right)
    if isinstance(found, ast.Call) and method(found) in _KEEP and not program.qualified(found.func):
        inner = trace(program, receiver(found))
        floats = method(found) == "float" or _one_hot(program, receiver(found)) or "float" in ast.unparse(found)
        named = isinstance(inner, ast.Call) and program.qualified(inner.func) == "torch.nn.functional.one_hot"
        return (named and floats) or (not named and _one_hot(program, receiver(found)))
    return False
