"""What the report says of each pillar: its part of the gain, and what is not known of it."""

import pytest
from report_contents import all_subsets, digits, plain_won, with_result

from gapless.evidence.result import Interval, Pillar
from gapless.report import parts
from gapless.report.content import Content
from gapless.report.figures import Figures
from gapless.report.html import render


def told(content: Content) -> list[str]:
    return parts.told(content, Figures.of(content.result))


def test_what_a_recipe_loses_is_the_score_with_a_pillar_less_that_without() -> None:
    found = parts.shares(digits())
    assert [s.words for s in found] == ["augmentation", "batch norm", "dropout", "weight decay"]
    assert found[0].gave == found[0].lost == Interval(0.049, 0.032, 0.066)
    assert [s.effect for s in found] == ["helps", "helps", "may be nothing", "not measured"]


def test_with_all_subsets_it_gave_its_shapley_value() -> None:
    found = parts.shares(all_subsets())
    assert [s.words for s in found] == ["batch norm", "weight decay", "dropout"]
    assert [s.gave and s.gave.mean for s in found] == [0.058, 0.02, 0.003]
    assert found[0].lost is not None
    assert (found[0].lost.low, found[0].lost.high) == pytest.approx((0.197, 0.217))


def test_a_pillar_that_hurts() -> None:
    content = with_result(digits(), pillars=(Pillar("dropout", Interval(0.02, 0.01, 0.03), p=0.01),))
    (share,) = parts.shares(content)
    assert share.effect == "hurts"
    assert share.gave == Interval(-0.02, -0.03, -0.01)


def test_an_interval_clear_of_zero_may_be_nothing_where_several_were_tested() -> None:
    content = with_result(digits(), pillars=(Pillar("dropout", Interval(0.02, 0.01, 0.03), p=0.06),))
    assert [s.effect for s in parts.shares(content)] == ["may be nothing"]


def test_what_nothing_trains_without_comes_first() -> None:
    pillars = (*digits().result.pillars, Pillar("batchnorm", None, "loss nan"))
    first, *_ = parts.shares(with_result(digits(), pillars=pillars))
    assert (first.name, first.effect, first.gave) == ("batchnorm", "cannot be left out", None)


def test_seeds_that_failed_do_not_hide_what_the_others_show() -> None:
    pillar = Pillar("decay", Interval(-0.1, -0.2, -0.05), "with 2 of 5 seeds: loss nan", p=0.01)
    content = with_result(digits(), pillars=(pillar,))
    assert [s.effect for s in parts.shares(content)] == ["helps"]
    assert "helps: without it training fails (with 2 of 5 seeds: loss nan)" in render(content)


@pytest.mark.parametrize(("lost", "words"), [((0.01, 0.03), "partly do"), ((0.05, 0.06), "more beside the others")])
def test_pillars_that_add_up_to_less_or_more(lost: tuple[float, float], words: str) -> None:
    names = ("dropout", "augment")
    pillars = tuple(Pillar(n, Interval(-v, -v - 0.01, -v + 0.01), p=0.01) for n, v in zip(names, lost, strict=True))
    first, second, off = told(with_result(digits(), pillars=pillars))
    assert f"cost {100 * sum(lost):.1f} points in sum; the whole recipe gives +8.1 points" in first
    assert words in first
    assert "no time to train all subsets" in second
    assert "same --out goes on" in second
    assert off == "Off in the best recipe: batch norm, weight decay."


def test_all_subsets_add_up_and_pairs_are_told_where_they_are_sure() -> None:
    first, pair, off = told(all_subsets())
    assert first.startswith("Together they make +8.1 points.")
    assert "Shapley value" in first
    assert pair == (
        "Batch norm and weight decay partly do the same: together they give 2.8 points (-4.0 to -1.6) less than apart."
    )
    assert off == "Off in the best recipe: augmentation."


def test_without_a_model_for_a_subset_the_gain_is_not_divided() -> None:
    pillars = (Pillar("batchnorm", None, "loss nan"), Pillar("decay", Interval(-0.01, -0.02, 0.0), p=0.03))
    first, _ = told(with_result(digits(), pillars=pillars, untrainable=(("decay",),)))
    assert "the gain cannot be divided among them: training fails with weight decay alone." in first
    assert "--minutes" not in first


def test_the_only_pillar_is_the_gain() -> None:
    gain = digits().result.gain
    pillar = Pillar("batchnorm", Interval(-gain.mean, -gain.high, -gain.low), "", gain, gain, 0.001)
    content = with_result(digits(), pillars=(pillar,))
    assert told(content)[0] == "It is the only pillar of the recipe: what it gave is the gain."
    assert parts.line(content, Figures.of(content.result)) == (
        "What each pillar gave: batch norm +8.1 points (6.0 to 10.2)."
    )


def test_nothing_measured() -> None:
    content = with_result(digits(), pillars=(Pillar("decay", None), Pillar("augment", None)))
    assert [s.effect for s in parts.shares(content)] == ["not measured"] * 2
    assert told(content)[-1] == "Off in the best recipe: dropout, batch norm."
    assert "no time" in told(content)[0]
    assert "as a whole" in told(with_result(digits(), pillars=()))[0]
    assert told(plain_won()) == ["The plain model uses none of the four pillars."]
