from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gapless.lint.reading.models import NORMS, class_of
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import attributes, made_by, method, receiver, text, trace
from gapless.lint.rule import Hit, reads

_CHECKPOINTS = (
    (r"(^|/)(distil)?gpt2", "transformer.h.0.ln_1.weight"),
    (r"(^|/)distilbert", "transformer.layer.0.sa_layer_norm.weight"),
    (r"(^|/)(flan-)?t5", "encoder.block.0.layer.0.layer_norm.weight"),
    (r"llama|mistral|qwen|gemma", "model.layers.0.input_layernorm.weight"),
    (r"(^|/)vit-", "vit.encoder.layer.0.layernorm_before.weight"),
)
"""What a norm's weight is called in these families of transformers."""


@reads(
    level="warning",
    title="a list of names without decay that misses the norms of this model",
    effect="the norms are decayed after all, as if there were no list: names differ from model to model, types do not",
    fix="make the groups by type: gapless.decay.groups(model, weight_decay)",
    source="huggingface/transformers#10598; deepspeedai/DeepSpeedExamples#755 and #68 (lists with wrong names)",
    broken="""
import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2")
no_decay = ["bias", "LayerNorm.weight"]
groups = [
    {"params": [p for n, p in model.named_parameters() if not any(nd in n for nd in no_decay)], "weight_decay": 0.1},
    {"params": [p for n, p in model.named_parameters() if any(nd in n for nd in no_decay)], "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(groups, lr=1e-4)
""",
    healthy="""
import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2")
no_decay = ["bias", "ln_1.weight", "ln_2.weight", "ln_f.weight"]
groups = [
    {"params": [p for n, p in model.named_parameters() if not any(nd in n for nd in no_decay)], "weight_decay": 0.1},
    {"params": [p for n, p in model.named_parameters() if any(nd in n for nd in no_decay)], "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(groups, lr=1e-4)
""",
)
def decay_list_misses(program: Program) -> Iterator[Hit]:
    for generator in program.all(ast.GeneratorExp):
        listed = trace(program, generator.generators[0].iter)
        patterns = _patterns(listed)
        if not any("norm" in each.lower() or each.startswith("ln") for each in patterns) or "bias" not in patterns:
            continue
        for model in _models(program, generator):
            missed = [name for name in _norm_names(program, model) if not any(each in name for each in patterns)]
            if missed:
                yield Hit(listed, f"{missed[0]} matches none of {', '.join(map(repr, patterns))}")
                break


def _patterns(node: ast.expr) -> list[str]:
    found = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else []
    return [each.value for each in found if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def _models(program: Program, generator: ast.GeneratorExp) -> list[ast.expr]:
    """The models whose named_parameters() the comprehension around it goes through."""
    for each in program.above(generator):
        if isinstance(each, ast.ListComp | ast.For):
            over = each.generators[0].iter if isinstance(each, ast.ListComp) else each.iter
            return [receiver(over)] if isinstance(over, ast.Call) and method(over) == "named_parameters" else []
    return []


def _norm_names(program: Program, model: ast.expr) -> list[str]:
    """Names of parameters of norms that the model certainly has."""
    if class_of(program, model) is not None:
        return [
            f"{name}.weight"
            for owner in program.classes.values()
            for name, values in attributes(program, owner).items()
            if any(isinstance(value, ast.Call) and program.qualified(value.func) in NORMS for value in values)
        ]
    made = made_by(program, model)
    if made is None or not made.args or not program.qualified(made.func).startswith("transformers."):
        return []
    checkpoint = text(program, made.args[0]) or ""
    return [name for pattern, name in _CHECKPOINTS if re.search(pattern, checkpoint, re.I)]
