"""Rounds: what is asked again and when, what is kept, and the command."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from command import Ran, gapless

from gapless.cli.lessons.quiz import _ask  # pyright: ignore[reportPrivateUsage]
from gapless.lab.experiments import EXPERIMENTS
from gapless.lab.runner import Store, key, run
from gapless.lab.setting import Lab
from gapless.quiz.bank import BANK
from gapless.quiz.figure import bars, listed
from gapless.quiz.memory import Memory

NAMED = {e.name: e for e in EXPERIMENTS}
QUESTIONS = {q.name: q for q in BANK}


@pytest.fixture(scope="module")
def norms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a verdict of each experiment of batch norm, from the short form."""
    store = Store(tmp_path_factory.mktemp("lab"))
    for e in EXPERIMENTS:
        if e.pillar == "batchnorm":
            record = replace(run(e, Lab(short=True)), key=key(e, Lab()))
            store.write(e, Lab(), record, "")
    return store.folder


def replied(monkeypatch: pytest.MonkeyPatch, text: str, *arguments: object) -> Ran:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return gapless("quiz", *arguments)


# ── memory ──


def test_a_round_is_of_many_themes_and_of_what_was_measured_first() -> None:
    asked = Memory().begun().chosen(BANK, set())
    assert len(asked) == len({q.theme for q in asked}) == 5
    kept = {"half-off", "decay-factor", "rotation-matrix"}
    asked = Memory().begun().chosen(BANK, kept)
    assert kept <= {q.experiment for q in asked}
    assert Memory().begun().chosen(BANK, kept) == asked
    assert Memory().begun().begun().chosen(BANK, kept) != asked


def test_what_was_missed_comes_in_the_next_round_and_what_was_known_later() -> None:
    memory = Memory().begun()
    first = memory.chosen(BANK, set())
    for number, question in enumerate(first):
        memory = memory.answered(question, number > 0)
    memory = memory.begun()
    second = memory.chosen(BANK, set())
    assert second[0] == first[0] and not any(q in first for q in second[1:])
    memory = memory.answered(first[0], True).begun()
    assert first[0] not in memory.chosen(BANK, set())
    assert [memory.known[first[0].name].due, memory.known[first[1].name].due] == [4, 3]


def test_a_round_is_not_of_misses_alone_and_the_bank_has_an_end() -> None:
    memory = Memory().begun()
    for question in BANK[:10]:
        memory = memory.answered(question, False)
    asked = memory.begun().chosen(BANK, set())
    assert sum(q in BANK[:10] for q in asked) == 3
    memory = memory.begun()
    for question in BANK:
        memory = memory.answered(question, True)
    assert len(memory.begun().chosen(BANK, set())) == 5


def test_it_is_kept_and_a_torn_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    assert Memory.load(path) == Memory()
    memory = Memory().begun().answered(BANK[0], True).answered(BANK[1], False)
    memory.save(path)
    assert Memory.load(path) == memory
    for text in (path.read_text()[:-20], "[]", '{"schema": 2}', '{"schema": 1, "rounds": 1, "known": {"a": {"b": 1}}}'):
        path.write_text(text)
        assert Memory.load(path) == Memory()


# ── the command ──


def test_a_round_is_asked_judged_and_shown(norms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (norms / "quiz-memory.json").unlink(missing_ok=True)
    ran = replied(monkeypatch, "?\n" + "\n" * 20, "batchnorm", "--out", norms)
    assert ran.code == 0 and ran.out == "", ran.err
    assert ran.err.count("Measured here on") == ran.err.count("Not right: ") == 5
    assert "0 right of 5. Of 12 questions you have had 0 right at least once." in ran.err
    assert "answer with a" in ran.err, "a reply that is none is asked for again"
    memory = Memory.load(norms / "quiz-memory.json")
    assert memory.rounds == 1 and len(memory.known) == 5
    again = replied(monkeypatch, "\n" * 20, "batchnorm", "--out", norms)
    assert again.err.count("missed before") == 3


def test_the_end_of_the_input_ends_the_round(norms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = replied(monkeypatch, "", "batchnorm", "--out", norms)
    assert ran.code == 0 and "the round ends here" in ran.err and "0 right of 0" in ran.err


def test_what_was_not_measured_is_measured_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("5\n"))
    answer = _ask(QUESTIONS["half-off-spread"], Store(tmp_path), 0)
    assert answer is not None and answer.right
    assert Store(tmp_path).valid(NAMED["half-off"], Lab()) is not None and (tmp_path / "half-off.html").exists()
    said = capfd.readouterr().err
    assert "Measuring it here: gapless lab half-off" in said and "Measured here on" in said


def test_the_bank_for_teachers(norms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = replied(monkeypatch, "", "--json", "--out", norms)
    found = {q["name"]: q for q in ran.json["questions"]}
    assert len(found) == len(BANK)
    assert found["noise-exponent"]["correct"] and found["noise-exponent"]["measured"]["numbers"]
    unmeasured = found["one-seed"]
    assert unmeasured["correct"] is None and unmeasured["measured"] is None
    assert unmeasured["measure"] == "gapless lab more-seeds"
    assert [o["right"] for o in found["four-numbers"]["options"]].count(True) == 1
    verdict = found["faster-verdict"]
    assert [o["text"] for o in verdict["options"] if o["right"]] == [verdict["measured"]["verdict"]]


def test_cards_for_anki(norms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cards.txt"
    ran = replied(monkeypatch, "", "--anki", path, "--out", norms)
    assert ran.code == 0, ran.err
    head, cards = path.read_text().splitlines()[:3], path.read_text().splitlines()[3:]
    assert head == ["#separator:tab", "#html:true", "#tags column:3"]
    assert all(card.count("\t") == 2 for card in cards) and f"{len(cards)} cards" in ran.err
    by_front = {card.split("\t")[0]: card.split("\t")[1] for card in cards}
    noise = next(back for front, back in by_front.items() if "falls like B^-c" in front)
    assert "measured 2" in noise and "gapless lab batch-noise" in noise
    assert not any("wrong order" in front for front in by_front), "no card whose answer was never measured"
    assert any("&nbsp;&nbsp;optimizer" in front or "&nbsp;" in front for front in by_front), "code keeps its indents"


def test_errors_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = replied(monkeypatch, "", "dropuot", "--out", tmp_path)
    assert ran.code == 2 and "Did you mean 'dropout'" in ran.err
    (tmp_path / "file").touch()
    ran = replied(monkeypatch, "", "--anki", tmp_path / "file" / "cards.txt", "--out", tmp_path)
    assert ran.code == 3 and "cannot be written" in ran.err


def test_bars_begin_at_zero_and_units_are_not_mixed(norms: Path) -> None:
    found = Store(norms).last(NAMED["other-statistics"], Lab())
    assert found is not None
    rows = list(found.finding.numbers.items())
    lines = bars(rows)
    assert len(lines) == len(rows) and all(
        "█" in line or abs(v.mean) < 0.02 for line, (_, v) in zip(lines, rows, strict=True)
    )
    mixed = Store(norms).last(NAMED["batch-noise"], Lab())
    assert mixed is not None
    assert not any("█" in line for line in listed(list(mixed.finding.numbers.items())))
