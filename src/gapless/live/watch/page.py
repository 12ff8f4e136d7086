"""The site of a run that is watched, and what stands behind it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from gapless.errors import DataError
from gapless.live.render import served
from gapless.live.server import Site
from gapless.live.watch.diagnosis import Diagnosis
from gapless.live.watch.search import Search
from gapless.run.journal import replay, tail

KINDS = {"run": Search, "diagnosis": Diagnosis}
"""By the first event of a journal."""


class Watched:
    """A run's folder; reads on where it read to, and never writes.

    Raises:
        DataError: there is no journal, or one of another kind.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._journal = folder / "journal.jsonl"
        self._read, self._spent = 0, 0.0
        self._turn = threading.Lock()
        if not self._journal.exists():
            raise DataError(
                f"{folder}: holds no run (no journal.jsonl); give the --out folder of gapless tune or diagnose"
            )
        first, _ = tail(self._journal)
        kind = first[0]["event"] if first else "run"
        if kind not in KINDS:
            raise DataError(
                f"{self._journal}: the journal of another kind of run ({kind!r}): tune and diagnose are shown"
            )
        self._run = KINDS[kind]()

    def state(self, sent: dict[str, Any]) -> Generator[dict[str, Any]]:
        """One document: the run as it stands."""
        with self._turn:
            events, self._read = tail(self._journal, self._read)
            replay(events, self._run.take)
            self._spent = max([self._spent, *(float(e["at"]) for e in events)])
            quiet = max(0.0, time.time() - self._journal.stat().st_mtime)
            shown = {**self._run.state(), "spent": self._spent, "quiet": round(quiet, 1)}
            found = self._found()
            if found is not None and shown["kind"] == "diagnose":
                shown |= {"ended": True, "phase": "finished"}
            yield {**shown, "verdict": self._verdict(), "found": found or []}

    def _found(self) -> list[str] | None:
        """Of a finished diagnosis: what was found, a sentence each."""
        try:
            document = json.loads((self.folder / "diagnosis.json").read_text("utf-8"))
            return [str(finding["what"]) for finding in document["findings"]]
        except (OSError, ValueError, KeyError, TypeError):  # not yet there: the next look has it
            return None

    def _verdict(self) -> dict[str, Any] | None:
        """Of a finished tune: the verdict's word and the gain."""
        try:
            found = json.loads((self.folder / "result.json").read_text("utf-8"))
            gain = {k: float(found["gain"][k]) for k in ("mean", "low", "high")}
            return {"word": str(found["verdict"]), **gain}
        except (OSError, ValueError, KeyError, TypeError):  # not yet there, or being written: the next look has it
            return None


def site(folder: Path) -> Site:
    """The page of a run's folder."""
    watched = Watched(folder)
    return served("view.html.j2", "view.js", {}, {"folder": str(folder)}, {"/state": watched.state})
