"""Which model is meant by a word, and what is said when none is."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gapless.errors import DataError, UsageError
from gapless.models import BUILTIN, CNN, MLP, ModelOptions, ResNet, TextBag, choose


def test_default_by_the_kind_of_data() -> None:
    name, build = choose(None, "image", (3, 8, 8), 5)
    assert name == "cnn"
    assert isinstance(build(), CNN)
    name, build = choose(None, "text", (), 2)
    assert name == "text-bag"
    assert isinstance(build(), TextBag)
    name, build = choose(None, "table", (4,), 2, (0, 3, 0, 0))
    assert name == "mlp"
    model = build()
    assert isinstance(model, MLP)
    assert len(model.embed) == 1


INPUTS: dict[str, tuple[tuple[int, ...], Tensor]] = {
    "image": ((3, 12, 9), torch.rand(2, 3, 12, 9)),
    "table": ((6,), torch.rand(2, 6)),
    "text": ((), torch.tensor([[4, 9, 3], [5, 0, 0]])),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_every_builtin_takes_what_it_says(kind: str) -> None:
    shape, inputs = INPUTS[kind]
    called = {"image": "pictures", "table": "tables", "text": "texts"}
    for word, kinds in BUILTIN.items():
        if kind in kinds:
            _, build = choose(word, kind, shape, 4)
            assert build()(inputs).shape == (2, 4)
        else:
            takes = " and ".join(called[k] for k in kinds)
            able = ", ".join(name for name, kinds in BUILTIN.items() if kind in kinds)
            with pytest.raises(UsageError, match=f"{word} takes {takes}, these are {called[kind]}; choose .*: {able}"):
                choose(word, kind, shape, 4)


def test_each_call_builds_a_new_model() -> None:
    _, build = choose("cnn", "image", (1, 8, 8), 3)
    assert build() is not build()


def test_unknown_name() -> None:
    with pytest.raises(UsageError, match=r"no built-in model 'resnt'. Did you mean 'resnet'"):
        choose("resnt", "image", (1, 8, 8), 3)
    with pytest.raises(UsageError, match="Choose one of: cnn, mlp, resnet, text-bag, text-cnn"):
        choose("vgg16", "image", (1, 8, 8), 3)


def test_options() -> None:
    _, build = choose("resnet", "image", (1, 8, 8), 3, options=ModelOptions(width=4, depth=2))
    model = build()
    assert isinstance(model, ResNet)
    assert (model.stem.out_channels, len(model.stages[0])) == (4, 2)  # pyright: ignore[reportArgumentType]
    _, build = choose("mlp", "table", (4,), 2, options=ModelOptions(width=5, depth=3))
    model = build()
    assert isinstance(model, MLP)
    assert [m.out_features for m in model.hidden] == [5, 5, 5]


@pytest.mark.parametrize(
    ("word", "options", "said"),
    [
        ("cnn", ModelOptions(depth=2), "--depth: cnn has three convolutions"),
        ("text-cnn", ModelOptions(depth=2), "--depth: text-cnn has one layer of convolutions; use text-bag"),
        ("resnet", ModelOptions(width=0), "--width must be at least 1, got 0"),
        ("mlp", ModelOptions(width=-3), "--width must be at least 1, got -3"),
        ("resnet", ModelOptions(depth=0), "--depth must be at least 1, got 0"),
        ("some.module:net", ModelOptions(width=4), "--width and --depth are for built-in models"),
    ],
)
def test_options_that_make_no_sense(word: str, options: ModelOptions, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose(word, "text" if word.startswith("text") else "image", (1, 8, 8), 3, options=options)


# ── the user's own ──

MODULE = """
import torch
def net(): return torch.nn.Linear(2, 2)
class Net(torch.nn.Linear):
    def __init__(self): super().__init__(2, 2)
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    return tmp_path


@pytest.mark.parametrize("function", ["net", "Net"])
def test_own_model_from_the_current_folder(folder: Path, function: str) -> None:
    (folder / "own_net_a.py").write_text(MODULE)
    name, build = choose(f"own_net_a:{function}", "image", (1, 8, 8), 3)
    assert name == f"own_net_a:{function}"
    assert isinstance(build(), nn.Linear)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("own_net_b:nett", "module 'own_net_b' has no 'nett'. Did you mean 'net'"),
        ("own_net_b:number", "must be a function that returns a torch.nn.Module, got int"),
        ("own_net_b:", "module 'own_net_b' has no ''"),
        ("no_such_module_b:net", "there is no module 'no_such_module_b'"),
        (":net", "raised ValueError: Empty module name"),
        ("broken_b:net", r"raised ZeroDivisionError: division by zero \(.*broken_b.py line 1\)"),
        ("unfinished_b:net", r"raised SyntaxError: .*unfinished_b.py line 1"),
        ("leaving_b:net", "raised SystemExit: 3"),
    ],
)
def test_own_model_that_cannot_be_had(folder: Path, word: str, said: str) -> None:
    (folder / "own_net_b.py").write_text(MODULE)
    (folder / "broken_b.py").write_text("1 / 0")
    (folder / "unfinished_b.py").write_text("def net(:")
    (folder / "leaving_b.py").write_text("import sys; sys.exit(3)")
    with pytest.raises(DataError, match=said):
        choose(word, "image", (1, 8, 8), 3)
