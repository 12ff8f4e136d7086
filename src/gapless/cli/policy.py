"""`gapless policy`: parse, call, print."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gapless.cli.screen import answers_alone, run_shown, say, stoppable
from gapless.cli.tune import Address, Data, Engine, EngineName, GpusPerTraining, ModelName, Optimizer, repeated, task_of
from gapless.run.engines.place import Place
from gapless.run.surroundings import fresh_folder

if TYPE_CHECKING:
    from gapless.api import LearnedPolicy
    from gapless.data import Task
    from gapless.policies.options import PolicyOptions

BEGUN = time.monotonic()


class Search(Enum):
    strength = "strength"
    density = "density"
    controller = "controller"


Ops = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="An operation to draw from; repeatable. Default: the usual ones."),
]


def policy(
    context: typer.Context,
    data: Data,
    model: ModelName = None,
    minutes: Annotated[float, typer.Option(help="Time for everything.")] = 5.0,
    method: Annotated[
        Search | None,
        typer.Option(
            help="strength: one operation a picture, its set and range learned; density: Fast AutoAugment's; "
            "controller: AutoAugment's, by PPO. Default: density for pictures, strength for texts."
        ),
    ] = None,
    op: Ops = None,
    guard: Annotated[bool, typer.Option(help="Stay where labels survive on this data.")] = True,
    epochs: Annotated[int | None, typer.Option(help="Length of a full training. Default: by data and time.")] = None,
    lr: Annotated[float | None, typer.Option(help="The learning rate. Default: settled by trying.")] = None,
    train_size: Annotated[int | None, typer.Option(help="Use only so many rows to train and choose.")] = None,
    test: Annotated[Path | None, typer.Option(help="Data for the verdict. Default: a share put aside.")] = None,
    text: Annotated[str | None, typer.Option(help="Texts: the column that holds them.")] = None,
    target: Annotated[str | None, typer.Option(help="Texts: the column to predict.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="fashion-mnist: the folder of its IDX files.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Folders of pictures: the side in pixels.")] = None,
    width: Annotated[int | None, typer.Option(help="Width of a built-in model.")] = None,
    depth: Annotated[int | None, typer.Option(help="Depth of a built-in resnet, mlp or text-bag.")] = None,
    batch_size: Annotated[int, typer.Option(help="Rows a training step.")] = 64,
    optimizer: Annotated[Optimizer, typer.Option(help="What every model is trained with.")] = Optimizer.adamw,
    seed: Annotated[int, typer.Option(help="Decides every random draw.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes that train. Default: one a core, at most 8.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    engine: EngineName = Engine.local,
    address: Address = None,
    gpus: GpusPerTraining = 0.0,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; an unfinished run in it goes on.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json to standard output.")] = False,
) -> int:
    """Learns an augmentation policy on your data, and says what the search earned over a random policy."""
    folder = out or fresh_folder(f"policy-{Path(data).stem}")
    command = repeated(context.obj, folder)
    with stoppable(command) as asked:
        from gapless.data.source import SourceOptions
        from gapless.models import ModelOptions
        from gapless.policies.options import USUAL, PolicyOptions

        place = Place(engine.value, address, gpus)
        how = epochs, lr, batch_size, optimizer.value, seed, workers or place.workers(), device, BEGUN, place
        options = PolicyOptions(folder, minutes, (method or Search.strength).value, tuple(op or ()), guard, *how)
        source = SourceOptions(data_dir, test, target, train_size, seed, image_size, text=text)
        task = task_of(data, source, model, ModelOptions(width, depth))
        if asked:  # a library that was being loaded has swallowed it
            raise KeyboardInterrupt
        if method is None:
            options = replace(options, method=USUAL.get(task.kind, "strength"))
        found = _learned(task, options, command)
    for line in ["", *found.lines, "", f"Written to {folder}: policy.toml, recipe.toml, result.json, report.html."]:
        say(line)
    if as_json:
        print(json.dumps(found.result.to_json(), indent=1))
    return 0


@answers_alone()
def _learned(task: Task, options: PolicyOptions, command: str) -> LearnedPolicy:
    from gapless.api import carry_out_policy

    with run_shown() as (teller, stop):
        return carry_out_policy(task, options, command, teller, stop)
