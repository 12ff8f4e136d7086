"""A recipe that the user brought: it is among the first to be tried, and one for other data is turned away."""

from pathlib import Path

import pytest
from command import TINY, events, gapless
from small_tasks import pictures

from gapless.api import Silent
from gapless.errors import UsageError
from gapless.recipe import Recipe
from gapless.recipe.parts import Dropout
from gapless.run.driver import Interrupted
from gapless.search.options import OWN, TuneOptions
from gapless.search.stages import tune

MINE = Recipe(dropout=Dropout(hidden=0.35))


def origins(folder: Path) -> list[str]:
    return [event["origin"] for event in events(folder) if event["event"] == "candidate"]


def test_it_opens_the_search(tmp_path: Path) -> None:
    task = pictures()
    options = TuneOptions(tmp_path, trials=4, epochs=1, batch_size=16, workers=1, openings=((OWN, MINE),))
    with pytest.raises(Interrupted):
        tune(
            task,
            options,
            Silent(),
            lambda: (tmp_path / "journal.jsonl").exists() and OWN in origins(tmp_path),
        )
    (mine,) = [e for e in events(tmp_path) if e["event"] == "candidate" and e["origin"] == OWN]
    assert Recipe.from_dict(mine["recipe"]) == MINE
    other = TuneOptions(tmp_path, trials=4, epochs=1, batch_size=16, workers=1)
    with pytest.raises(UsageError, match="another set of handed recipes"):
        tune(task, other, Silent(), lambda: True)


def test_one_for_other_data_or_none_at_all_is_turned_away(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('schema = 1\n[[augment.ops]]\nop = "synonyms"\nstrength = 0.2\n')
    ran = gapless("tune", "digits", *TINY, "--recipe", path, "--out", tmp_path / "run")
    assert ran.code == 2 and "is an operation on texts" in ran.err
    ran = gapless("tune", "digits", *TINY, "--recipe", tmp_path / "none.toml", "--out", tmp_path / "run")
    assert ran.code == 2 and "cannot be read as a recipe" in ran.err
    assert not (tmp_path / "run" / "journal.jsonl").exists()
