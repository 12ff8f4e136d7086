"""The command: its parts, its errors and its exit codes."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.exceptions import TyperException

from gapless import __version__
from gapless.cli.augment import augment
from gapless.cli.diagnose import diagnose
from gapless.cli.fit import fit
from gapless.cli.lab import lab
from gapless.cli.lint import lint
from gapless.cli.policy import policy
from gapless.cli.predict import predict
from gapless.cli.screen import INTERRUPTED, keep_answers_apart, talk
from gapless.cli.tune import tune
from gapless.errors import GaplessError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(augment, name="augment")
app.command()(tune)
app.command()(diagnose)
app.command()(policy)
app.command()(fit)
app.command()(predict)
app.command()(lint)
app.command()(lab)


def main() -> NoReturn:
    """The console script."""
    keep_answers_apart()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs the command and returns its exit code; errors meant for the user are printed without a traceback."""
    as_json = "--json" in arguments
    try:
        code = app(arguments or ["--help"], prog_name="gapless", standalone_mode=False, obj=arguments)
    except GaplessError as error:
        return _failed(str(error), error.exit_code, as_json)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except TyperException as error:  # what the parser says of the command line
        return _failed(cast(Any, error).format_message(), 2, as_json)
    except Exception as error:  # a mistake of ours: whoever reads the document hears of it, too
        if as_json:
            print(_error(f"{type(error).__name__}: {error}", 1))
        raise
    return int(code or 0)


def _error(message: str, code: int) -> str:
    return json.dumps({"schema": 1, "error": {"message": message, "exit_code": code}})


def _failed(message: str, code: int, as_json: bool) -> int:
    if as_json:
        print(_error(message, code))
    talk.print(f"gapless: {message}", markup=False, style="red" if talk.is_terminal else None)
    return code


def _version(asked: bool) -> None:
    if asked:
        print(f"gapless {__version__}")
        raise typer.Exit


@app.callback()
def gapless(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Measures the generalization gap of a PyTorch model and finds the regularization that closes it."""
