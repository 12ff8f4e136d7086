"""A run that is killed, stopped, or loses a worker: its directory stays readable, and it comes to the same end."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command import TINY, TRIALS, Ran, ended, events, figures, gapless, start
from conftest import Finished

from gapless.run.journal import Journal


def lines(folder: Path) -> int:
    try:
        return (folder / "journal.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def reached(folder: Path, count: int) -> bool:
    return lines(folder) >= count


def wait(true: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Whether it came true before the process ended; looks every few milliseconds."""
    limit = time.monotonic() + 240
    while process.poll() is None:
        if true():
            return True
        assert time.monotonic() < limit, "the run does not get there"
        time.sleep(0.003)
    return False


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def workers(pid: int) -> list[int]:
    """The worker processes of a driver; its resource tracker is none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


# ── kill -9 ──


def test_killed_again_and_again_it_comes_to_the_same_result(finished: Finished, tmp_path: Path) -> None:
    """Real processes, real SIGKILL, at moments drawn anew in every test run; the result is that of a run left alone."""
    rng, folder = np.random.default_rng(), tmp_path / "run"
    whole = lines(finished.folder)
    moments = sorted(rng.choice(np.arange(3, whole - 12), 3, replace=False).tolist())
    kills = 0
    for moment in moments:
        process = start(*finished.arguments, "--out", folder)
        if wait(partial(reached, folder, moment), process):
            time.sleep(float(rng.uniform(0, 0.03)))
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        ran = ended(process)
        assert ran.code == -signal.SIGKILL, ran.err
        Journal(folder / "journal.jsonl").close()  # readable, and nobody holds it
    last = ended(start(*finished.arguments, "--out", folder))
    assert last.code == 0, (moments, last.err)
    assert figures(folder) == figures(finished.folder), moments
    assert json.loads(last.out)["seconds"] > 0
    assert kills == 3
    assert not list(folder.rglob("*.safetensors"))


PLACES: dict[str, Callable[[list[str]], int]] = {
    # how many events are kept, by their kinds; a trial of the finals is called so here
    "a candidate without a trial": lambda kinds: kinds.index("candidate", 8) + 1,
    "a rung without its checkpoint": lambda kinds: kinds.index("rung", 12) + 1,
    "in the middle of the finals": lambda kinds: kinds.index("finals") + 3,
    "just named": lambda kinds: kinds.index("named") + 1,
    "in the middle of the confirmation": lambda kinds: kinds.index("confirm") + 4,
}


@pytest.mark.parametrize("place", PLACES)
def test_cut_anywhere_it_comes_to_the_same_result(place: str, finished: Finished, tmp_path: Path) -> None:
    """The journal alone decides: no checkpoints, the last line torn."""
    folder = tmp_path / "run"
    folder.mkdir()
    raw = (finished.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    kept = PLACES[place](["finals" if e.get("phase") == "finals" else e["event"] for e in events(finished.folder)])
    (folder / "journal.jsonl").write_bytes(b"".join(raw[:kept]) + raw[kept][:-20])
    ran = gapless(*finished.arguments, "--out", folder)
    assert ran.code == 0, ran.err
    assert figures(folder) == figures(finished.folder)
    assert len(events(folder)) >= len(raw) - 2  # what was kept was not done twice


def test_a_checkpoint_that_is_damaged_is_done_again(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    raw = (finished.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    told = events(finished.folder)
    kept = next(i for i, e in enumerate(told) if e["event"] == "rung" and i > 20)
    (folder / "journal.jsonl").write_bytes(b"".join(raw[: kept + 1]))
    name = f"search-{told[kept]['candidate']}-{told[kept]['split']}.safetensors"
    (folder / "checkpoints" / name).write_bytes(b"\x08\0\0\0\0\0\0\0{}      torn")
    ran = gapless(*finished.arguments, "--out", folder)
    assert ran.code == 0, ran.err
    assert figures(folder) == figures(finished.folder)


# ── Ctrl-C ──


def interrupted(process: subprocess.Popen[str], times: int = 1, end: int = signal.SIGINT) -> Ran:
    """What the terminal does: SIGINT to every process of the group."""
    for _ in range(times):
        os.killpg(process.pid, end)
        time.sleep(0.05)
    return ended(process)


@pytest.mark.parametrize("number", [1, 2], ids=["one worker", "two workers"])
def test_ctrl_c_saves_and_says_how_to_go_on(number: int, finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    arguments = [*finished.arguments[:-1], "--workers", number]  # without --json; the last --workers counts
    moment = int(np.random.default_rng().integers(3, 30))
    process = start(*arguments, "--out", folder)
    before = wait(lambda: lines(folder) >= moment, process) and workers(process.pid)
    ran = interrupted(process)
    assert ran.code == 130, (moment, ran.err)
    assert "Traceback" not in ran.err
    assert "Stopping: what runs is saved" in ran.err
    assert "To go on:\n    gapless tune digits" in ran.err
    assert not [pid for pid in before or () if running(pid)]
    failed = [e for e in events(folder) if e.get("status") == "failed"]
    assert not failed  # what was stopped has not failed
    assert not (folder / "result.json").exists()

    said = ran.err.rstrip().splitlines()[-1].strip()
    assert shlex.split(said)[0] == "gapless"
    on = gapless(*shlex.split(said)[1:], "--json")  # word for word
    assert on.code == 0, on.err
    assert on.json["trials"]["failed"] == 0
    if number == 1:
        assert figures(folder) == figures(finished.folder), moment


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_scheduler_or_a_closed_terminal_ends_it_like_ctrl_c(end: int, finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    before = signal.signal(end, signal.SIG_DFL)  # under nohup, SIGHUP is ignored and that is inherited
    process = start(*finished.arguments[:-1], "--workers", 2, "--out", folder)
    signal.signal(end, before)
    pids = wait(lambda: lines(folder) >= 5, process) and workers(process.pid)
    ran = interrupted(process, end=end)
    assert ran.code == 130, ran.err
    assert "Stopping: what runs is saved" in ran.err and "To go on:\n    gapless tune digits" in ran.err
    assert "Traceback" not in ran.err and "leaked" not in ran.err
    assert not [pid for pid in pids or () if running(pid)]
    assert not [e for e in events(folder) if e.get("status") == "failed"]


def test_ctrl_c_twice_stops_at_once(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    # a long training: the end of its epochs is soon, the end of its rung is not
    process = start("tune", "digits", "--trials", 12, "--epochs", 5000, "--workers", 2, "--out", folder)
    assert wait(lambda: lines(folder) >= 3, process)
    pids = workers(process.pid)
    assert pids
    ran = interrupted(process, times=3)
    assert ran.code == 130
    assert "To go on:" in ran.err
    limit = time.monotonic() + 60
    while any(running(pid) for pid in pids):
        assert time.monotonic() < limit, "a worker outlives its driver"
        time.sleep(0.05)
    Journal(folder / "journal.jsonl").close()


def test_ctrl_c_while_it_loads(tmp_path: Path) -> None:
    """Whatever swallows the interrupt while things are imported, the command ends and says how to go on."""
    program = tmp_path / "slow_task_w.py"
    program.write_text(
        "import pathlib, time\n"
        "def task():\n"
        "    pathlib.Path('loading').touch()\n"
        "    try:\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
        "    from gapless.data.readers.builtin import digits\n"
        "    return digits()\n"
    )
    process = start("tune", "slow_task_w:task", "--trials", 12, "--out", "run", cwd=tmp_path)
    assert wait((tmp_path / "loading").exists, process)
    ran = interrupted(process)
    assert ran.code == 130, ran.err
    assert "To go on:\n    gapless tune slow_task_w:task --trials 12 --out run" in ran.err
    assert not (tmp_path / "run" / "result.json").exists()


# ── workers ──


def test_what_a_killed_worker_did_is_done_again(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(*finished.arguments, "--workers", 2, "--out", folder)
    assert wait(lambda: lines(folder) >= 6, process)
    killed = workers(process.pid)[0]
    os.kill(killed, signal.SIGKILL)
    ran = ended(process)
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert [e["reason"] for e in events(folder) if e.get("status") == "failed"] == []
    assert result["trials"]["failed"] == 0
    assert len([e for e in events(folder) if e["event"] == "trial" and e["phase"] != "finals"]) == TRIALS


def test_a_second_command_on_a_run_that_runs_is_turned_away(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Journal(folder / "journal.jsonl"):
        second = gapless("tune", "digits", *TINY, "--trials", 12, "--out", folder, "--json")
    assert second.code == 2
    assert "another gapless works on this run" in second.json["error"]["message"]


def test_a_copy_of_a_finished_run_goes_on_where_it_ended(finished: Finished, tmp_path: Path) -> None:
    """Files that are missing are written again; a finished run costs no training."""
    folder = tmp_path / "moved"
    shutil.copytree(finished.folder, folder)
    for name in ("recipe.toml", "result.json", "report.html"):
        (folder / name).unlink()
    assert gapless(*finished.arguments, "--out", folder).code == 0
    assert figures(folder) == figures(finished.folder)
    assert (folder / "recipe.toml").read_text() == (finished.folder / "recipe.toml").read_text()
    assert (folder / "report.html").stat().st_size > 10_000
