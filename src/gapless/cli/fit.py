"""`gapless fit`: the model of a finished run, trained on all its rows."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from gapless.cli.predict import remembered, save
from gapless.cli.tune import load_again


def fit(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    device: Annotated[str | None, typer.Option(help="cpu, or cuda. Default: that of the run.")] = None,
) -> int:
    """Trains the model of a finished run on all its rows, without a new search: what `tune --save-model` does.

    The run's data is read again from where it was.

    Example:

      gapless fit gapless-runs/customers-1
    """
    from gapless.api import load_result

    tuned = load_result(run)
    place = run.resolve()
    facts = remembered(run)
    with chdir(facts["folder"]):
        save(tuned, load_again(facts), device, place, run)
    return 0
