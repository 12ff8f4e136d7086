"""A whole run, tiny: every file is there and agrees with the others."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import TRIALS, events, gapless
from conftest import Finished

from gapless.evidence.parts import called, waves
from gapless.recipe import Recipe
from gapless.search.book import Book


def numbers(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def interval(value: Any) -> bool:
    return {"mean", "low", "high"} <= set(value) and value["low"] <= value["mean"] <= value["high"]


# ── one run, looked at from all sides ──


def test_it_ends_well_with_all_its_files(finished: Finished) -> None:
    assert finished.ran.code == 0, finished.ran.err
    assert "Traceback" not in finished.ran.err
    assert {"journal.jsonl", "recipe.toml", "result.json", "report.html"} <= {p.name for p in finished.folder.iterdir()}
    assert not list(finished.folder.rglob("*.safetensors"))  # checkpoints of what ended are gone
    assert not list(finished.folder.rglob("*.part"))


def test_json_on_standard_output_is_the_result(finished: Finished) -> None:
    assert finished.ran.json == json.loads((finished.folder / "result.json").read_text())


def test_result_has_every_promised_key(finished: Finished) -> None:
    result = finished.ran.json
    assert result["schema"] == 1
    assert {"name", "kind", "train", "select", "confirm", "classes", "shape"} <= set(result["task"])
    assert (
        result["task"]
        | {
            "name": "digits",
            "kind": "image",
            "train": 60,
            "select": 12,
            "confirm": 1737,
            "classes": 10,
            "shape": [1, 8, 8],
        }
        == result["task"]
    )
    assert result["model"]["name"] == "cnn"
    assert result["model"]["parameters"] > 0
    assert result["metric"] == {"name": "accuracy", "higher_is_better": True}
    for side in ("plain", "best"):
        for part in ("train", "confirm"):
            spread = result[side][part]
            assert numbers(spread["mean"])
            assert numbers(spread["sd"])
        seeds = result[side]["confirm"]["seeds"]
        assert len(seeds) >= 5
        assert result[side]["confirm"]["mean"] == pytest.approx(np.mean(seeds))
        assert result[side]["confirm"]["sd"] == pytest.approx(np.std(seeds, ddof=1))
        assert interval(result[side]["gap"])
        gap = result[side]["train"]["mean"] - result[side]["confirm"]["mean"]
        assert result[side]["gap"]["mean"] == pytest.approx(gap, abs=1e-6)
    assert result["plain"]["recipe"] == {}
    assert Recipe.from_dict(result["best"]["recipe"]).active
    assert interval(result["gain"])
    gain = result["best"]["confirm"]["mean"] - result["plain"]["confirm"]["mean"]
    assert result["gain"]["mean"] == pytest.approx(gain, abs=1e-6)
    assert result["verdict"] in ("improved", "no detectable gain", "worse")
    assert numbers(result["selection_optimism"])
    pillars = [p["name"] for p in result["pillars"]]
    assert pillars == list(Recipe.from_dict(result["best"]["recipe"]).pillars())
    assert all(interval(p[of]) for p in result["pillars"] for of in ("without", "alone", "shapley"))
    assert sum(p["shapley"]["mean"] for p in result["pillars"]) == pytest.approx(gain, abs=1e-6)
    assert len(result["synergies"]) == len(pillars) * (len(pillars) - 1) // 2
    assert set(result["trials"]) == {"finished", "stopped", "failed"}
    assert result["seconds"] > 0
    assert result["seed"] == 1
    assert {"gapless", "torch", "python"} <= set(result["versions"])


def test_verdict_follows_from_the_interval(finished: Finished) -> None:
    gain, word = finished.ran.json["gain"], finished.ran.json["verdict"]
    assert (gain["low"] > 0) == (word == "improved")
    assert (gain["high"] < 0) == (word == "worse")


def test_recipe_is_handed_over_only_when_it_is_proved(finished: Finished) -> None:
    recipe = Recipe.load(finished.folder / "recipe.toml")
    best = Recipe.from_dict(finished.ran.json["best"]["recipe"])
    assert recipe == (best if finished.ran.json["verdict"] == "improved" else Recipe())
    assert tomllib.loads((finished.folder / "recipe.toml").read_text())["schema"] == 1


def test_the_journal_tells_the_same_story(finished: Finished) -> None:
    told, result = events(finished.folder), finished.ran.json
    kinds = [e["event"] for e in told]
    assert kinds[:2] == ["run", "plan"]
    ended = [e for e in told if e["event"] == "trial"]
    assert len([e for e in ended if e["phase"] != "finals"]) == TRIALS
    counts = {s: sum(e["status"] == s for e in ended) for s in ("finished", "stopped", "failed")}
    assert result["trials"] == counts
    # the winner is named before a row of confirm is looked at, and once
    assert kinds.count("named") == 1
    assert kinds.index("named") < kinds.index("confirm")
    assert "trial" not in kinds[kinds.index("named") :]
    assert [e["at"] for e in told] == sorted(e["at"] for e in told)


def test_plain_opens_and_is_tuned_like_the_others(finished: Finished) -> None:
    told = events(finished.folder)
    candidates = [e for e in told if e["event"] == "candidate"]
    assert candidates[0]["recipe"] == {}
    assert len([c for c in candidates if not c["recipe"]]) >= 2
    named = next(e for e in told if e["event"] == "named")
    assert candidates[named["plain"]]["recipe"] == {}
    assert candidates[named["plain"]]["lr"] == finished.ran.json["plain"]["lr"]
    assert candidates[named["best"]]["recipe"] == finished.ran.json["best"]["recipe"]


def test_the_winner_is_the_best_of_the_finals(finished: Finished) -> None:
    told = events(finished.folder)
    book = Book({k: v for k, v in e.items() if k != "crc"} for e in told)
    entered = next(e for e in told if e["event"] == "finals")
    splits = sorted({e["split"] for e in told if e.get("phase") == "finals"})
    assert len(splits) == entered["splits"] == 5
    ranks = {c: book.rank(c, splits, final=True) for c in entered["entrants"]}
    named = next(e for e in told if e["event"] == "named")
    assert named["best"] == max(ranks, key=lambda c: ranks[c])
    plains = [c for c in ranks if not book.candidates[c].recipe.active]
    assert len(plains) >= 2
    assert len(ranks) - len(plains) >= 2
    assert named["plain"] == max(plains, key=lambda c: ranks[c])


def test_trials_on_one_split_share_their_seed(finished: Finished) -> None:
    """Recipes are compared in pairs: the same rows and the same first weights."""
    seeds: dict[int, set[int]] = {}
    for e in events(finished.folder):
        if e["event"] == "trial":
            seeds.setdefault(e["split"], set()).add(e["seed"])
    assert all(len(found) == 1 for found in seeds.values())
    assert len(set.union(*seeds.values())) == len(seeds) >= 7


def test_both_sides_have_the_same_seeds_and_so_have_the_pillars(finished: Finished) -> None:
    told = [e for e in events(finished.folder) if e["event"] == "confirm"]
    seeds = {model: {e["seed"] for e in told if e["model"] == model} for model in {e["model"] for e in told}}
    assert seeds["plain"] == seeds["best"]
    names = [p["name"] for p in finished.ran.json["pillars"]]
    subsets = {called(s, names) for wave in waves(names) for s in wave}
    assert set(seeds) == {"plain", "best", *subsets}
    assert all(found == seeds["plain"] for found in seeds.values())


def test_finalists_meet_on_splits_that_the_search_has_not_seen(finished: Finished) -> None:
    ended = [e for e in events(finished.folder) if e["event"] == "trial"]
    searched = {e["split"] for e in ended if e["phase"] != "finals"}
    finals = {e["split"] for e in ended if e["phase"] == "finals"}
    assert finals
    assert not searched & finals
    assert len({e["candidate"] for e in ended if e["phase"] == "finals"}) >= 2


def test_the_terminal_says_what_the_result_says(finished: Finished) -> None:
    said, result = finished.ran.err, finished.ran.json
    word = {"improved": "Improved", "no detectable gain": "No detectable gain", "worse": "Worse"}[result["verdict"]]
    assert f"{word} on digits" in said
    assert f"{100 * result['plain']['confirm']['mean']:.1f} %" in said
    assert "digits: 60 rows to train and choose on, 1,737 for the verdict, 10 classes." in said
    assert "report.html" in said


def test_the_report_works_offline_and_says_the_same(finished: Finished) -> None:
    page = (finished.folder / "report.html").read_text()
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert finished.ran.json["verdict"].split()[0] in page.lower()


def test_what_stands_beside_the_verdict_is_measured_once(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at a finished run again computes no quick model, and trains nothing."""
    copied = tmp_path / "run"
    shutil.copytree(finished.folder, copied)
    for name in ("rivals", "step_memory"):
        monkeypatch.setattr(f"gapless.evidence.beside.{name}", None)
    again = gapless(*finished.arguments, "--out", copied)
    assert again.code == 0, again.err
    before = finished.ran.json
    assert again.json["quick"] == before["quick"] and again.json["costs"] == before["costs"]
    assert before["quick"][0]["name"] == "commonest class" and before["costs"]["plain"]["memory"] > 10_000


