"""`gapless diagnose`: parse, call, print."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from gapless.cli.diagnosed import carried_out, tell
from gapless.cli.screen import stoppable
from gapless.cli.tune import (
    Address,
    Aim,
    Engine,
    EngineName,
    FoldCase,
    GpusPerTraining,
    Group,
    Ignore,
    Keep,
    Missing,
    ModelName,
    Optimizer,
    repeated,
    source_of,
    task_of,
)
from gapless.run.engines.place import Place
from gapless.run.surroundings import fresh_folder

BEGUN = time.monotonic()
FOUND = 5
"""The exit code where --fail-on asks for it."""


class Grave(Enum):
    grave = "grave"
    moderate = "moderate"
    slight = "slight"


def diagnose(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="What `gapless tune` takes.")],
    model: ModelName = None,
    minutes: Annotated[float, typer.Option(help="Time for everything; what costs no training comes first.")] = 1.0,
    epochs: Annotated[int | None, typer.Option(help="How long you train. Default: settled by trying.")] = None,
    lr: Annotated[float | None, typer.Option(help="Your learning rate. Default: settled by trying.")] = None,
    train_size: Annotated[int | None, typer.Option(help="Use only so many rows to train on.")] = None,
    test: Annotated[Path | None, typer.Option(help="Your test data; its labels are not read.")] = None,
    also: Annotated[
        list[str] | None, typer.Option(metavar="NAME=FILE", help="Data from elsewhere: does the model get worse there?")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Texts: the column that holds them.")] = None,
    target: Annotated[str | None, typer.Option(help="Tables and texts: the column to predict.")] = None,
    ignore: Ignore = None,
    keep: Keep = None,
    missing: Missing = None,
    aim: Aim = None,
    fold_case: FoldCase = False,
    group: Group = None,
    batch_size: Annotated[int, typer.Option(help="Rows a training step.")] = 64,
    optimizer: Annotated[Optimizer, typer.Option(help="What the model is trained with.")] = Optimizer.adamw,
    image_size: Annotated[int | None, typer.Option(help="Folders of pictures: the side in pixels.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="fashion-mnist: the folder of its IDX files.")] = None,
    width: Annotated[int | None, typer.Option(help="Width of a built-in model.")] = None,
    depth: Annotated[int | None, typer.Option(help="Depth of a built-in resnet, mlp or text-bag.")] = None,
    seed: Annotated[int, typer.Option(help="Decides every random draw.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes that train. Default: one a core, at most 8.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    engine: EngineName = Engine.local,
    address: Address = None,
    gpus: GpusPerTraining = 0.0,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; an unfinished run in it goes on.")] = None,
    fail_on: Annotated[
        Grave | None, typer.Option(help="Exit code 5 where anything this grave is found; otherwise 0.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the diagnosis as one JSON document.")] = False,
) -> int:
    """Finds out by experiment why a model does not generalize, ranks the causes, and says what to do."""
    folder = out or fresh_folder(f"diagnose-{Path(data).stem}")
    with stoppable(repeated(context.obj, folder)) as asked:
        from gapless.diagnose.experiment.options import DiagnoseOptions
        from gapless.models import ModelOptions

        source = source_of(
            data_dir, test, target, train_size, seed, image_size, text, also, ignore, keep, missing, aim, fold_case,
            group, None,
        )  # fmt: skip
        task = task_of(data, source, model, ModelOptions(width, depth))
        if asked:  # a library that was being loaded has swallowed it
            raise KeyboardInterrupt
        place = Place(engine.value, address, gpus)
        how = minutes, epochs, lr, batch_size, optimizer.value, seed, workers or place.workers(), device, BEGUN, place
        found = carried_out(task, DiagnoseOptions(folder, *how))
    tell(found, folder, as_json)
    return FOUND if fail_on is not None and found.reaches(fail_on.value) else 0
