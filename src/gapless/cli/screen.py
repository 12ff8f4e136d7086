"""The screen: what is said to people goes to standard error, with bars where it is a terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stdout, suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from gapless.errors import GaplessError
from gapless.functions import output_apart

INTERRUPTED = 130
"""The exit code after Ctrl-C."""
talk = Console(stderr=True, highlight=False, soft_wrap=True)
Tell = Callable[[int, int, float | None], None]
"""Hears how much is done, of how much, and the seconds left."""


def say(line: str) -> None:
    """A line for people, printed as it is."""
    talk.print(line, markup=False)


def answer(line: str) -> None:
    """A line of what the command was asked for, to standard output; what its encoding lacks is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


@contextmanager
def answers_alone() -> Generator[None]:
    """Standard output is for what the command was asked; what a user's code prints goes to standard error."""
    with redirect_stdout(sys.stderr):
        yield


def keep_answers_apart() -> None:
    """The same for programs that a user's code starts, and for what is printed past Python: for a process of our own,
    whose `sys.stdout` stays what it was."""
    answers = None if sys.__stdout__ is None else output_apart()
    if answers is not None:
        sys.stdout = os.fdopen(answers, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)


@contextmanager
def bar(what: str = "loading") -> Generator[tuple[Progress, TaskID]]:
    """A bar with the time left; nothing where the log is no terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(20),
        TextColumn("{task.fields[left]}", markup=False),
        TextColumn("{task.fields[note]}", markup=False, table_column=Column(overflow="fold")),  # may take two lines
    )
    with Progress(*columns, console=talk, transient=True, disable=not talk.is_terminal) as shown:
        yield shown, shown.add_task(what, total=1.0, left="", note="")


@contextmanager
def progress(what: str) -> Generator[Tell]:
    """A bar for work that tells how much of it is done."""
    with bar(what) as (shown, line):

        def tell(done: int, total: int, left: float | None) -> None:
            shown.update(line, completed=done / max(1, total), left=_left(left))

        yield tell


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


EVERY = 30.0
"""Seconds between two lines on how a run goes on, where the log is no terminal."""


class Teller:
    """Shows how a run goes on: a progress bar with the time left, or in a log a line every so often.

    Args:
        clock: seconds, from any moment on.
    """

    def __init__(self, bar: Progress, line: TaskID, clock: Callable[[], float] = time.monotonic):
        self._bar, self._line, self._phase = bar, line, ""
        self._clock, self._said = clock, clock()

    def phase(self, name: str) -> None:
        self._phase = name
        self._bar.update(self._line, description=name)
        if not self._bar.console.is_terminal:
            self._bar.console.print(name)
            self._said = self._clock()

    def progress(self, share: float, left: float | None, note: str) -> None:
        found = "; ".join(part for part in (_left(left), note) if part)
        self._bar.update(self._line, completed=share, left=_left(left), note=note)
        if not self._bar.console.is_terminal and self._clock() - self._said >= EVERY:
            self._said = self._clock()
            self._bar.console.print(f"{self._phase}: {share:.0%}{'; ' if found else ''}{found}", markup=False)


class Stopped(GaplessError):
    exit_code = INTERRUPTED


@contextmanager
def stoppable(command: str) -> Generator[list[int]]:
    """Ctrl-C (or SIGTERM, SIGHUP) at any moment ends with what to type to go on; yields the signals heard."""
    asked: list[int] = []

    def heard(number: int, frame: object) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    with _heard_by(heard):
        try:
            yield asked
        except KeyboardInterrupt as stopped:
            raise Stopped(f"stopped; nothing that ended is lost. To go on:\n    {command}") from stopped


@contextmanager
def interrupts() -> Generator[Callable[[], bool]]:
    """The first Ctrl-C (or SIGTERM, SIGHUP) asks to stop, the second stops at once."""
    asked: list[int] = []

    def heard(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        with suppress(OSError):  # the terminal may be what is gone
            talk.print("Stopping: what runs is saved at the end of its epoch. Ctrl-C again stops at once.")

    with _heard_by(heard):
        yield lambda: bool(asked)


@contextmanager
def run_shown() -> Generator[tuple[Teller, Callable[[], bool]]]:
    """A run with its bar and the user's wish to stop; one that was stopped ends as Ctrl-C does."""
    from gapless.run.driver import Interrupted

    with bar() as (shown, line), interrupts() as stop:
        try:
            yield Teller(shown, line), stop
        except Interrupted as stopped:
            raise KeyboardInterrupt from stopped


_ENDS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Ctrl-C, a scheduler or `docker stop`, a closed terminal: each wants the run to be saved and to end."""


@contextmanager
def _heard_by(heard: Callable[[int, object], None]) -> Generator[None]:
    # What is ignored on purpose, as `nohup` has SIGHUP ignored, stays so.
    chosen = [end for end in _ENDS if end == signal.SIGINT or signal.getsignal(end) is not signal.SIG_IGN]
    before = [(end, signal.signal(end, heard)) for end in chosen]
    try:
        yield
    finally:
        for end, handler in before:
            signal.signal(end, handler)
