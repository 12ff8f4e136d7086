from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.pictures import judges, loaders, lower_name
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import flag, given
from gapless.lint.rule import Hit, reads


@reads(
    level="warning",
    title="drop_last on data to judge by",
    effect="up to batch_size - 1 rows are never judged: with 1,000 rows and batches of 128 that is 10 % of them, "
    "always the last ones",
    fix="leave drop_last out for validation and test",
    source="docs of torch.utils.data.DataLoader: drop_last drops the last incomplete batch",
    broken="""
from torch.utils.data import DataLoader

def loaders(train_set, val_set):
    train_loader = DataLoader(train_set, batch_size=128, shuffle=True, drop_last=True)
    val_loader = DataLoader(val_set, batch_size=128, drop_last=True)
    return train_loader, val_loader
""",
    healthy="""
from torch.utils.data import DataLoader

def loaders(train_set, val_set):
    train_loader = DataLoader(train_set, batch_size=128, shuffle=True, drop_last=True)
    val_loader = DataLoader(val_set, batch_size=128)
    return train_loader, val_loader
""",
)
def validation_drops_last(program: Program) -> Iterator[Hit]:
    for call in loaders(program):
        statement = program.statement(call)
        target = statement.targets[0] if isinstance(statement, ast.Assign) and statement.value is call else None
        if target is not None and judges(lower_name(target)) and flag(program, given(call, "drop_last", 8)) is True:
            yield Hit(call, f"{ast.unparse(target)} leaves the last incomplete batch out")
