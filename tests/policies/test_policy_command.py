"""`gapless policy` and `gapless.learn_policy`: what they say, leave and refuse; a stopped one goes on."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import events, gapless
from small_tasks import pictures, table, texts

import gapless as package
from gapless.api import carry_out_policy
from gapless.augment.image import Policy
from gapless.errors import BudgetError, DataError, UsageError
from gapless.evidence import proof
from gapless.policies.options import PolicyOptions
from gapless.recipe import Recipe
from gapless.run.driver import Interrupted

TINY = ("digits", "--train-size", "60", "--width", "4", "--workers", "1", "--minutes", "5")
QUICK = (
    "--method",
    "strength",
    "--epochs",
    "2",
    "--lr",
    "0.01",
    "--op",
    "rotate",
    "--op",
    "contrast",
    "--op",
    "flip_x",
    "--op",
    "saturation",
)


@pytest.fixture(scope="module", autouse=True)
def _few_seeds() -> Generator[None]:
    """Three for the verdict, however much time is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "MOST_SEEDS", proof.FEWEST_SEEDS)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("policy") / "run"
    ran = gapless("policy", *TINY, *QUICK, "--out", where, "--json")
    assert ran.code == 0, ran.err
    (where / "said.txt").write_text(ran.err)
    assert ran.json == json.loads((where / "result.json").read_text())
    return where


def test_the_verdict_and_what_the_search_earned_are_said(folder: Path) -> None:
    result, said = json.loads((folder / "result.json").read_text()), (folder / "said.txt").read_text()
    assert result["schema"] == 1
    names = [r["name"] for r in result["rivals"]]
    assert names[0] == "no augmentation"
    assert {"random policy", "TrivialAugment", "RandAugment", "published policy"} <= set(names)
    assert all(len(r["seeds"]) == len(result["rivals"][0]["seeds"]) >= 3 for r in result["rivals"])
    learned = next((r for r in result["rivals"] if r["name"] == "learned policy"), None)
    if learned is None:
        assert result["verdict"] == "none"
    else:
        gain = learned["score"] - result["rivals"][0]["score"]
        assert result["gain"]["mean"] == pytest.approx(gain, abs=1e-6)
        over = learned["score"] - next(r["score"] for r in result["rivals"] if r["name"] == "random policy")
        assert result["search_gain"]["mean"] == pytest.approx(over, abs=1e-6)
        assert "What the search itself earned over a random policy from the same table" in said
    ranges = {g["op"]: g for g in result["guard"]}
    assert ranges["saturation"]["why"] == "changes nothing here"
    assert 0 < ranges["rotate"]["high"] < 180
    assert result["costs"]["settling"] == 0
    assert "Cost in full trainings" in said


