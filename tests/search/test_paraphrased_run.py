"""Whole runs whose search may put texts in other words: through Apertium itself, and with paraphrases of the task."""

import re
import runpy
import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from command import Ran, events, figures, gapless
from small_tasks import texts

from gapless.cli import tune as cli
from gapless.data import Task
from gapless.evidence.result import Result
from gapless.recipe import Augment, Op, Recipe
from gapless.report import collect as outcome
from gapless.report.handover.program import Handed, program
from gapless.search.joint import propose
from gapless.search.options import TuneOptions
from gapless.search.space import RATES, moves
from gapless.search.stages import Finished
from gapless.search.supported import supported
from gapless.train.loop import Plan
from gapless.train.texts import Encodes

TINY = ("--epochs", "2", "--width", "4", "--workers", "1", "--seed", "1")
OWN = ("tune", "test_paraphrased_run:own_words", *TINY, "--trials", "13")
OPENING = "preset light, back translation on"
TRANSLATED = Recipe(augment=Augment(ops=(Op(op="back_translate", strength=1.0, p=0.5),)))


def own_words() -> Task:
    """A task that brings its own: `test_paraphrased_run:own_words`. Some texts are longer than the report shows."""
    task = texts(60)
    rows = [text + " and so on" * 50 * (row % 2) for row, text in enumerate(task.develop.x.tolist())]
    task.develop.x[:] = rows
    found = {text: (f"People said: {text}", f"They said: {text}") for text in rows}
    return replace(task, name="own", model=None, paraphrases={"back_translate": found})


def with_named(folder: Path, origin: str) -> None:
    """Turns a run back to its finals, with a candidate of this origin as the winner."""
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    at = next(n for n, event in enumerate(events(folder)) if event["event"] == "named")
    number = next(e["number"] for e in events(folder) if e["event"] == "candidate" and e["origin"] == origin)
    plain = events(folder)[at]["plain"]
    named = f'{{"event": "named", "plain": {plain}, "best": {number}, "at": 1.0}}\n'
    (folder / "journal.jsonl").write_text("".join(lines[:at]) + named)


# ── paraphrases of the task ──


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brought") / "run"
    ran = gapless(*OWN, "--out", folder)
    assert ran.code == 0, ran.err
    return folder


def test_the_search_opens_with_them_and_goes_on_with_them(brought: Path) -> None:
    found = [e for e in events(brought) if e["event"] == "candidate"]
    first = next(e for e in found if e["origin"] == OPENING)
    assert first["phase"] == "opening"
    recipe = Recipe.from_dict(first["recipe"])
    assert recipe.augment.ops == TRANSLATED.augment.ops
    assert recipe.dropout.hidden == 0.2, "the light preset's"
    model = texts().model
    found = supported(replace(own_words(), model=model))
    assert {"back translation off", "back translation on"} == {
        m.name for r in (recipe, Recipe()) for m in moves(r, 0.01, found, RATES["adamw"]) if "translation" in m.name
    }
    joint = [propose([], found, RATES["adamw"], seed)[0].augment.ops for seed in range(12)]
    assert 4 < sum(bool(ops) and ops[0].op == "back_translate" for ops in joint) < 12
    assert not any(o.op == "contextual" for ops in joint for o in ops)
    assert all(e["status"] != "failed" for e in events(brought) if e["event"] == "trial")


def test_the_report_shows_and_judges_them(brought: Path, tmp_path: Path) -> None:
    """Of a recipe with back-translation, also where texts are longer than what is shown of them."""
    folder = tmp_path / "run"
    shutil.copytree(brought, folder)
    with_named(folder, OPENING)
    ran = gapless(*OWN, "--out", folder)
    assert ran.code == 0, ran.err
    page = (folder / "report.html").read_text(encoding="utf-8")
    measured = page.partition("What it does to the labels")[2].partition("</pre>")[0]
    assert re.search(r"\nback_translate +100 %", measured) and "Not measured" not in measured
    assert page.count("People said: ") + page.count("They said: ") > 4, "in the examples as well"


