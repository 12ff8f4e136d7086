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
from gapless.cli.help import Grouped
from gapless.cli.lessons.lab import lab
from gapless.cli.lessons.pages import compare, playground, view
from gapless.cli.lessons.quiz import quiz
from gapless.cli.lint import lint
from gapless.cli.policy import policy
from gapless.cli.predict import predict
from gapless.cli.screen import INTERRUPTED, keep_answers_apart, talk
from gapless.cli.tune import tune
from gapless.errors import GaplessError

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(augment, name="augment")
app.command(cls=Grouped, short_help="Find the recipe that closes the gap, and prove it.")(tune)
app.command(short_help="Find out why a model does not generalize.")(diagnose)
app.command(short_help="Learn an augmentation policy, and prove what the search earned.")(policy)
app.command(short_help="Train the model of a finished run on all rows.")(fit)
app.command(short_help="Answer new rows with a trained model.")(predict)
app.command(short_help="Find mistakes in training scripts.")(lint)
app.command(short_help="Run the claims of the lesson on this machine.")(lab)
app.command(short_help="Turn the four pillars while a network trains, in the browser.")(playground)
app.command(short_help="Watch a run in the browser while it goes on.")(view)
app.command(short_help="Put finished runs side by side on a page.")(compare)
app.command(short_help="Questions on the lesson, answered by measurement.")(quiz)


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
        said = cast(Any, error).format_message().replace("Value error, ", "")
        shown = f" `gapless {arguments[0]} --help` has examples." if said.startswith("Missing argument") else ""
        return _failed(f"{said}{shown}", 2, as_json)
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
