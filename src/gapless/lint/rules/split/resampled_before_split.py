from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.bindings import Binding, bindings, reaching
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import kind, mentions, method, receiver
from gapless.lint.rule import Hit, reads
from gapless.lint.rules.split.fitted_before_split import SPLITS

_STACKS = ("numpy.concatenate", "numpy.vstack", "numpy.append", "torch.cat", "pandas.concat")


@reads(
    level="error",
    title="rows are copied or varied before the split",
    effect="copies of one row land on both sides: the model is judged on rows it has memorised, and the score says "
    "nothing of new ones",
    fix="split first, then oversample or augment the training rows only",
    source="yogeshhk/MidcurveNN#34 (augmented, then split); imbalanced-learn, Common pitfalls, section Data leakage",
    broken="""
from imblearn.over_sampling import RandomOverSampler
from sklearn.model_selection import train_test_split

def parts(X, y):
    X, y = RandomOverSampler().fit_resample(X, y)
    return train_test_split(X, y, test_size=0.2)
""",
    healthy="""
from imblearn.over_sampling import RandomOverSampler
from sklearn.model_selection import train_test_split

def parts(X, y):
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2)
    X_train, y_train = RandomOverSampler().fit_resample(X_train, y_train)
    return X_train, X_test, y_train, y_test
""",
)
def resampled_before_split(program: Program) -> Iterator[Hit]:
    for call in program.calls_of(*SPLITS):
        for given in call.args[:1]:
            binding = reaching(program, given) if isinstance(given, ast.Name) else None
            if binding is None or binding.value is None or not isinstance(binding.value, ast.Call):
                continue
            made = binding.value
            if method(made) == "fit_resample" and _oversamples(program, made):
                yield Hit(made, f"rows are copied or made from others before the split in line {call.lineno}")
            elif program.qualified(made.func) in _STACKS and _stacks_itself(program, binding):
                yield Hit(made, f"{binding.name} holds variants of its own rows before the split in line {call.lineno}")


def _oversamples(program: Program, made: ast.Call) -> bool:
    name = kind(program, receiver(made))
    return name.startswith("imblearn.") and ".under_sampling." not in name


def _stacks_itself(program: Program, binding: Binding) -> bool:
    """X = np.concatenate([X, flipped(X)]): one array and something made from it."""
    made = binding.value
    assert isinstance(made, ast.Call)
    parts = made.args[0].elts if made.args and isinstance(made.args[0], ast.List | ast.Tuple) else made.args
    names = [each for each in parts if isinstance(each, ast.Name)]
    others = [each for each in parts if not isinstance(each, ast.Name)]
    for name in names:
        from_name = [each for each in others if mentions(each, name.id)]
        varied = [each for each in names if each.id != name.id and _made_from(program, each, name.id)]
        if from_name or varied or len([each for each in names if each.id == name.id]) > 1:
            return True
    return False


def _made_from(program: Program, name: ast.Name, source: str) -> bool:
    """Whether a name is bound once in its scope, to a call or a view of the other: noisy = X + noise."""
    found = bindings(program, program.scope(name)).get(name.id, [])
    value = found[0].value if len(found) == 1 else None
    return isinstance(value, ast.BinOp | ast.Subscript) and mentions(value, source)
