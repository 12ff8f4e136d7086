from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gapless.lint.reading.pictures import lower_name
from gapless.lint.reading.program import LOOPS, Program
from gapless.lint.reading.values import flag, given, method, trace
from gapless.lint.rule import Hit, reads

_TEST = re.compile(r"(^|_)test(_|$)")
_STATS = re.compile(r"acc|loss|score|f1|auc|err|metric|r2|mse|mae|iou|dice")


@reads(
    level="error",
    title="the best epoch is chosen on the test data",
    effect="the best of many looks at the same rows is too good: the best of 40 settings on 100 rows was measured "
    "3.2 to 5.2 points above what it was worth on new ones",
    fix="choose on validation data, kept out of training, and open the test data once, at the end",
    source="FT-ZHOU-ZZZ/CMTA#8 (the early-stop set is reported); maxpumperla/hyperas#193 (tuned on test)",
    broken="""
import torch

def fit(model, train, evaluate, train_loader, test_loader):
    best_acc = 0.0
    for epoch in range(100):
        train(model, train_loader)
        test_acc = evaluate(model, test_loader)
        if test_acc > best_acc:
            best_acc = test_acc
            torch.save(model.state_dict(), "best.pt")
    print("best test accuracy", best_acc)
""",
    healthy="""
import torch

def fit(model, train, evaluate, train_loader, val_loader, test_loader):
    best_acc = 0.0
    for epoch in range(100):
        train(model, train_loader)
        val_acc = evaluate(model, val_loader)
        if val_acc > best_acc:
            best_acc = val_acc
            torch.save(model.state_dict(), "best.pt")
    model.load_state_dict(torch.load("best.pt"))
    print("test accuracy", evaluate(model, test_loader))
""",
)
def chosen_on_test(program: Program) -> Iterator[Hit]:
    for node in program.all(ast.If):
        looped = any(isinstance(each, LOOPS) for each in program.above(node))
        if looped and _compares_test(node.test) and _keeps_model(node.body):
            yield Hit(node, f"{ast.unparse(node.test)} decides which weights are kept")
    for call in program.calls:
        name = program.qualified(call.func)
        if name.startswith("transformers.") and name.endswith("Trainer") and _selects(program, call):
            data = given(call, "eval_dataset", 4)
            if data is not None and _is_test(data):
                yield Hit(data, "the best checkpoint is chosen on the test split: load_best_model_at_end")


def _compares_test(test: ast.expr) -> bool:
    """test_acc > best_acc: a score by the name of test, against a best one."""
    for each in ast.walk(test):
        if isinstance(each, ast.Compare) and isinstance(each.ops[0], ast.Gt | ast.Lt | ast.GtE | ast.LtE):
            names = [lower_name(each.left), lower_name(each.comparators[0])]
            tested = [n for n in names if _TEST.search(n) and _STATS.search(n) and "best" not in n]
            if tested and any("best" in n for n in names):
                return True
    return False


def _keeps_model(body: list[ast.stmt]) -> bool:
    """Whether the branch keeps the model: by saving it, or by its state."""
    calls = [n for statement in body for n in ast.walk(statement) if isinstance(n, ast.Call)]
    return any(
        method(call) in ("save", "state_dict", "save_pretrained", "save_checkpoint", "save_model") for call in calls
    )


def _selects(program: Program, trainer: ast.Call) -> bool:
    arguments = given(trainer, "args", 1)
    made = trace(program, arguments) if arguments is not None else None
    return isinstance(made, ast.Call) and flag(program, given(made, "load_best_model_at_end")) is True


def _is_test(data: ast.expr) -> bool:
    """dataset["test"], test_dataset."""
    if isinstance(data, ast.Subscript) and isinstance(data.slice, ast.Constant):
        return data.slice.value == "test"
    return _TEST.search(lower_name(data)) is not None
