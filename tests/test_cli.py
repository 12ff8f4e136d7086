"""The command line: what it says, what it takes, its exit codes, and one JSON document on every way out."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command import SCRIPT, gapless

from gapless import __version__
from gapless.cli import main as cli
from gapless.cli.tune import repeated
from gapless.errors import DataError
from gapless.run.surroundings import fresh_folder


def light(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a fresh process that says at its end what it has loaded."""
    program = (
        "import sys; from gapless.cli.main import run; code = run(sys.argv[1:]); "
        "heavy = [m for m in ('torch', 'numpy', 'optuna', 'sklearn', 'scipy', 'altair') if m in sys.modules]; "
        "print(heavy, file=sys.stderr); sys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], "Usage: gapless"),
        ([], "Usage: gapless"),
        (["tune", "--help"], "--minutes"),
        (["--version"], f"gapless {__version__}\n"),
    ],
)
def test_help_and_version_load_nothing_heavy(arguments: list[str], said: str) -> None:
    done = light(*arguments)
    assert done.returncode == 0
    assert said in done.stdout
    assert done.stderr.strip() == "[]"


def test_wrong_options_are_told_without_loading_torch() -> None:
    done = light("tune", "digits", "--trials", "0")
    assert done.returncode == 2
    assert done.stderr == "gapless: --trials must be at least 1, got 0\n[]\n"


def test_the_package_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gapless", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"gapless {__version__}\n"


def test_the_installed_script() -> None:
    done = subprocess.run([SCRIPT, "--version"], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gapless {__version__}\n", "")


def test_help_tells_every_promised_option() -> None:
    text = gapless("tune", "--help").out
    for option in [
        "model",
        "minutes",
        "trials",
        "epochs",
        "train-size",
        "test",
        "target",
        "seed",
        "workers",
        "device",
        "out",
        "json",
    ]:
        assert f"--{option}" in text


WRONG = {
    "no such command": (["tun", "digits"], 2, "No such command 'tun'"),
    "no such option": (["tune", "digits", "--minuts", "3"], 2, "No such option: --minuts"),
    "no data": (["tune"], 2, "Missing argument"),
    "a word for a number": (["tune", "digits", "--minutes", "five"], 2, "--minutes"),
    "both budgets": (["tune", "digits", "--minutes", "1", "--trials", "2"], 2, "exclude each other"),
    "no minutes": (["tune", "digits", "--minutes", "0"], 2, "--minutes must be a number above 0, got 0"),
    "endless minutes": (["tune", "digits", "--minutes", "inf"], 2, "--minutes must be a number above 0, got inf"),
    "minutes that are no number": (["tune", "digits", "--minutes", "nan"], 2, "--minutes must be a number above 0"),
    "no epochs": (["tune", "digits", "--epochs", "0"], 2, "--epochs must be at least 1, got 0"),
    "negative seed": (["tune", "digits", "--seed", "-1"], 2, "--seed must be at least 0, got -1"),
    "no workers": (["tune", "digits", "--workers", "0"], 2, "--workers must be at least 1, got 0"),
    "batches of one": (["tune", "digits", "--batch-size", "1"], 2, "--batch-size must be at least 2, got 1"),
    "averages of the far past": (["tune", "digits", "--ema", "1"], 2, "--ema must be below 1, got 1"),
    "unknown optimizer": (["tune", "digits", "--optimizer", "adam"], 2, "--optimizer"),
    "unknown model": (["tune", "digits", "--model", "resnt"], 2, "no built-in model 'resnt'. Did you mean 'resnet'?"),
    "width of nothing": (["tune", "digits", "--width", "0"], 2, "--width must be at least 1, got 0"),
    "depth of a cnn": (["tune", "digits", "--depth", "3"], 2, "--depth: cnn has three convolutions"),
    "a target for pictures": (["tune", "digits", "--target", "y"], 2, "--target is for tables"),
    "too few rows": (["tune", "digits", "--train-size", "5"], 2, "train size must be at least 20"),
    "all rows": (["tune", "digits", "--train-size", "1797"], 2, "must leave rows for confirm"),
    "no such device": (["tune", "digits", "--trials", "3", "--device", "abacus"], 2, "--device abacus: torch cannot"),
    "no such data": (["tune", "digts"], 3, "there is no data 'digts'"),
    "no such module": (["tune", "no_such_module_x:task"], 3, "there is no module 'no_such_module_x'"),
    "no such model function": (
        ["tune", "digits", "--model", "gapless.models:vgg"],
        3,
        "gapless.models' has no 'vgg'",
    ),
}


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("name", WRONG)
def test_errors(name: str, as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, code, said = WRONG[name]
    ran = gapless(*arguments, *(["--json"] if as_json else []))
    assert ran.code == code
    assert said in ran.err
    assert "Traceback" not in ran.err
    if as_json:
        assert ran.json["schema"] == 1
        assert ran.json["error"]["exit_code"] == code
        assert said in ran.json["error"]["message"]
    else:
        assert ran.out == ""
    assert list(tmp_path.iterdir()) == []  # nothing half-written


def test_a_mistake_of_ours_is_one_document_and_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("gapless.data.source.load", broken)
    printed: list[str] = []
    monkeypatch.setattr("builtins.print", printed.append)
    with pytest.raises(ZeroDivisionError):
        cli.run(["tune", "digits", "--json"])
    assert [json.loads(text)["error"] for text in printed] == [
        {"message": "ZeroDivisionError: division by zero", "exit_code": 1}
    ]


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), DataError("[red]not markup[/red] \x1b[31m")])
def test_what_ends_loading_is_told(raised: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def interrupted(*_: object) -> None:
        raise raised

    monkeypatch.setattr("gapless.data.source.load", interrupted)
    ran = gapless("tune", "digits", "--json")
    stopped = isinstance(raised, KeyboardInterrupt)
    assert ran.code == (130 if stopped else 3)
    assert ran.json["error"]["exit_code"] == ran.code
    assert (
        "To go on:\n    gapless tune digits --json --out gapless-runs/digits-1" if stopped else "[red]not markup[/red]"
    ) in ran.err


# ── the command to go on with ──


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tune", "digits"], "gapless tune digits --out a/b"),
        (["tune", "digits", "--out", "x y", "--seed", "3"], "gapless tune digits --seed 3 --out a/b"),
        (
            ["tune", "--out=x", "my data.csv", "--target", "it's"],
            "gapless tune 'my data.csv' --target 'it'\"'\"'s' --out a/b",
        ),
    ],
)
def test_command_to_go_on(arguments: list[str], expected: str) -> None:
    said = repeated(arguments, Path("a/b"))
    assert said == expected
    assert shlex.split(said)[-2:] == ["--out", "a/b"]


def test_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def fresh(data: str) -> str:
        return str(fresh_folder(data))

    assert fresh("digits") == "gapless-runs/digits-1"
    (tmp_path / "gapless-runs" / "digits-1").mkdir(parents=True)
    assert fresh("digits") == "gapless-runs/digits-2"
    assert fresh("data/my table.csv") == "gapless-runs/my-table-1"
    assert fresh("module.sub:task") == "gapless-runs/module-1"
    assert fresh("..") == "gapless-runs/run-1"
    assert fresh("/") == "gapless-runs/run-1"
