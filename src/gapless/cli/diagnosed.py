"""A diagnosis as the command carries it out: by itself, and before a search."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gapless.cli.screen import answers_alone, run_shown, say

if TYPE_CHECKING:
    from gapless.data import Task
    from gapless.diagnose.diagnosis import Diagnosis
    from gapless.diagnose.experiment.options import DiagnoseOptions
    from gapless.search.options import TuneOptions

SHARE, MINUTES = 0.2, 1.0
"""Of the minutes of a search for the diagnosis before it; minutes where trials are the budget."""
FOLDER = "diagnosis"


@answers_alone()
def carried_out(task: Task, options: DiagnoseOptions) -> Diagnosis:
    """The diagnosis, with its document and its page in the run's folder."""
    from gapless.diagnose.door import find_causes
    from gapless.report.pages import diagnosis as report

    with run_shown() as (teller, stop):
        found = find_causes(task, options, teller, stop)
        teller.phase("writing the report")
        report.write(options.out, found, task)
    return found


def tell(found: Diagnosis, folder: Path, as_json: bool) -> None:
    """All of it on the screen, and where it lies."""
    from gapless.diagnose.diagnosis import details, summary
    from gapless.report.pages.diagnosis import FILE

    for line in ["", *summary(found), *details(found), "", f"Report: {folder / FILE} (and diagnosis.json beside it)"]:
        say(line)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))


def before_search(task: Task, options: TuneOptions) -> TuneOptions:
    """Says in three lines what is wrong; recipes that answer it open the search before all others."""
    from gapless.diagnose.diagnosis import summary
    from gapless.diagnose.experiment.options import DiagnoseOptions
    from gapless.report.pages.diagnosis import FILE

    minutes = MINUTES if options.budget is None else SHARE * options.budget
    folder = options.out / FOLDER
    how = options.batch_size, options.optimizer, options.seed, options.workers, options.device, options.begun
    found = carried_out(task, DiagnoseOptions(folder, minutes, options.epochs, None, *how, options.place))
    for line in ["", *summary(found)]:
        say(line)
    if found.recipes:
        say(f"Handed to the search: the recipes for {', '.join(found.recipes)}.")
    say(f"More in {folder / FILE}.")
    return replace(options, openings=(*options.openings, *found.openings))