def test_other_paraphrases_are_another_run(brought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    shutil.copytree(brought, folder)
    task = own_words()
    found = {text: ("They said: " + text, *each) for text, each in task.paraphrases["back_translate"].items()}
    other = replace(task, paraphrases={"back_translate": found})
    monkeypatch.setattr("test_paraphrased_run.own_words", lambda: other)
    ran = gapless(*OWN, "--out", folder)
    assert ran.code == 2
    assert "holds a run of another set of paraphrases: 'back_translate " in ran.err
    assert "; give the same --translator, --masked-model and release of them as before, or choose another" in ran.err


# ── through Apertium ──

APERTIUM = pytest.mark.skipif(
    shutil.which("apertium") is None or not Path("/usr/share/apertium/modes/en-eo.mode").is_file(),
    reason="needs apt-get install apertium-eo-en",
)


@dataclass(frozen=True)
class Translated:
    ran: Ran
    folder: Path
    cache: Path
    arguments: tuple[object, ...]


@pytest.fixture(scope="module")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Translated:
    folder = tmp_path_factory.mktemp("translated")
    task = texts(80)
    rows = zip(task.develop.x, task.develop.y, strict=True)
    (folder / "own.csv").write_text("text,label\n" + "".join(f"{text},{task.classes[y]}\n" for text, y in rows))
    source = (folder / "own.csv", "--text", "text", "--target", "label", "--train-size", 60)
    arguments = ("tune", *source, *TINY, "--trials", 13, "--translator", "apertium")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        ran = gapless(*arguments, "--out", folder / "run", "--json")
    return Translated(ran, folder / "run", folder / "cache", arguments)


@pytest.fixture
def again(translated: Translated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Translated:
    """The same run in a copy of its folder and of the cache."""
    shutil.copytree(translated.folder, tmp_path / "run")
    shutil.copytree(translated.cache, tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return replace(translated, folder=tmp_path / "run", cache=tmp_path / "cache")


@APERTIUM
def test_a_run_with_a_translator(translated: Translated) -> None:
    said = translated.ran.err
    assert translated.ran.code == 0, said
    assert "making paraphrases of 60 texts by apertium" in said, "the rows for the verdict are never trained on"
    assert " of 60 texts have a paraphrase by apertium that keeps what is protected; no label was read. It took" in said
    assert "not counted in --minutes" not in said, "there are no minutes: it goes by trials"
    assert OPENING in [e["origin"] for e in events(translated.folder) if e["event"] == "candidate"]
    assert all(e["status"] != "failed" for e in events(translated.folder) if e["event"] == "trial")
    assert events(translated.folder)[0]["translator"] == "apertium"


@APERTIUM
def test_it_goes_on_with_the_same_paraphrases(again: Translated, monkeypatch: pytest.MonkeyPatch) -> None:
    before = figures(again.folder)
    lines = (again.folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (again.folder / "journal.jsonl").write_text("".join(lines[: len(lines) // 2]))
    monkeypatch.setattr("gapless.augment.text.paraphrase.apertium.Apertium.translate", None)  # all is in the cache
    ran = gapless(*again.arguments, "--out", again.folder)
    assert ran.code == 0, ran.err
    assert figures(again.folder) == before


@APERTIUM
def test_it_does_not_go_on_with_others(again: Translated) -> None:
    without = gapless(*again.arguments[:-2], "--out", again.folder)
    assert without.code == 2
    assert "a run of another translator: 'apertium', this one's is none; give the same --translator" in without.err
    for path in (again.cache / "gapless" / "translations").glob("apertium-eo-en-*.sqlite"):
        with sqlite3.connect(path) as file:
            file.execute("UPDATE translations SET target = CAST(target || ' indeed' AS BLOB)")
    other = gapless(*again.arguments, "--out", again.folder)
    assert other.code == 2
    assert "holds a run of another set of paraphrases: 'back_translate " in other.err


@APERTIUM
def test_the_program_translates_what_the_user_trains_on(again: Translated, tmp_path: Path) -> None:
    task, shown = own_words(), list[str]()
    plan = Plan(2)
    code = program(task, Handed(TRANSLATED, 0.01, 2), plan, TuneOptions(tmp_path, translator="apertium"), None)
    assert "back_translations(x, 'apertium')" in code
    (tmp_path / "recipe.toml").write_text(TRANSLATED.to_toml())
    (tmp_path / "train.py").write_text(code)
    train = runpy.run_path(str(tmp_path / "train.py"), run_name="train")["train"]
    net = (texts().model or list)()
    assert isinstance(net, Encodes)
    encode = net.encode

    def noted(given: Sequence[str]) -> object:
        shown.extend(given)
        return encode(given)

    net.__dict__["encode"] = noted
    train(task.develop.x[:30].tolist(), torch.from_numpy(task.develop.y[:30]), net)
    assert not any("said: " in text for text in shown), "by Apertium, not as the task did"
    assert set(shown) - set(own_words().develop.x.tolist()), "some are in other words"


@APERTIUM
def test_what_is_handed_back_says_what_it_needs(again: Translated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a recipe that improves; that it does is made up."""
    measured = outcome.result

    def improved(task: Task, options: TuneOptions, finished: Finished) -> Result:
        return replace(measured(task, options, finished), verdict="improved")

    with_named(again.folder, OPENING)
    monkeypatch.setattr(outcome, "result", improved)
    ran = gapless(*again.arguments, "--out", again.folder)
    assert ran.code == 0, ran.err
    handed = (again.folder / "recipe.toml").read_text()
    assert "\n# back_translate (by apertium): from paraphrases of the training texts, made ahead. recipe.v" in handed
    assert [o.op for o in Recipe.from_toml(handed).augment.ops] == ["back_translate"]
    made = (again.folder / "train.py").read_text()
    assert "paraphrases['back_translate'] = back_translations(x, 'apertium')" in made
    assert "rows.tolist(), resources=resources)" in made
    assert "back_translations" in (again.folder / "report.html").read_text()


# ── the clock ──


def test_the_time_of_translating_is_not_counted_in_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[float] = []

    def slow(task: Task, *_: object) -> Task:
        time.sleep(0.3)
        return task

    def noted(task: Task, options: TuneOptions, *_: object) -> None:
        assert options.begun is not None
        begun.append(options.begun)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "paraphrased", slow)
    monkeypatch.setattr("gapless.api.search", noted)
    before = time.monotonic()
    gapless("tune", "test_paraphrased_run:own_words", "--minutes", 1, "--translator", "apertium", "--out", tmp_path)
    assert begun[0] >= before + 0.3


def test_where_nothing_came_back_in_other_words_there_is_nothing_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[Task] = []
    bare = replace(own_words(), paraphrases={})

    def noted(task: Task, *_: object) -> None:
        tasks.append(task)
        raise KeyboardInterrupt

    def lost(given: list[str], *_: object) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(given, ("Nobody said that.",))

    monkeypatch.setattr("test_paraphrased_run.own_words", lambda: bare)
    monkeypatch.setattr("gapless.data.paraphrases.back_translations", lost)
    monkeypatch.setattr("gapless.api.search", noted)
    ran = gapless("tune", "test_paraphrased_run:own_words", "--translator", "apertium", "--out", tmp_path / "run")
    assert "back_translate: 0 of 60 texts have a paraphrase by apertium that keeps what is protected" in ran.err
    assert "not counted in --minutes; kept on disk. There is nothing to try, so the search leaves it out." in ran.err
    assert "back translation" not in {knob.name for knob in supported(replace(tasks[0], model=texts().model))}


# ── what makes no sense ──


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("digits", "--translator", "apertium"), "--translator is for texts and has no meaning for digits"),
        (("digits", "--masked-model", "bert"), "--masked-model is for texts and has no meaning for digits"),
        (
            ("test_paraphrased_run:own_words", "--translator", "apertium"),
            "--translator: own brings paraphrases for back_translate of its own; leave the option out",
        ),
        (("test_paraphrased_run:own_words", "--masked-model", "no/bert"), "no/bert: there is no such directory"),
    ],
)
def test_options_that_make_no_sense(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ran = gapless("tune", *arguments, "--trials", 3, "--out", tmp_path / "run")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
