"""Threads that fill batches ahead of who takes them, in order, in a bounded number of buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Thread
from typing import Generic, TypeVar

from gapless.errors import UsageError

B = TypeVar("B")


class Ahead(Generic[B]):
    """One pass over batches. A batch is filled in parts, which several threads share.

    Args:
        batches: how many there are.
        parts: in how many parts each is filled.
        fill: fills a part: (batch, part, buffer). What it raises is raised where the batch would be taken.
        buffers: one more than are to be filled ahead.
        threads: how many fill.
    """

    def __init__(
        self, batches: int, parts: int, fill: Callable[[int, int, B], None], buffers: Sequence[B], threads: int
    ):
        self._batches, self._parts, self._fill = range(batches), parts, fill
        self._last = batches - 1  # a batch that failed is the last to be filled
        self._free = list(buffers)
        self._next = (0, 0)
        self._held: dict[int, B] = {}
        self._missing: dict[int, int] = {}
        self._errors: dict[int, dict[int, BaseException]] = {}
        self._stopped = False
        self._changed = Condition()
        self._threads = [Thread(target=self._work, name="gapless-loader", daemon=True) for _ in range(threads)]

    def __iter__(self) -> Iterator[B]:
        """The buffers in order, each valid until the next one is asked for."""
        for thread in self._threads:
            thread.start()
        try:
            for batch in self._batches:
                yield self._wait_for(batch)
                with self._changed:
                    self._free.append(self._held.pop(batch))
                    self._changed.notify_all()
        finally:
            self.stop()

    def stop(self) -> None:
        """Ends the threads; they finish the part they are at."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _wait_for(self, batch: int) -> B:
        with self._changed:
            while self._missing.get(batch, 1) and not self._stopped:
                self._changed.wait()
            if batch in self._errors:
                raise min(self._errors[batch].items())[1]  # the first part's, whoever came first
            if self._stopped:
                raise UsageError("the loader was closed while a pass over it was under way; begin a new pass")
            return self._held[batch]

    def _work(self) -> None:
        while (job := self._take()) is not None:
            batch, part, buffer = job
            error = None
            try:
                self._fill(batch, part, buffer)
            except BaseException as raised:  # whatever it is, it belongs to who takes the batch
                error = raised
            self._done(batch, part, error)

    def _take(self) -> tuple[int, int, B] | None:
        """The next part, as soon as there is a buffer for it; None at the end."""
        with self._changed:
            while True:
                batch, part = self._next
                if self._stopped or batch > self._last:
                    return None
                if part or self._free:
                    break
                self._changed.wait()
            if not part:
                self._held[batch] = self._free.pop()
                self._missing[batch] = self._parts
            self._next = (batch, part + 1) if part + 1 < self._parts else (batch + 1, 0)
            return batch, part, self._held[batch]

    def _done(self, batch: int, part: int, error: BaseException | None) -> None:
        with self._changed:
            if error is not None:
                self._errors.setdefault(batch, {})[part] = error
                self._last = min(self._last, batch)
            self._missing[batch] -= 1
            self._changed.notify_all()
