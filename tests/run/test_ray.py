"""A real Ray of two nodes on this machine: the same outcomes as in this process, and nothing lost with a node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from command import events, figures, gapless
from conftest import Finished
from small_tasks import pictures

from gapless.errors import UsageError
from gapless.recipe import Recipe, preset
from gapless.run.engines import watch
from gapless.run.engines.local import Inline
from gapless.run.engines.place import Place
from gapless.run.job import Job, Outcome
from gapless.train.loop import Plan

# Ray warns of its own doings: files it leaves open, and what it will do with GPUs in a later version
pytestmark = pytest.mark.filterwarnings("default")

PLAN = Plan(4, 16)
LONG = 10**6
"""Epochs of a training that nobody waits for."""


@dataclass
class Cluster:
    """One core on the head, one on the other node, which can be killed."""

    ray: Any
    nodes: Any
    other: Any

    @property
    def place(self) -> Place:
        return Place("ray", self.nodes.address)

    def lose(self) -> None:
        """kill -9 of the other node, its processes and all."""
        self.nodes.remove_node(self.other, allow_graceful=False)
        self.other = None

    def whole(self) -> None:
        if self.other is None:
            self.other = self.nodes.add_node(num_cpus=1, object_store_memory=10**8)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    import ray
    from ray.cluster_utils import Cluster as Nodes

    ray_paths = {"PYTHONPATH": os.pathsep.join([p for p in sys.path if p]), "RAY_USAGE_STATS_ENABLED": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ray_paths.items():
            patch.setenv(name, value)
        small = {"num_cpus": 1, "object_store_memory": 10**8}
        nodes = Nodes(initialize_head=True, head_node_args={**small, "include_dashboard": False})
        yield Cluster(ray, nodes, nodes.add_node(**small))
        ray.shutdown()
        nodes.shutdown()


def job(number: int, folder: Path, recipe: Recipe = preset("image", "strong"), **changes: Any) -> Job:  # noqa: B008
    return replace(Job(number, recipe, 0.01, 7, 0, 4, 4, folder / "checkpoints" / f"{number}.safetensors"), **changes)


def outcomes(engine: Any, jobs: list[Job]) -> dict[int, Outcome]:
    waiting, found = list(jobs), dict[int, Outcome]()
    ends = time.monotonic() + 120
    while len(found) < len(jobs):
        assert time.monotonic() < ends, "waited two minutes in vain"
        while waiting and engine.room():
            engine.submit(waiting.pop(0), PLAN)
        found |= {outcome.number: outcome for outcome in engine.wait(5)}
    return found


def plain(outcome: Outcome) -> Any:
    each = [None if v is None else v.tobytes() for v in (outcome.train_each, outcome.confirm_each)]
    return replace(outcome, seconds=0.0, train_each=None, confirm_each=None), each


def test_the_cluster_does_what_this_process_does(cluster: Cluster, tmp_path: Path) -> None:
    jobs = [
        job(0, tmp_path),
        job(1, tmp_path, split=None),
        job(2, tmp_path, Recipe(), curve=True),
        job(3, tmp_path, until=2),
    ]
    here = outcomes(Inline(pictures(60), 0, lambda: False), jobs)
    jobs[3].checkpoint.unlink()
    assert cluster.place.workers() == 2
    there = cluster.place.open(pictures(60), 0, 2, lambda: False)
    try:
        found = outcomes(there, jobs)
        assert {n: o.status for n, o in found.items()} == {0: "done", 1: "done", 2: "done", 3: "rung"}
        assert [plain(found[n]) for n in range(4)] == [plain(here[n]) for n in range(4)]
        assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["3.safetensors"]
        # weights to start from are sent along
        start = tmp_path / "start.safetensors"
        shutil.copy(jobs[3].checkpoint, start)
        warm = job(4, tmp_path, start=start)
        (started,) = outcomes(there, [warm]).values()
        assert plain(started) == plain(outcomes(Inline(pictures(60), 0, lambda: False), [warm])[4])
        assert started.loss != found[0].loss
        # and goes on from there, on whichever node
        on = job(3, tmp_path)
        there.submit(on, PLAN)
        (rest,) = there.wait(60)
        whole = outcomes(Inline(pictures(60), 0, lambda: False), [replace(on, checkpoint=tmp_path / "none")])[3]
        assert plain(rest) == plain(whole)
        assert not on.checkpoint.exists()
    finally:
        there.close()


def test_what_a_lost_node_ran_is_told_and_the_rest_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    there = cluster.place.open(pictures(60), 0, 2, lambda: False)
    try:
        for number in range(2):  # one a node
            there.submit(job(number, tmp_path, epochs=LONG, until=LONG), replace(PLAN, epochs=LONG))
        assert there.wait(2) == []
        cluster.lose()
        found: list[Outcome] = []
        while not found:
            found += there.wait(5)
        (lost,) = found
        assert lost.status == "lost" and "NodeDiedError" in lost.reason
        there.stop()
        (paused,) = there.wait(60)
        assert (paused.status, paused.number) == ("paused", 1 - lost.number)
        assert paused.epoch > 0 and (tmp_path / "checkpoints" / f"{paused.number}.safetensors").exists()
        cluster.whole()
    finally:
        there.close()


def test_a_training_that_hangs_is_ended(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By patience, before any gave a sign of life: the cluster has no room for it."""
    there = cluster.place.open(pictures(60), 0, 3, lambda: False)
    try:
        outcomes(there, [job(0, tmp_path)])
        monkeypatch.setattr(watch, "SILENCE", 0.5)
        monkeypatch.setattr(watch, "SILENCES", 0)
        there.submit(job(1, tmp_path, epochs=LONG, until=LONG), replace(PLAN, epochs=LONG))
        time.sleep(0.6)
        found = there.wait(0.01)
        while not found:
            found = there.wait(0.1)
        assert found[0].status == "lost" and found[0].reason.startswith("the training gave no sign of life for ")
    finally:
        there.close()


