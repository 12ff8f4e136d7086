"""What to type after a run: to repeat it, to go on, to train its result, to ask the model, to look for causes."""

from __future__ import annotations

import shlex
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

FLAGS = ("--json", "--save-model", "--fold-case")
"""Options of `gapless tune` that take no value."""
_OF_THE_RUN = (
    "--minutes",
    "--trials",
    "--epochs",
    "--out",
    "--workers",
    "--engine",
    "--address",
    "--gpus-per-training",
    *FLAGS[:2],
)
"""Options that say how long a run is and where it goes, not what it is of."""


@dataclass(frozen=True)
class Commands:
    """Each a line to type, or of Python where the run was one of Python; empty where there is none.

    repeat: the run once more, in a folder of its own. longer: this run, with more time for what it had none for.
    again: a longer search in a folder of its own. fit, predict: a model to take home. train: the program train.py.
    diagnose: why the model does not generalize.
    """

    repeat: str
    longer: str
    again: str
    fit: str
    predict: str
    train: str
    diagnose: str


Option = tuple[str, tuple[str, ...]]
"""Its name, empty for what stands without one, and its words as they were typed."""


def options_of(arguments: Sequence[str]) -> list[Option]:
    """A command line without the name of the command, option by option."""
    found: list[Option] = []
    words = iter(arguments)
    for word in words:
        name = word.partition("=")[0] if word.startswith("--") else ""
        alone = not name or "=" in word or word in FLAGS
        found.append((name, (word,) if alone else (word, *([value] if (value := next(words, None)) else []))))
    return found


def typed(arguments: Sequence[str], folder: Path, minutes: float | None, able: Container[str]) -> Commands:
    """Of a run of the command.

    Args:
        arguments: as they were typed, `tune` first.
        minutes: the budget; None where the run goes by trials.
        able: the options that `gapless diagnose` takes.
    """
    name, *rest = arguments
    options = options_of(rest)
    own = [(n, w) for n, w in options if n != "--out"]
    here = ("--out", str(folder))
    more = ("--minutes", f"{2 * minutes:g}") if minutes is not None else ()
    longer = [*_words(own, "--minutes"), *more]
    trials = next((w for n, w in own if n == "--trials"), ())
    again = longer if more else [*_words(own, "--trials"), "--trials", _doubled(trials)]
    of_data = [(n, w) for n, w in own if n not in _OF_THE_RUN]
    looked = all(not n or n in able for n, _ in of_data)
    return Commands(
        repeat=_line(name, *_words(own)),
        longer=_line(name, *longer, *here) if more else "",
        again=_line(name, *again),
        fit=_line("fit", str(folder)),
        predict=_line("predict", str(folder)) + " NEW-DATA --out predictions.csv",
        train=shlex.join(["python", str(folder / "train.py")]),
        diagnose=_line("diagnose", *_words(of_data)) if looked else "",
    )


def of_python(folder: Path, call: str, minutes: float | None, trials: int | None) -> Commands:
    """Of a run of `gapless.tune`; call: its arguments besides the task, the budget and the folder."""
    budget = f", trials={trials}" if minutes is None else f", minutes={minutes:g}"
    more = f", trials={2 * (trials or 0)}" if minutes is None else f", minutes={2 * minutes:g}"
    there = f", out={str(folder)!r}"
    return Commands(
        repeat=f"gapless.tune(task{call}{budget})",
        longer="" if minutes is None else f"gapless.tune(task{call}{more}{there})",
        again=f"gapless.tune(task{call}{more})",
        fit=f"model = gapless.load_result({str(folder)!r}).fit(task)",
        predict="model.predict(new_rows)",
        train="",
        diagnose="print(gapless.diagnose(task))",
    )


def _words(options: Sequence[Option], without: str = "--") -> list[str]:
    return [word for name, words in options if name != without for word in words]


def _line(*words: str) -> str:
    return shlex.join(["gapless", *words])


def _doubled(words: tuple[str, ...]) -> str:
    number = words[-1].rpartition("=")[2] if words else ""
    return str(2 * int(number)) if number.isdecimal() else "100"
