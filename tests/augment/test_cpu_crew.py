"""Threads that help without the interpreter's lock: every picture once, whoever calls, whatever becomes of the call."""

import gc
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from gapless.augment.image import cpu, rand_augment
from gapless.augment.image.cpu import Plan

POLICY = rand_augment(2, 9)


def pictures(batch: int, side: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)


def plan_for(batch: int, side: int = 24, seed: int = 0) -> Plan:
    u = np.random.default_rng(seed).random((batch, POLICY.columns))
    return cpu.prepare(POLICY.program(u, side, side), 3)


def test_many_callers_get_each_their_own_batches() -> None:
    """More callers than jobs there is room for, and pictures of many sizes at once."""
    plans = [(plan_for(30, side, side), pictures(30, side, side)) for side in range(8, 40, 2)]
    wanted = [plan.run(images) for plan, images in plans]
    ready = threading.Barrier(len(plans))

    def call(number: int) -> bool:
        ready.wait()
        plan, images = plans[number]
        return all(torch.equal(plan.run(images, threads=3), wanted[number]) for _ in range(40))

    with ThreadPoolExecutor(len(plans)) as pool:
        assert all(pool.map(call, range(len(plans))))


def test_a_batch_goes_on_while_its_caller_does_other_things() -> None:
    plan, images = plan_for(64), pictures(64)
    wanted = plan.run(images)
    runs = [plan.begin(images, threads=2) for _ in range(20)]  # more than can be under way
    assert all(torch.equal(run.finish(), wanted) for run in reversed(runs))
    assert all(run.finish() is run.finish() for run in runs)


def test_others_begin_before_the_caller_helps() -> None:
    plan, images = plan_for(64), pictures(64)
    out = torch.full((64, 3, 24, 24), -1.0)
    run = plan.begin(images, 0, out, threads=2)
    done = threading.Event()
    for _ in range(1000):
        if (out >= 0).all():
            break
        done.wait(0.01)
    assert (out >= 0).all(), "nobody has asked for the batch yet"
    assert torch.equal(run.finish(), plan.run(images))


def test_who_forgets_a_batch_leaves_it_whole() -> None:
    """The memory of pictures and result must not go before the threads have left it."""
    plan, wanted = plan_for(64), plan_for(64).run(pictures(64))
    for _ in range(50):
        out = torch.zeros(64, 3, 24, 24)
        plan.begin(pictures(64), 0, out, threads=2)
        assert torch.equal(out, wanted)
    gc.collect()


def test_one_thread_begins_nothing_before_it_is_asked() -> None:
    out = torch.full((8, 3, 24, 24), -1.0)
    run = plan_for(8).begin(pictures(8), 0, out)
    assert (out == -1).all()
    assert run.finish() is out and (out >= 0).all()


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


def _finish_elsewhere(run: cpu.Run) -> None:
    with pytest.raises(ValueError, match="must be finished in the process that began it"):
        run.finish()
    del run


def test_a_forked_process_does_not_wait_for_its_parents_helpers() -> None:
    plan, images = plan_for(2000), pictures(2000)
    run = plan.begin(images, threads=2)
    child = multiprocessing.get_context("fork").Process(target=_finish_elsewhere, args=(run,), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert torch.equal(run.finish(), plan.run(images))


@pytest.mark.parametrize("threads", [0, -1, 66])
def test_a_wrong_number_of_threads_is_said(threads: int) -> None:
    with pytest.raises(ValueError, match=f"threads must be from 1 to 65, got {threads}"):
        plan_for(4).run(pictures(4), threads=threads)