def test_a_model_that_raises_fails_its_job_alone(cluster: Cluster, tmp_path: Path) -> None:
    there = cluster.place.open(replace(pictures(60), model=_raises), 0, 2, lambda: False)
    try:
        failed = outcomes(there, [job(0, tmp_path)])[0]
        assert (failed.status, failed.reason) == ("failed", "RuntimeError: not today")
    finally:
        there.close()


def _raises() -> Any:
    raise RuntimeError("not today")


def test_a_run_goes_on_there_and_comes_to_the_same_end(cluster: Cluster, finished: Finished, tmp_path: Path) -> None:
    """The last trainings of the search, the finals and the proof on the cluster, what was before on this machine."""
    folder = tmp_path / "run"
    folder.mkdir()
    raw = (finished.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    begun = next(n for n, e in enumerate(events(finished.folder)) if e.get("phase") == "finals")
    (folder / "journal.jsonl").write_bytes(b"".join(raw[: begun - 4]))
    there = ("--engine", "ray", "--address", cluster.nodes.address)
    ran = gapless(*finished.arguments, *there, "--out", folder)
    assert ran.code == 0, ran.err
    assert figures(folder) == figures(finished.folder)
    assert (folder / "recipe.toml").read_text() == (finished.folder / "recipe.toml").read_text()
    assert not list(folder.rglob("*.safetensors"))


def test_more_than_the_cluster_has(cluster: Cluster) -> None:
    with pytest.raises(
        UsageError, match=r"has \d cores and 0 GPUs, which is not enough for one training of 1 core and 0"
    ):
        Place("ray", cluster.nodes.address, gpus=0.5).workers()


def test_no_cluster_there(tmp_path: Path) -> None:
    """In a process of its own, which has no connection yet."""
    program = "from gapless.run.engines.place import Place; Place('ray', '127.0.0.1:1').workers()"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("gapless.errors.DataError: no Ray cluster at 127.0.0.1:1 (")
    assert last.endswith("begin one with `ray start --head` and give its --address")


def test_what_belongs_to_a_cluster_is_refused_without_one() -> None:
    for wrong in ({"address": "10.0.0.5:6379"}, {"gpus": 0.5}):
        with pytest.raises(UsageError, match="belong to a Ray cluster: choose the engine ray"):
            Place(**wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="must be 0 or more, got -1"):
        Place("ray", gpus=-1)
