"""The command, run in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from gapless.cli import diagnose, policy, tune
from gapless.cli import main as cli
from gapless.evidence.ledger import VARIABLE

TRIALS = 52
"""So many come past the openings of a run on pictures."""
TINY = ("--train-size", "60", "--epochs", "3", "--width", "4", "--batch-size", "16")
"""Digits in little time; what comes of it is worth nothing, but it comes by every way a long run does."""


SCRIPT = Path(sys.executable).with_name("gapless")
"""What pip installed."""


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output; anything before or behind it is an error."""
        return json.loads(self.out)


def gapless(*arguments: object, ledger: Path | None = None) -> Ran:
    """Runs the command in this process, which has torch loaded already, with a ledger of its own or the one given."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as own,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.setenv(VARIABLE, str(ledger or own))
        for part in (tune, diagnose, policy):
            patch.setattr(part, "BEGUN", time.monotonic())
        code = cli.run([str(a) for a in arguments])
    return Ran(code, out.getvalue(), err.getvalue())


def start(*arguments: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """The command in a process and process group of its own, as a terminal would start it."""
    return subprocess.Popen(
        [SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=cwd,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


def ended(process: subprocess.Popen[str]) -> Ran:
    """Waits for a process and gives back what it left."""
    with process:
        out, err = process.communicate(timeout=240)
    return Ran(process.returncode, out, err)


def events(folder: Path) -> list[dict[str, Any]]:
    """The journal of a run."""
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def figures(folder: Path) -> dict[str, Any]:
    """result.json without what differs between two runs of one command: the seconds, and what they depend on."""
    result = json.loads((folder / "result.json").read_text())
    del result["seconds"]
    for side in result["costs"].values():
        for name in ("seconds", "epoch", "step"):
            del side[name]
    return result