def test_the_files_go_where_policies_and_recipes_go(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    text = (folder / "policy.toml").read_text()
    assert result["data"] in text
    assert f"seed {result['seed']}" in text and f"rows kept aside: {result['verdict']}" in text
    policy, recipe = Policy.load(folder / "policy.toml"), Recipe.load(folder / "recipe.toml")
    assert recipe.augment.policy() == policy
    assert recipe.active == (result["verdict"] == "improved")
    learned = Recipe.from_dict(result["learned"])
    if learned.active:
        assert "v2.Compose" in learned.augment.policy().to_torchvision()
        assert "A.Compose" in learned.augment.policy().to_albumentations()
    assert tomllib.loads((folder / "recipe.toml").read_text())["schema"] == 1


def test_the_page_loads_nothing_and_shows_the_controls(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    for words in (
        "Beside the controls",
        "random policy",
        "Where labels survive",
        "changes nothing here",
        "policy.toml",
    ):
        assert words in page


def test_a_second_sitting_trains_nothing_and_says_the_same(folder: Path) -> None:
    before, files = events(folder), {n: (folder / n).read_bytes() for n in ("policy.toml", "result.json")}
    again = gapless("policy", *TINY, *QUICK, "--out", folder, "--json")
    assert again.code == 0
    assert events(folder) == before
    assert {n: (folder / n).read_bytes() for n in files} == files
    other = gapless("policy", *TINY, *QUICK[2:], "--method", "density", "--out", folder)
    assert other.code == 2
    assert "holds a search with another method: 'strength'" in other.err


def test_a_stopped_one_goes_on_to_the_same_policy(folder: Path, tmp_path: Path) -> None:
    kept = json.loads((folder / "result.json").read_text())
    task = replace(pictures(60), name="digits")
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    ops = ("rotate", "contrast", "flip_x", "saturation")
    options = PolicyOptions(tmp_path, 5, "strength", ops, True, 2, 0.01, workers=1)
    with pytest.raises(Interrupted):
        carry_out_policy(task, options, "", package.api.Silent(), stop)
    found = carry_out_policy(task, options, "", package.api.Silent(), lambda: False)
    assert found.result.learned == kept["learned"]
    assert [t.gain for t in found.result.tried] == [t["gain"] for t in kept["tried"]]
    assert str(found).splitlines()[0].split(":")[0] in (folder / "said.txt").read_text()


# ── what is refused ──


def test_data_without_operations_or_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a table has no operations to draw from"):
        package.learn_policy(table(60), out=tmp_path)
    digits = pictures(60)
    numbers = digits.develop.y.astype(np.float32)
    regression = replace(
        digits,
        develop=replace(digits.develop, y=numbers),
        confirm=replace(digits.develop, y=numbers),
        classes=(),
        metric="",
    )
    with pytest.raises(UsageError, match="this is a regression"):
        package.learn_policy(regression, out=tmp_path)
    same = np.zeros(len(digits.develop), np.int64)
    one = replace(digits.develop, y=same)
    with pytest.raises((UsageError, DataError), match="one class"):
        package.learn_policy(replace(digits, develop=one, confirm=one, classes=("zero",)), out=tmp_path)
    with pytest.raises(UsageError, match="which are for pictures; for texts use strength"):
        package.learn_policy(texts(60), method="density", out=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--op", "rotaet"), "there is no operation 'rotaet'. Did you mean 'rotate'?"),
        (("--op", "swap"), "swap is an operation on texts"),
        (("--op", "pad_crop"), "one fixed strength and no range to learn"),
        (("--minutes", "-1"), "minutes must be a number above 0"),
        (("--epochs", "1"), "epochs must be at least 2"),
    ],
)
def test_wrong_options_are_explained(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ran = gapless("policy", *TINY, *arguments, "--out", tmp_path / "run")
    assert ran.code == 2
    assert said in ran.err


def test_too_small_a_budget_says_the_smallest(tmp_path: Path) -> None:
    options = {"ops": ("contrast",), "guard": False, "lr": 0.01, "workers": 1}
    with pytest.raises(
        BudgetError, match=r"too short for trainings of 100000 epochs.*the smallest that would do is about"
    ):
        package.learn_policy(pictures(60), minutes=0.5, epochs=100_000, out=tmp_path / "long", **options)
    with pytest.raises(BudgetError, match=r"too short for the shortest trainings.*the smallest that would do is about"):
        package.learn_policy(pictures(60), minutes=0.05, out=tmp_path / "short", **options)


def test_a_guard_that_leaves_nothing_is_an_answer(tmp_path: Path) -> None:
    found = package.learn_policy(pictures(60), ops=["saturation", "equalize"], workers=1, out=tmp_path)
    assert found.verdict == "none"
    assert found.policy == Policy(())
    assert "the guard leaves no operation to draw from" in str(found)
    assert Policy.load(tmp_path / "policy.toml") == Policy(())


def test_a_policy_file_with_an_unknown_operation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('schema = 1\n[[steps]]\nop = "rotaet"\nstrength = 3.0\n')
    ran = gapless("augment", "preview", "digits", "--policy", path, "--out", tmp_path / "x.png")
    assert ran.code == 2
    assert "rotaet" in ran.err and "rotate" in ran.err


def test_a_run_of_another_command_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"event": "run", "schema": 1, "at": 0.0}\n')
    with pytest.raises(UsageError, match="holds a run of another command"):
        package.learn_policy(pictures(60), ops=["contrast"], workers=1, out=tmp_path)
