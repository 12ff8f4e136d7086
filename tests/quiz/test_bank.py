"""Every question of the bank: complete, asked of an experiment that measures what it asks for, and rightly judged."""

from collections import defaultdict

import pytest

from gapless.lab.experiment import PILLARS, Finding
from gapless.lab.experiments import EXPERIMENTS
from gapless.lab.runner import run
from gapless.lab.setting import Lab
from gapless.quiz.bank import BANK
from gapless.quiz.formula import same, worth
from gapless.quiz.question import LETTERS, VERDICTS, Question, Unclear, correct, judge

NAMED = {e.name: e for e in EXPERIMENTS}
NOTHING = Finding("holds here", "because.", {}, "")


def of_kind(*kinds: str) -> list[Question]:
    return [q for q in BANK if q.kind in kinds]


def test_there_are_enough_and_each_line_of_the_lesson_has_one() -> None:
    assert len({q.name for q in BANK}) == len(BANK) >= 40
    assert {q.experiment for q in BANK} == set(NAMED)
    assert {q.theme for q in BANK} == set(PILLARS)
    assert all(len(of_kind(kind)) >= 5 for kind in ("choice", "verdict", "number", "figure", "bug", "formula"))


@pytest.mark.parametrize("question", BANK, ids=lambda q: q.name)
def test_it_is_complete(question: Question) -> None:
    assert question.ask.endswith(("?", ".")) and question.why.endswith(".")
    if question.kind == "choice":
        assert len({o.text for o in question.options}) == len(question.options) >= 3
        assert all(o.why for o in question.options)
    if question.kind == "bug":
        lines = question.code.strip().splitlines()
        assert 5 <= len(lines) <= 12 and 1 <= question.line <= len(lines)
        assert question.others and question.line not in question.others and max(question.others) <= len(lines)
        compile(question.code, question.name, "exec")
    if question.kind == "figure":
        assert question.of in question.among and len(set(question.among)) == len(question.among) >= 2
    if question.kind == "number":
        assert question.of and question.tolerance > 0


@pytest.mark.parametrize("question", of_kind("choice"), ids=lambda q: q.name)
def test_the_first_option_is_right_in_whatever_order(question: Question) -> None:
    order = [2, 0, 1, *range(3, len(question.options))]
    found = [judge(question, LETTERS[i], NOTHING, order) for i in range(len(order))]
    assert [a.right for a in found] == [i == 1 for i in range(len(order))]
    assert found[0].correct == f"b) {question.options[0].text}"
    assert all(any(o.why in line for line in found[0].why) for o in question.options), "each option has its reason"
    assert not judge(question, "", NOTHING, order).right
    with pytest.raises(Unclear, match="a letter"):
        judge(question, "z", NOTHING, order)


@pytest.mark.parametrize("question", of_kind("formula"), ids=lambda q: q.name)
def test_a_formula_is_compared_by_its_values(question: Question) -> None:
    assert judge(question, question.formula, NOTHING).right
    assert judge(question, f"({question.formula}) * 2 / 2 + 0", NOTHING).right
    wrong = judge(question, f"{question.formula} + 0.01", NOTHING)
    assert not wrong.right and "yours gives" in wrong.why[-1]
    for reply in ("__import__('os')", "open", "1 +", "x.y", "[1]", "9**9**9**9", "lambda: 1"):
        with pytest.raises(Unclear, match="a formula in"):
            judge(question, reply, NOTHING)


def test_formulas_are_arithmetic() -> None:
    assert worth("2^3 - -1 * sqrt(4) / (1 + 0)", {}) == 10
    assert same("(1 - p)^-1", "1/(1-p)", {"p": (0.1, 0.9)})
    assert not same("1 - p", "1/(1-p)", {"p": (0.1, 0.9)})
    assert not same("x + y", "2 * x", {"x": (0, 1), "y": (0, 1)}), "variables do not move together"


@pytest.mark.parametrize("question", of_kind("bug"), ids=lambda q: q.name)
def test_a_bug_is_a_line(question: Question) -> None:
    lines = len(question.code.strip().splitlines())
    right = [judge(question, str(line), NOTHING).right for line in range(1, lines + 1)]
    assert right == [line == question.line for line in range(1, lines + 1)]
    for reply in ("0", str(lines + 1), "a", "²"):
        with pytest.raises(Unclear, match="number of a line"):
            judge(question, reply, NOTHING)


def measured() -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = defaultdict(list)
    for question in of_kind("number", "figure"):
        found[question.experiment].append(question)
    return found


@pytest.mark.parametrize("experiment", sorted(measured()))
def test_what_is_asked_for_is_measured(experiment: str) -> None:
    finding = run(NAMED[experiment], Lab(short=True)).finding
    for question in measured()[experiment]:
        value = finding.numbers[question.of]
        assert correct(question, None) == "" and correct(question, finding)
        if question.kind == "number":
            assert judge(question, f"{question.scale * value.mean} %", finding).right
            far = question.scale * (value.high + abs(value.mean)) + 10 * question.tolerance
            assert not judge(question, str(far), finding).right
            with pytest.raises(Unclear, match="a number"):
                judge(question, "many", finding)
        else:
            order = list(reversed(range(len(question.among))))
            for place, name in enumerate(question.among[i] for i in order):
                same_bar = value.low <= finding.numbers[name].mean <= value.high
                assert judge(question, LETTERS[place], finding, order).right is (name == question.of or same_bar)


def test_a_verdict_is_what_was_measured() -> None:
    (question, *_) = of_kind("verdict")
    for word in VERDICTS:
        finding = Finding(word, "because.", {}, "")
        found = [judge(question, LETTERS[i], finding, range(4)).right for i in range(4)]
        assert found == [other == word for other in VERDICTS] and correct(question, finding) == word
    assert correct(question, None) == ""
