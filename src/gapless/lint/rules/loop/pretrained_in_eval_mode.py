from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import innermost, optimizers, trained
from gapless.lint.reading.values import made_by, text
from gapless.lint.rule import Hit, reads

_WITHOUT_DROPOUT = re.compile(r"llama|mistral|qwen|gemma|phi|falcon|olmo|deepseek|CausalLM", re.I)


@reads(
    level="error",
    title="a pretrained transformer that is trained in evaluation mode",
    effect="from_pretrained hands the model back in evaluation mode: without model.train() every dropout (0.1 in "
    "BERT) stays off while it is fine-tuned",
    fix="call model.train() before the loop and after each evaluation",
    source="docs of transformers.PreTrainedModel.from_pretrained: 'The model is set in evaluation mode by default'",
    broken="""
import torch
from transformers import AutoModelForSequenceClassification

def main(loader):
    model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased", num_labels=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    for batch in loader:
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
""",
    healthy="""
import torch
from transformers import AutoModelForSequenceClassification

def main(loader):
    model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased", num_labels=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    model.train()
    for batch in loader:
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
""",
)
def pretrained_in_eval_mode(program: Program) -> Iterator[Hit]:
    switched = any(True for _ in program.methods_of("train"))
    if switched or not any(True for _ in innermost(program)):
        return
    for call, _ in optimizers(program):
        for model in trained(program, call):
            made = made_by(program, model)
            name = program.qualified(made.func) if made is not None else ""
            if made is None or not (name.startswith("transformers.") and name.endswith(".from_pretrained")):
                continue
            checkpoint = text(program, made.args[0]) if made.args else None
            if not _WITHOUT_DROPOUT.search(f"{name} {checkpoint or ''}"):
                yield Hit(made, f"{ast.unparse(made.func)} hands it back in evaluation mode, and nothing calls train()")
