"""`gapless predict`: what the trained model of a run says of new rows; and how such a model is made and told of."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gapless.cli.screen import answers_alone, run_shown, say
from gapless.errors import DataError

if TYPE_CHECKING:
    from gapless.api import Tuned
    from gapless.data import Task
    from gapless.train.predictions import Predictions
    from gapless.train.trained import TrainedModel

SOURCE = "source.json"
"""What the data and the model of a run were, for who trains on them again."""
_SHOWN = 5  # rows left out that are named


def predict(
    run: Annotated[str, typer.Argument(help="The run's folder, or that of a saved model.")],
    data: Annotated[
        str,
        typer.Argument(
            help="Rows like those of the training, with or without the target: a table, texts, a folder of pictures, "
            "one picture, a .npz."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="The .csv file to write. Default: standard output.")] = None,
    model: Annotated[
        str | None, typer.Option(help="module:function that builds the network, where it is none of gapless's own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of CSV.")] = False,
) -> int:
    """Answers new rows with the model that `gapless tune --save-model` or `gapless fit` trained.

    Each row gets its class and the probability of each class, or a number and how far off it may be.

    Examples:

      gapless predict gapless-runs/customers-1 new-customers.csv --out predictions.csv

      gapless predict gapless-runs/photos-1 holiday/ --out predictions.csv
    """
    from gapless.train.trained import load_model

    with answers_alone():
        found = load_model(run, model).predictions(data)
    for note in found.notes:
        say(f"  note: {note}")
    if found.left_out:
        shown = "; ".join(f"{where}: {why}" for where, why in found.left_out[:_SHOWN])
        say(f"  without an answer: {len(found.left_out):,} ({shown}{' ...' if len(found.left_out) > _SHOWN else ''})")
    if out is not None:
        found.write(out)
        say(f"{len(found):,} rows answered: {out}")
    if as_json:
        print(json.dumps(_document(found, out)))
    elif out is None:
        print(found.csv(), end="")
    return 0


def _document(found: Predictions, out: Path | None) -> dict[str, Any]:
    """What --json prints: all of it, or where it was written."""
    said = {"schema": 1, "rows": len(found), "notes": found.notes, "left_out": found.left_out}
    return {**said, "out": str(out)} if out is not None else {**said, "columns": found.columns()}


def remember(folder: Path, facts: dict[str, Any]) -> None:
    """Writes what `fit` needs to read the data again."""
    from gapless.files import write_atomically

    write_atomically(folder / SOURCE, (json.dumps({**facts, "folder": str(Path.cwd())}, indent=1) + "\n").encode())


def remembered(run: Path) -> dict[str, Any]:
    path = run.resolve() / SOURCE
    try:
        facts = json.loads(path.read_text("utf-8"))
        if not Path(facts["folder"]).is_dir():
            raise DataError(f"{path}: the run was made in {facts['folder']}, which is gone")
        return facts
    except FileNotFoundError as error:
        raise DataError(
            f"{run}: does not say where its data is; in Python: "
            f"gapless.load_result({str(run)!r}).fit(gapless.load(...))"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: is damaged ({error}); give the data again: gapless tune ... --out {run}") from error


@answers_alone()
def save(tuned: Tuned, task: Task, device: str | None, run: Path, called: Path) -> TrainedModel:
    """Trains on all rows with a bar, writes the model into the run's folder, and says what to expect of it.

    Args:
        called: the run's folder as the user writes it.
    """
    from gapless.api import train_handed

    with run_shown() as (teller, stop):
        model = train_handed(tuned.result, task, device, teller, stop)
    model.save(run / "model")
    for line in told(model, called):
        say(line)
    return model


def told(model: TrainedModel, run: Path) -> list[str]:
    """What to expect of a trained model, and how to ask it."""
    known = model.held_out
    rows = f"{known.rows:,} rows that it was not trained on"
    if model.classes:
        expect = (
            f"models trained like it got {known.score:.1%} of {rows} right, which made its probabilities what they are"
        )
    else:
        expect = f"9 of 10 answers of models trained like it were off by at most {known.within:.4g} on {rows}"
    return [
        f"Trained model: {run / 'model'} (safetensors and JSON), on all {model.about['rows']:,} rows; {expect}.",
        "To ask it:",
        f"    gapless predict {shlex.quote(str(run))} NEW-DATA --out predictions.csv",
    ]
