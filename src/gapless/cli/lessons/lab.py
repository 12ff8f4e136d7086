"""`gapless lab`: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gapless.cli.screen import progress, say, stoppable
from gapless.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from gapless.data import Task
    from gapless.lab.experiment import Experiment
    from gapless.lab.runner import Record, Store
    from gapless.lab.setting import Lab


def lab(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The experiment to run; without it they are listed.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Run all that have no verdict yet; the same command goes on.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Run it on your data, as gapless tune takes it.")
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of --data to predict.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Run it on a built-in model, or module:function.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure again what has a verdict.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where verdicts and pages are kept, in place of yours.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as one JSON document.")] = False,
) -> int:
    """Runs the claims of the lesson on this machine, two minutes each at the most, and says which hold."""
    from gapless.lab.experiments import EXPERIMENTS
    from gapless.lab.runner import Store, default_folder
    from gapless.lab.setting import Lab

    if name and everything:
        raise UsageError("name an experiment or give --all, not both")
    if (data or model) and not name:
        raise UsageError("--data and --model are for one experiment: name it")
    store = Store((out or default_folder()).expanduser())
    if name:
        named = {e.name: e for e in EXPERIMENTS} | {e.row.lower(): e for e in EXPERIMENTS}
        if name.lower() not in named:
            raise UsageError(f"there is no experiment {name!r}.{did_you_mean(name, [e.name for e in EXPERIMENTS])}")
        with stoppable(f"gapless lab {name}"):
            setting = Lab(data=own_data(data, target), model=model)
            records = [_one(named[name.lower()], setting, store, again)]
    elif everything:
        with stoppable("gapless lab --all"):
            records = [_one(e, Lab(), store, again) for e in EXPERIMENTS]
    else:
        records = _list(EXPERIMENTS, store, as_json)
    if name or everything:
        _index(EXPERIMENTS, store)
    if as_json:
        print(json.dumps({"schema": 1, "experiments": [r.to_json() for r in records]}, indent=1))
    return 0


def own_data(source: str | None, target: str | None) -> Task | None:
    """A reader's own data with its new rows; None where none is given."""
    if source is None:
        return None
    from gapless.data.door import load
    from gapless.data.splits import complete

    return complete(load(source, target), None, 0)


def measured(experiment: Experiment, setting: Lab, store: Store, again: bool) -> tuple[Record, Path]:
    """The verdict of one experiment, kept or measured now, and its page."""
    from gapless.lab.page import page
    from gapless.lab.runner import run

    found = None if again else store.valid(experiment, setting)
    if found is None:
        with progress(experiment.name) as tell:
            found = run(experiment, setting, tell)
    return found, store.write(experiment, setting, found, page(experiment, found))


def _one(experiment: Experiment, setting: Lab, store: Store, again: bool) -> Record:
    """The same, told in three lines."""
    found, path = measured(experiment, setting, store, again)
    say(f"{found.finding.word}: {experiment.claim} [{experiment.name}, {found.seconds:.0f} s]")
    say(f"  {found.finding.because}")
    say(f"  {path}")
    return found


def _index(experiments: tuple[Experiment, ...], store: Store) -> None:
    from gapless.files import write_atomically
    from gapless.lab.page import index
    from gapless.lab.setting import Lab

    path = store.folder / "index.html"
    write_atomically(path, index([(e, store.last(e, Lab())) for e in experiments]).encode())
    say(f"All claims: {path}")


def _list(experiments: tuple[Experiment, ...], store: Store, quiet: bool) -> list[Record]:
    from gapless.lab.experiment import PILLARS
    from gapless.lab.setting import Lab

    wide = max(len(e.name) for e in experiments)
    found = {e.name: store.last(e, Lab()) for e in experiments}
    for pillar in () if quiet else PILLARS:
        print(pillar)
        for e in (e for e in experiments if e.pillar == pillar):
            last = found[e.name]
            word = f"{last.finding.word}, {last.seconds:.0f} s" if last else "not run yet"
            print(f"  {e.name:<{wide}}  {word:<20}  {e.claim}")
    return [record for record in found.values() if record is not None]