def test_a_run_of_before_has_no_answers_and_says_so(finished: Finished, tmp_path: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(finished.folder, copied)
    lines = [e for e in events(copied) if e["event"] not in ("quick", "memory")]
    told = [{name: value for name, value in e.items() if name not in ("answers", "crc")} for e in lines]
    (copied / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    again = gapless(*finished.arguments, "--out", copied)
    assert again.code == 0, again.err
    assert (again.json["recalls"], again.json["confusions"], again.json["turned"]) == ([], [], None)
    assert again.json["quick"] == finished.ran.json["quick"], "what can be had is measured now"
    assert "was not kept: this run was made by an older version" in (copied / "report.html").read_text()


def test_the_answers_tell_which_classes_gained(finished: Finished) -> None:
    found = finished.ran.json
    assert sum(r["rows"] for r in found["recalls"]) == found["task"]["confirm"]
    for side in ("plain", "best"):
        right = sum(r[side]["mean"] * r["rows"] for r in found["recalls"]) / found["task"]["confirm"]
        assert right == pytest.approx(found[side]["confirm"]["mean"], abs=1e-6)
    turned = found["turned"]
    assert sum(turned[name] for name in ("better", "worse", "right", "wrong")) == found["task"]["confirm"]
    assert (finished.folder / "train.py").exists() == (found["verdict"] == "improved")
