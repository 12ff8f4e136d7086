"""Threads that share a batch: every picture once, whoever calls, whatever becomes of the call."""

import gc
import multiprocessing
import signal
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from gapless.augment.image import rand_augment
from gapless.augment.image.cpu import batch as cpu_batch
from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.cpu.interpreter import Plan

POLICY = rand_augment(2, 9)


def pictures(batch: int, side: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)


def plan_for(batch: int, side: int = 24, seed: int = 0) -> Plan:
    u = np.random.default_rng(seed).random((batch, POLICY.columns))
    return cpu.prepare(POLICY.program(u, side, side), 3)


def test_many_callers_get_each_their_own_batches() -> None:
    """More callers than the pool has threads, and pictures of many sizes at once."""
    plans = [(plan_for(30, side, side), pictures(30, side, side)) for side in range(8, 40, 2)]
    wanted = [plan.run(images) for plan, images in plans]
    ready = threading.Barrier(len(plans))

    def call(number: int) -> bool:
        ready.wait()
        plan, images = plans[number]
        return all(torch.equal(plan.run(images, threads=3), wanted[number]) for _ in range(40))

    with ThreadPoolExecutor(len(plans)) as pool:
        assert all(pool.map(call, range(len(plans))))


def test_others_do_the_batch_while_its_caller_does_other_things() -> None:
    plan, images = plan_for(64), pictures(64)
    out = torch.full((64, 3, 24, 24), -1.0)
    done: list[bool] = []

    def meanwhile() -> None:
        patience = threading.Event()
        for _ in range(1000):
            if (out >= 0).all():
                break
            patience.wait(0.01)
        done.append(bool((out >= 0).all()))

    assert plan.run(images, 0, out, threads=2, meanwhile=meanwhile) is out
    assert done == [True], "the caller has not helped yet"
    assert torch.equal(out, plan.run(images))


def test_one_thread_begins_when_it_has_done_the_other_things() -> None:
    out = torch.full((8, 3, 24, 24), -1.0)
    untouched: list[bool] = []
    plan_for(8).run(pictures(8), 0, out, meanwhile=lambda: untouched.append(bool((out == -1).all())))
    assert untouched == [True] and (out >= 0).all()


def test_nobody_writes_any_more_when_the_caller_fails() -> None:
    plan, images = plan_for(2000), pictures(2000)

    def fails() -> None:
        raise KeyboardInterrupt

    for _ in range(20):
        out = torch.zeros(2000, 3, 24, 24)
        with pytest.raises(KeyboardInterrupt):
            plan.run(images, 0, out, threads=2, meanwhile=fails)
        out.fill_(-1)
        threading.Event().wait(0.005)
        assert (out == -1).all()


def test_pictures_stay_in_memory_while_a_thread_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the caller is interrupted while it waits for the others."""
    begun, end, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(*_: Any) -> None:
        begun.set()
        end.wait(60)
        ended.set()

    monkeypatch.setattr(cpu_batch, "fill", slow)
    flipped = pictures(64)[:, :, ::-1]  # not contiguous: what is read is a copy that only the engine knows
    sources: list[weakref.ref[Any]] = []
    made = cpu_batch.Work

    def noted(*fields: Any) -> cpu_batch.Work:
        sources.append(weakref.ref(fields[-1]))
        return made(*fields)

    monkeypatch.setattr(cpu_batch, "Work", noted)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def fails() -> None:
        assert begun.wait(60)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        raise RuntimeError("while the others are at it")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            plan_for(64).run(flipped, 0, None, threads=2, meanwhile=fails)
        gc.collect()
        assert sources[0]() is not None and not ended.is_set()
    finally:
        signal.signal(signal.SIGALRM, before)
        end.set()
    assert ended.wait(60)


@pytest.mark.parametrize("batch", [0, 1, 2, 3])
def test_more_threads_than_pictures(batch: int) -> None:
    plan = plan_for(batch)
    assert torch.equal(plan.run(pictures(batch), threads=8), plan.run(pictures(batch)))


def _in_a_child(seed: int, answers: "multiprocessing.SimpleQueue[float]") -> None:
    answers.put(float(plan_for(40, seed=seed).run(pictures(40), threads=2).double().sum()))


def test_a_forked_process_has_helpers_of_its_own() -> None:
    """It has none of its parent's threads."""
    wanted = float(plan_for(40, seed=5).run(pictures(40), threads=2).double().sum())
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_in_a_child, args=(5, answers), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert answers.get() == wanted


def test_one_compilation_serves_every_batch() -> None:
    """Compiling takes many seconds: no kind of picture, size or table may ask for it again."""
    for channels in (1, 3, 4, 5):
        images = np.zeros((3, 9, 7, channels), np.uint8)
        plan = cpu.prepare(POLICY.program(np.full((3, POLICY.columns), 0.3), 9, 7), channels)
        for threads in (1, 2):
            plan.run(images, threads=threads)
            plan.run(images, threads=threads, rows=np.array([2, 1, 0]))
    assert len(cpu_batch.fill.signatures) == 1  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]


@pytest.mark.parametrize("threads", [0, -1])
def test_a_wrong_number_of_threads_is_said(threads: int) -> None:
    with pytest.raises(ValueError, match=f"threads must be at least 1, got {threads}"):
        plan_for(4).run(pictures(4), threads=threads)
