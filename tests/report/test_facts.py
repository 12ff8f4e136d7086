"""The sentences: right numbers, right words for each kind of verdict, and no HTML anywhere near."""

from dataclasses import replace

from report_contents import STRONG, digits, no_gain, plain_won, regression, side, trial, with_result, with_task, worse

from gapless.evidence.result import Interval, Length, QuickModel, Training, TrialCounts
from gapless.report import facts, text
from gapless.report.content import Content
from gapless.report.figures import Figures
from gapless.report.html import render


def of(content: Content) -> tuple[Content, Figures]:
    return content, Figures.of(content.result)


def test_improved():
    head = facts.headline(*of(digits()))
    assert head.title == "Improved by +8.1 points"
    assert head.evidence == "95 % interval 6.0 to 10.2, measured once on 1,647 pictures kept aside until the end."
    assert head.scores == "The best recipe gets 95.5 % of new pictures right; the plain model gets 87.4 %."
    assert head.advice == "Use the recipe below."


def test_no_detectable_gain():
    head = facts.headline(*of(no_gain()))
    assert head.title == "No detectable gain"
    assert "+0.4 points, 95 % interval -0.9 to 1.7: zero lies inside" in head.evidence
    assert head.advice == "Keep the plain model."


def test_worse():
    head = facts.headline(*of(worse()))
    assert head.title == "Worse by 2.1 points"
    assert "-2.1 points, 95 % interval -3.9 to -0.3" in head.evidence
    assert head.advice.startswith("Keep the plain model.")


def test_plain_won():
    head = facts.headline(*of(plain_won()))
    assert head.title == "No detectable gain"
    assert "No recipe ranked above the plain model" in head.evidence
    assert head.scores == "The plain model gets 87.4 % of new pictures right."
    assert len(facts.gap(*of(plain_won()))) == 1


def test_regression_speaks_of_r2_and_rows():
    content, f = of(regression())
    head = facts.headline(content, f)
    assert head.title == "Improved by +0.082 in r2"
    assert head.scores == "The best recipe reaches 0.823 in r2 on new rows; the plain model reaches 0.741."
    assert not any("%" in line.replace("95 %", "").replace("54 %", "") for line in facts.gap(content, f))


def test_gap_adds_up():
    """Gap before minus gap after is the rise on new rows plus the fall on training rows; the sentence says both."""
    content, f = of(digits())
    plain, best, moved = facts.gap(content, f)
    assert plain.endswith("87.4 % on new ones, a gap of 12.6 points (11.4 to 13.8).")
    assert best.endswith("95.5 % on new ones, a gap of 3.4 points (2.6 to 4.2).")
    assert moved == (
        "That closes 73 % of the gap: the score on new pictures rose by 8.1 points, "
        "on the training pictures it fell by 1.1 points."
    )


def test_what_did_not_move_is_not_said_to_move():
    *_, moved = facts.gap(*of(with_result(digits(), best=side(0.9999999, 0.955, 0.003, STRONG))))
    assert moved.endswith("rose by 8.1 points, on the training pictures it stayed as it was.")


def test_a_smaller_gap_is_not_called_a_gain():
    *_, moved, warning = facts.gap(*of(worse()))
    assert "the score on new pictures fell by 2.1 points, on the training pictures it fell by 9.0 points" in moved
    assert warning == "A smaller gap alone is no gain: what counts is the score on new pictures."


def test_a_gap_that_grows_or_turns_is_not_closed():
    grown = with_result(digits(), best=side(1.0, 0.80, 0.003, STRONG))
    assert facts.gap(*of(grown))[2].startswith("The gap grows by 7.4 points:")
    turned = with_result(digits(), best=side(0.90, 0.95, 0.003, STRONG))
    assert facts.gap(*of(turned))[2].startswith("The gap shrinks by 17.6 points:")
    none_before = with_result(digits(), plain=side(0.88, 0.875, 0.001, {}))
    assert "%" not in facts.gap(*of(none_before))[2]


def test_the_change_of_the_gap_has_its_interval():
    told = facts.gap(*of(with_result(digits(), closed=Interval(0.092, 0.08, 0.104))))[2]
    assert "of the gap (smaller by 8.0 to 10.4, 95 % interval): the score on new pictures rose" in told
    grown = facts.gap(*of(with_result(digits(), closed=Interval(-0.02, -0.05, 0.01))))[2]
    assert "(larger by -1.0 to 5.0, 95 % interval)" in grown


