"""What is said where: the verdict on standard output, how a run goes on in a log, options in groups, completion."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import gapless
from conftest import Finished
from rich.console import Console
from rich.progress import Progress
from typer.main import get_command

from gapless.cli.help import GROUPS
from gapless.cli.main import app
from gapless.cli.screen import EVERY, Teller, answer


def test_the_verdict_is_on_standard_output_and_all_else_is_not(finished: Finished) -> None:
    arguments = [a for a in finished.arguments if a != "--json"]
    again = gapless(*arguments, "--out", finished.folder)
    assert again.code == 0
    first = again.out.splitlines()[0]
    assert first.startswith(("Improved on digits", "No detectable gain on digits", "Worse on digits"))
    assert f"Read the report: {finished.folder / 'report.html'}" in again.out
    assert "writing the report" in again.err and "rows to train and choose on" in again.err
    assert first not in again.err and "writing the report" not in again.out


def test_with_a_document_asked_for_the_verdict_is_beside_it(finished: Finished) -> None:
    assert finished.ran.json["schema"] == 1
    assert " on digits: " in finished.ran.err


def test_what_an_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", out)
    answer("grün […]")
    out.flush()
    assert out.buffer.getvalue() == b"gr\\xfcn [\\u2026]\n"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_log_hears_of_a_run_every_so_often() -> None:
    now, log = [0.0], io.StringIO()
    console = Console(file=log, width=200)
    with Progress(console=console, disable=True) as shown:
        teller = Teller(shown, shown.add_task("", total=1.0), lambda: now[0])
        teller.phase("searching")
        for second in range(0, 100, 5):
            now[0] = second
            teller.progress(second / 100, 100.0 - second, f"{second} trials; best so far [b]preset 91.0 %")
    said = log.getvalue().splitlines()
    assert said[0] == "searching"
    assert said[1:] == [
        f"searching: {s}%; {(100 - s) // 60}:{(100 - s) % 60:02d} left; {s} trials; best so far [b]preset 91.0 %"
        for s in (30, 60, 90)
    ]
    assert EVERY == 30


def test_every_option_of_tune_is_in_one_group() -> None:
    tune = get_command(app).commands["tune"]  # pyright: ignore[reportAttributeAccessIssue]
    options = {p.name for p in tune.params if p.param_type_name == "option"}
    grouped = [name for _, names in GROUPS["tune"] for name in names]
    assert sorted(grouped) == sorted(options)
    shown = gapless("tune", "-h")
    assert shown.code == 0 and "Other options:\n  -h, --help" in shown.out
    assert "gapless tune customers.csv --target churn" in shown.out
    assert all(f"{title}:\n" in shown.out for title, _ in GROUPS["tune"])


def test_a_shell_is_helped_to_complete() -> None:
    asked = {"_GAPLESS_COMPLETE": "complete_bash", "COMP_WORDS": "gapless tune --sav", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "gapless"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["--save-model"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tune",), "Missing argument 'data'. `gapless tune --help` has examples."),
        (("tune", "digits", "--optimizer", "adam"), "Invalid value for '--optimizer': 'adam' is not one of"),
        (("tune", "digits", "--device", "gpu"), "there is no such device; cpu and cuda are usual"),
    ],
)
def test_errors_say_what_to_do(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ran = gapless(*arguments, "--out", tmp_path / "r") if len(arguments) > 1 else gapless(*arguments)
    assert ran.code == 2
    assert said in ran.err
