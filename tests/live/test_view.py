"""A run that is watched: what its journal says at each moment, read without touching it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import gapless
from conftest import Finished
from live_browser import tab
from live_server import serving

from gapless.diagnose.experiment.measured import texts
from gapless.diagnose.experiment.training import Training
from gapless.errors import DataError
from gapless.live.watch.page import Watched, site
from gapless.recipe import Recipe
from gapless.run.journal import Journal, tail


def look(watched: Watched) -> dict[str, Any]:
    (document,) = watched.state({})
    json.dumps(document, allow_nan=False)
    return document


def test_a_tail_is_read_on_from_where_it_ended_and_half_a_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "a", "at": 1}\n{"event": "b", ')
    events, end = tail(path)
    assert [e["event"] for e in events] == ["a"] and tail(path, end) == ([], end)
    with path.open("a") as file:
        file.write('"at": 2}\n')
    events, end = tail(path, end)
    assert [e["event"] for e in events] == ["b"] and end == path.stat().st_size
    path.write_text("what\n")
    with pytest.raises(DataError, match="is damaged"):
        tail(path)
    with pytest.raises(DataError, match="cannot be read"):
        tail(tmp_path / "none")


def test_a_search_while_it_goes_on(finished: Finished, tmp_path: Path) -> None:
    """The journal of a finished run, fed line by line as it came."""
    lines = (finished.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(lines[0])
    watched = Watched(tmp_path)
    phases: list[str] = []
    counts: list[int] = []
    tried = 0
    for line in lines[1:]:
        with journal.open("ab") as file:
            file.write(line)
        document = look(watched)
        if document["phase"] not in phases:
            phases.append(document["phase"])
        counts.append(sum(document["counts"].values()))
        tried = max(tried, len(document["trying"]))
    assert [p.split()[0].strip(":") for p in phases] == ["searching", "finals", "proving", "finished"]
    assert counts == sorted(counts) and tried >= 1
    assert document["about"] == {"task": "digits", "model": "cnn", "metric": "accuracy"}
    assert document["ended"] and document["planned"] is None and document["trying"] == []
    scores = [row["score"] for row in document["race"]]
    assert scores == sorted(scores, reverse=True) and any(row["plain"] for row in document["race"])
    assert len(document["points"]) == document["counts"]["finished"]
    assert document["spent"] == json.loads(lines[-1])["at"] and document["verdict"] is None
    shutil.copy(finished.folder / "result.json", tmp_path)
    verdict = look(watched)["verdict"]
    assert verdict["low"] <= verdict["mean"] <= verdict["high"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal.jsonl", "result.json"], "it writes nothing"


def test_a_diagnosis(tmp_path: Path) -> None:
    kept = {"train": np.array([0.97]), "held": np.array([1.0, 0.0, 1.0, 1.0])}
    training = Training(Recipe(), 0.003, 30, 0)
    trainings = [
        (training, "", kept),
        (replace(training, fold=1), "", kept),
        (replace(training, lr=9.0), "diverged", {}),
    ]
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.write({"event": "diagnosis", "task": "digits", "model": "cnn", "at": 0.0})
        for at, (what, reason, found) in enumerate(trainings, 1):
            facts = {"training": what.facts(), "seconds": 1.0, "reason": reason, "found": texts(found)}
            journal.write({"event": "training", **facts, "at": float(at)})
        journal.write({"event": "reference", "epochs": 30, "lr": 0.003, "at": 4.0})
        watched = Watched(tmp_path)
        document = look(watched)
    assert document["kind"] == "diagnose" and not document["ended"] and document["phase"] == "asking the causes"
    assert document["counts"] == {"finished": 2, "stopped": 0, "failed": 1} and document["spent"] == 4.0
    failed, _, first = document["race"]
    assert (failed["score"], failed["summary"]) == (None, "diverged")
    assert (first["score"], first["train"], first["summary"]) == (0.75, pytest.approx(0.97), "plain")
    (tmp_path / "diagnosis.json").write_text(json.dumps({"findings": [{"what": "It learns by heart."}]}))
    document = look(watched)
    assert document["ended"] and document["found"] == ["It learns by heart."]


def test_a_folder_without_a_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no run"):
        Watched(tmp_path)
    (tmp_path / "journal.jsonl").write_text('{"event": "other", "at": 0}\n')
    with pytest.raises(DataError, match="another kind of run"):
        Watched(tmp_path)
    assert gapless("view", tmp_path / "none", "--no-open").code == 3


def test_the_page_shows_it_on_a_phone_and_in_the_dark(finished: Finished, tmp_path: Path) -> None:
    with serving(site(finished.folder)) as server, tab(tmp_path) as shown:
        shown.size(360, 740)
        shown.dark(True)
        shown.open(server.url)
        shown.until("document.getElementById('state').textContent === 'Now: finished.'")
        assert shown.text("#title") == "Tuning cnn on digits"
        assert shown.text("#verdict").startswith("Verdict: ")
        assert shown.value("document.querySelectorAll('#race tr').length") >= 3
        assert shown.value("document.documentElement.scrollWidth") <= 360
        assert "the best score so far" in shown.value("document.getElementById('points').getAttribute('aria-label')")
        assert shown.problems == []
