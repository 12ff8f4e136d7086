"""A model and what trains it, by the command and in Python: places, codes, errors; healthy models in silence."""

from pathlib import Path

import pytest
import torch
from command import gapless
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import gapless as package
from gapless import decay
from gapless.lint import RULES, Setup
from gapless.lint.checker import check

MODULE = """import torch
from torch import nn
from gapless.lint import Setup


def setup():
    model = nn.Sequential(nn.Linear(8, 5), nn.Softmax(dim=1))
    rows = [(torch.randn(16, 8), torch.randint(5, (16,)))]
    return Setup(model, loader=rows, loss=nn.CrossEntropyLoss())


def bare():
    return nn.Linear(8, 2)


def number():
    return 7


def broken():
    raise RuntimeError("no data here")


def shapes():
    return Setup(nn.Linear(8, 2), loader=[(torch.randn(16, 9), torch.zeros(16))])


def empty():
    return Setup(nn.Linear(8, 2), loader=[], loss=nn.CrossEntropyLoss())


def half(p):
    return nn.functional.dropout(p)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    name = f"mine_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    return name


def test_a_function_is_run_and_its_file_is_read(module: str) -> None:
    ran = gapless("lint", f"{module}:setup", "--fail-on", "error", "--json")
    assert ran.code == 5
    live, read = ran.json["findings"]
    assert (live["rule"], live["where"]) == ("probabilities-into-loss", {"file": f"{module}:setup", "part": "outputs"})
    assert live["effect"] == "with 5 classes the loss cannot fall below 0.90"
    assert (read["rule"], read["where"]["file"]) == ("functional-dropout-always-on", f"{module}.py")
    assert ran.json["read"] == 1


def test_sarif_of_a_model_has_a_logical_place(module: str) -> None:
    ran = gapless("lint", f"{module}:setup", "--rules", "probabilities-into-loss", "--format", "sarif")
    (result,) = ran.json["runs"][0]["results"]
    assert result["locations"] == [{"logicalLocations": [{"fullyQualifiedName": f"{module}:setup: outputs"}]}]


@pytest.mark.parametrize(
    ("function", "code", "said"),
    [
        ("bare", 0, ""),
        ("number", 3, "must return a gapless.lint.Setup or a torch.nn.Module, got int"),
        ("broken", 3, "raised RuntimeError: no data here"),
        ("shapes", 3, "on the first batch"),
        ("empty", 3, "the loader hands out no batch"),
        ("nothing", 3, "has no 'nothing'"),
    ],
)
def test_what_a_function_may_return(module: str, function: str, code: int, said: str) -> None:
    ran = gapless("lint", f"{module}:{function}")
    assert ran.code == code
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_parts_beside_a_file_are_refused() -> None:
    with pytest.raises(package.UsageError, match=r"loader goes with a model, and 'x\.py' is a file"):
        package.lint("x.py", loader=[])


def test_the_python_door_takes_the_parts_in_order() -> None:
    model = nn.Sequential(nn.Linear(8, 5), nn.Softmax(dim=1))
    rows = [(torch.randn(16, 8), torch.randint(5, (16,)))]
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
    found = package.lint(model, optimizer, rows, nn.CrossEntropyLoss())
    assert [each.rule for each in found] == ["probabilities-into-loss"]
    assert str(found).startswith("model: outputs: error[probabilities-into-loss] each row sums to 1")


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )


def attentive() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 32, 0.2, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(80, 4))


HEALTHY = {
    "residual": (lambda: nn.Sequential(nn.Linear(8, 32), Block(32), Block(32), nn.Linear(32, 4)), (8,)),
    "convolutional": (convolutional, (3, 12, 12)),
    "attentive": (attentive, (5, 16)),
    "linear": (lambda: nn.Linear(8, 4), (8,)),
}


@pytest.mark.parametrize("kind", ["adamw", "sgd", "adam"])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_setups_are_quiet(name: str, kind: str) -> None:
    torch.manual_seed(0)
    build, shape = HEALTHY[name]
    model = build()
    rows = TensorDataset(torch.randn(96, *shape), torch.randint(4, (96,)))
    judged = TensorDataset(torch.randn(32, *shape), torch.randint(4, (32,)))
    groups = decay.groups(model, 0.05)
    optimizer = {
        "adamw": lambda: torch.optim.AdamW(groups, lr=1e-3),
        "sgd": lambda: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4),
        "adam": lambda: torch.optim.Adam(model.parameters(), lr=1e-3),
    }[kind]()
    setup = Setup(
        model, optimizer, DataLoader(rows, 32, shuffle=True), nn.CrossEntropyLoss(), DataLoader(judged, 32), 30
    )
    assert [str(each) for each in check(setup, RULES)] == []


def test_batches_that_are_mappings_and_outputs_with_logits() -> None:
    class Output:
        def __init__(self, logits: torch.Tensor, loss: torch.Tensor):
            self.logits, self.loss = logits, loss

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.out = nn.Embedding(50, 8), nn.Linear(8, 3)

        def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> Output:
            x = nn.functional.dropout(self.words(input_ids).mean(1), 0.5)
            logits = self.out(x)
            return Output(logits, nn.functional.cross_entropy(logits, labels))

    rows = [{"input_ids": torch.randint(50, (16, 7)), "labels": torch.randint(3, (16,))}]
    model = Model()
    found = package.lint(model, torch.optim.Adam(model.parameters(), weight_decay=0.5), rows)
    assert {each.rule for each in found} == {"random-in-evaluation", "decay-in-gradient", "decayed-norms"}
