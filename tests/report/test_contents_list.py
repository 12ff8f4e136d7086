"""What helps to read the page: a contents list, and words explained where they stand; no code of an empty recipe."""

from report_contents import digits, no_gain, page_of, plain_won, regression, worse
from report_dom import parse

from gapless.metrics import ACCURACY, METRICS


def test_the_contents_list_names_every_section():
    page = parse(page_of(digits))
    listed = [(a.attributes["href"], a.words) for a in page.one("nav").all("a")]
    assert listed == [(f"#{s.attributes['id']}", s.all("h2")[0].words) for s in page.all("section")]


def test_words_are_explained_where_they_stand():
    sections = {s.attributes["id"]: s.all("details", class_="words") for s in parse(page_of(digits)).all("section")}
    told = {name: [d.words for d in found[0].all("dt")] for name, found in sections.items() if found}
    assert told["gap"] == ["gap", "95 % interval", "seed", "sd"]
    assert told["pillars"] == ["augmentation", "batch norm", "dropout", "weight decay"]
    assert {"preset", "epoch", "learning rate"} <= set(told["trials"])
    assert all(metric.means for metric in METRICS.values() if metric is not ACCURACY)
    other = parse(page_of(regression))
    assert "r2" in [d.words for d in other.one("section", id="gap").all("dt")]


def test_an_empty_recipe_offers_no_code():
    for make in (no_gain, worse, plain_won):
        assert not parse(page_of(make)).one("section", id="recipe").all("pre")
