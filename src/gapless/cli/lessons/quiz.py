"""`gapless quiz`: parse, ask, print."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gapless.cli.screen import say, stoppable
from gapless.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gapless.lab.runner import Record, Store
    from gapless.quiz.memory import Memory
    from gapless.quiz.question import Answer, Question


def quiz(
    theme: Annotated[
        str | None,
        typer.Argument(metavar="[THEME]", help="overfitting, dropout, batchnorm, decay, augmentation or together."),
    ] = None,
    questions: Annotated[int, typer.Option(help="Questions of a round.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="Draws the questions and the order of options.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the lab's verdicts and your answers are kept.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole bank with answers; ask nothing.")] = False,
    anki: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the bank as cards that Anki imports; ask nothing.")
    ] = None,
) -> int:
    """Five questions about the lesson, answered by what the lab measures on this machine; what you miss comes again."""
    from gapless.lab.experiment import PILLARS
    from gapless.lab.experiments import EXPERIMENTS
    from gapless.lab.runner import Store, default_folder
    from gapless.lab.setting import Lab
    from gapless.quiz.bank import BANK
    from gapless.quiz.cards import anki as cards
    from gapless.quiz.cards import document

    if theme is not None and theme not in PILLARS:
        raise UsageError(f"there is no theme {theme!r}.{did_you_mean(theme, PILLARS)}")
    store = Store((out or default_folder()).expanduser())
    bank = [q for q in BANK if theme in (None, q.theme)]
    named = {e.name: e for e in EXPERIMENTS}

    def last(name: str) -> Record | None:
        return store.valid(named[name], Lab())

    if anki is not None:
        _write(anki, cards(bank, last))
    if as_json:
        print(json.dumps({"schema": 1, "questions": document(bank, last)}, indent=1, ensure_ascii=False))
    if anki is None and not as_json:
        with stoppable("gapless quiz"):
            _round(bank, store, questions, seed)
    return 0


def _write(path: Path, text: str) -> None:
    from gapless.files import write_atomically

    write_atomically(path.expanduser(), text.encode())
    say(f"{path}: {sum(not line.startswith('#') for line in text.splitlines())} cards; in Anki: File, Import.")


def _round(bank: Sequence[Question], store: Store, count: int, seed: int) -> None:
    """Asks a round; what was answered is kept after every question."""
    from gapless.lab.experiments import EXPERIMENTS
    from gapless.lab.setting import Lab
    from gapless.quiz.memory import Memory

    place = store.folder / "quiz-memory.json"
    memory = Memory.load(place).begun()
    kept = {e.name for e in EXPERIMENTS if store.valid(e, Lab()) is not None}
    asked = memory.chosen(bank, kept, count, seed)
    right = answered = 0
    for number, question in enumerate(asked, 1):
        say(f"\n{number} of {len(asked)}, {question.theme}{_before(memory, question)}")
        found = _ask(question, store, seed + memory.rounds)
        if found is None:
            say("No more answers: the round ends here.")
            break
        memory = memory.answered(question, found.right)
        memory.save(place)
        right, answered = right + found.right, answered + 1
    seen = sum(k.right > 0 for k in memory.known.values())
    say(f"\n{right} right of {answered}. Of {len(bank)} questions you have had {seen} right at least once.")


def _before(memory: Memory, question: Question) -> str:
    known = memory.known.get(question.name)
    return ", missed before" if known is not None and not known.streak else ""


def _ask(question: Question, store: Store, seed: int) -> Answer | None:
    """One question, its answer, and what the lab measured; None where there is no one to answer."""
    from gapless import draws
    from gapless.quiz.figure import bars
    from gapless.quiz.question import LETTERS, VERDICTS, Unclear, judge

    record = _measured(question, store) if question.measured_first else None
    say(question.ask)
    texts = [o.text for o in question.options] or list(VERDICTS if question.kind == "verdict" else question.among)
    stream = draws.stream(seed, f"quiz {question.name}")
    order = list(range(len(texts))) if question.kind == "verdict" else [int(i) for i in stream.permutation(len(texts))]
    if question.kind == "figure" and record is not None:
        shown = [(LETTERS[at], record.finding.numbers[texts[i]]) for at, i in enumerate(order)]
        say("\n".join(f"  {line}" for line in bars(shown)))
    else:
        for at, i in enumerate(order):
            say(f"  {LETTERS[at]}) {texts[i]}")
    for number, line in enumerate(question.code.strip("\n").splitlines(), 1):
        say(f"  {number:>2}  {line}")
    reply = _heard(question)
    while reply is not None:
        record = record or _measured(question, store)
        try:
            answer = judge(question, reply, record.finding, order)
        except Unclear as unclear:
            say(f"  {unclear}")
            reply = _heard(question)
            continue
        say(f"{'Right' if answer.right else 'Not right'}: {answer.correct}")
        say("\n".join(f"  {line}" for line in answer.why if line))
        _show(question, record, store)
        return answer
    return None


def _heard(question: Question) -> str | None:
    """A line of the reader's; None at the end of the input."""
    hint = {"number": "a number", "bug": "a line's number", "formula": "a formula"}.get(question.kind, "a letter")
    if sys.stdin.isatty():
        sys.stderr.write(f"Your answer ({hint}; Enter: I do not know): ")
        sys.stderr.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None


def _measured(question: Question, store: Store) -> Record:
    """The last run of the question's experiment, or one that is run now."""
    from gapless.cli.lessons.lab import measured
    from gapless.lab.experiments import EXPERIMENTS
    from gapless.lab.setting import Lab

    experiment = next(e for e in EXPERIMENTS if e.name == question.experiment)
    if store.valid(experiment, Lab()) is None:
        say(f"Measuring it here: gapless lab {experiment.name}, two minutes at the most ...")
    return measured(experiment, Lab(), store, again=False)[0]


def _show(question: Question, record: Record, store: Store) -> None:
    """What was measured: the sentence, the numbers as bars, and where the page is."""
    from gapless.lab.experiments import EXPERIMENTS
    from gapless.lab.setting import Lab
    from gapless.quiz.figure import listed

    experiment = next(e for e in EXPERIMENTS if e.name == question.experiment)
    say(f"Measured here on {record.at[:10]}, {record.seeds} seeds: {record.finding.because}")
    if question.kind != "figure":
        say("\n".join(f"  {line}" for line in listed(list(record.finding.numbers.items()))))
    say(f"  Figure and how it was done: {store.path(experiment, Lab(), 'html')}")
