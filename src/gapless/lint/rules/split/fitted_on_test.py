from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.pictures import lower_name
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import kind, receiver
from gapless.lint.rule import Hit, reads
from gapless.lint.rules.split.fitted_before_split import FITTED


@reads(
    level="error",
    title="preprocessing fitted on the test rows",
    effect="test rows are scaled by their own mean and range, so the same customer gets other inputs than in "
    "training, and a single new row cannot be scaled at all",
    fix="fit on the training rows once and call transform on the others",
    source="scikit-learn, Common pitfalls and recommended practices, section Inconsistent preprocessing",
    broken="""
from sklearn.preprocessing import StandardScaler

def scaled(X_train, X_test):
    scaler = StandardScaler()
    return scaler.fit_transform(X_train), scaler.fit_transform(X_test)
""",
    healthy="""
from sklearn.preprocessing import StandardScaler

def scaled(X_train, X_test):
    scaler = StandardScaler()
    return scaler.fit_transform(X_train), scaler.transform(X_test)
""",
)
def fitted_on_test(program: Program) -> Iterator[Hit]:
    for call in program.methods_of("fit", "fit_transform"):
        last = kind(program, receiver(call)).rpartition(".")[2]
        name = lower_name(call.args[0]) if call.args else ""
        words = name.split("_")
        held_out = bool({"test", "val", "valid", "validation", "xtest", "xval"} & set(words)) and "train" not in words
        if last in FITTED and held_out:
            yield Hit(call, f"{last} is fitted on {ast.unparse(call.args[0])}")