def test_optimism_is_told_as_a_warning_and_as_its_absence():
    told = facts.optimism(*of(digits()))
    assert "The best training of the search scored 97.9 % on pictures that ranked the recipes" in told
    assert "the winner gets 95.5 % on new ones: 2.4 points less" in told
    assert "The winner itself" not in told
    assert "The winner itself scored 91.7 % there." in facts.optimism(*of(with_result(digits(), ranked=0.9167)))
    assert "the best of 59 trainings on 30 pictures" in told
    none = facts.optimism(*of(with_result(digits(), selection_optimism=-0.005)))
    assert "no more than the 95.5 % of the winner on new ones" in none


def test_protocol_names_its_numbers_and_its_limit():
    steps = " ".join(facts.protocol(*of(digits())))
    assert (
        "150 pictures were for development. 1,647 pictures were put aside first and opened once, at the end." in steps
    )
    assert (
        "60 trainings were started: 38 ran to the end, 21 stopped early because others were ahead, 1 failed." in steps
    )
    assert "ranked on 30 pictures it was not trained on, over 3 different splits" in steps
    assert "the same 5 seeds" in steps
    assert "Satterthwaite" in steps
    assert "The verdict holds for models trained on these pictures." in steps
    assert "What the losses of these trainings show to be luck" in steps
    one = with_task(with_result(digits(), trials=TrialCounts(7, 0, 0)), select_parts=1)
    assert (
        "7 trainings were started: 7 ran to the end. Each was ranked on 30 pictures it was not trained on. "
        in " ".join(facts.protocol(*of(one)))
    )


def test_about():
    told = dict(facts.about(digits()))
    assert told["Data"] == "digits (image, 1 x 8 x 8, 10 classes)"
    assert told["Model"] == "cnn, 24,234 parameters"
    assert told["Time taken"] == "2 min 51 s"
    assert told["Learning rate"] == "plain 0.001, best 0.003"
    assert told["Versions"] == "gapless 0.1.0, numpy 2.3.1, python 3.11.2, torch 2.13.0"
    assert dict(facts.about(regression()))["Data"] == "houses.csv (table, 13, regression)"


def test_summary_is_the_trials_own_word_for_the_recipe():
    content = digits()
    assert content.summary == "dropout .3, batch norm, decay .05, rotate 15, translate .1"
    assert plain_won().summary == "plain"
    other = replace(content, trials=(replace(trial(0, summary="another"), candidate=content.best + 1),))
    assert other.summary == ""
    assert replace(content, trials=()).summary == ""


STEPS = ((8, 0.003, 0.61), (16, 0.01, 0.52), (32, 0.01, 0.515))


def trained(found: Length | None, epochs: int = 24) -> Content:
    return with_result(digits(), training=Training(epochs, 64, "adamw", "cpu", found))


def test_short_trainings_are_said_first():
    still = trained(Length(STEPS, 32, settled=False, enough=8.2))
    said = facts.length(still)
    assert said.startswith(
        "Short trainings: 24 epochs for recipes, and the plain model was still improving at 32 epochs."
    )
    assert "--minutes 9 " in said
    assert text.verdict(still)[0] == said
    assert said in render(still)
    needs = facts.length(trained(Length(STEPS, 32, settled=True, enough=8.2)))
    assert "the plain model needs 32 epochs" in needs


def test_where_trainings_were_long_enough_nothing_is_said():
    for content in (trained(None), trained(Length(STEPS, 16, settled=True, enough=None), 64)):
        assert facts.length(content) == ""
        assert text.verdict(content)[0].startswith("Improved")
        assert "Short trainings" not in render(content)


def test_the_report_tells_how_the_length_was_found():
    told = dict(facts.about(trained(Length(STEPS, 16, settled=True, enough=None), 64)))["Length"]
    assert "0.610 after 8, 0.520 after 16, 0.515 after 32 epochs: 16 epochs is what it needs" in told
    assert "Recipes were trained for 64 epochs." in told
    assert "Length" not in dict(facts.about(trained(None)))


COMMONEST = QuickModel("the commonest class", 0.11)


def beside(*quick: QuickModel) -> str:
    content = with_result(digits(), quick=quick)
    said = facts.quick(*of(content))
    assert (said in text.verdict(content)) == bool(said)
    assert ("Quick models on the same rows" in render(content)) == bool(said)
    return said


def test_quick_models_stand_beside_the_verdict():
    assert beside() == ""
    assert beside(QuickModel("boosting", None, "takes about 40 s, 3 s were left")) == ""
    weaker = beside(COMMONEST, QuickModel("logistic regression", 0.9))
    assert weaker == "Quick models on the same rows: the commonest class 11.0 %, logistic regression 90.0 %."
    as_good = beside(COMMONEST, QuickModel("logistic regression", 0.97))
    assert as_good.endswith("The network gets 95.5 %: no better than logistic regression, which takes seconds.")
    assert "has not learned more than that" in beside(QuickModel("the commonest class", 0.96))
