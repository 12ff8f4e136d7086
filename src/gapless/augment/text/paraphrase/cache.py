"""Translations on disk: one SQLite file for each translator, written batch by batch.

SQLite's own journal makes each batch all or nothing: a process killed in the middle of one loses that batch only.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from gapless.errors import DataError

_SCHEMA = 1
_PATIENCE = 60.0  # seconds to wait for another process that writes a batch


class TranslationCache:
    """The translations of one translator: an open file, to be used in a `with` block. Several processes may share it.

    Args:
        folder: made if it is not there.
        name: the translator's name.

    Raises:
        DataError: the file cannot be read or written, or is something else.
    """

    def __init__(self, folder: Path, name: str):
        self.path = folder / file_name(name)
        with self._errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(self.path, timeout=_PATIENCE)
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self._file.close()
            raise

    def _prepare(self) -> None:
        (schema,) = self._file.execute("PRAGMA user_version").fetchone()
        if schema not in (0, _SCHEMA):
            raise sqlite3.DatabaseError(f"its schema is {schema}, this version of gapless knows {_SCHEMA}")
        if schema == 0:
            with self._file:
                self._file.execute("BEGIN IMMEDIATE")
                self._file.execute(
                    "CREATE TABLE IF NOT EXISTS translations (source BLOB PRIMARY KEY, target BLOB) WITHOUT ROWID"
                )
                self._file.execute(f"PRAGMA user_version = {_SCHEMA}")

    def known(self, texts: Iterable[str]) -> dict[str, str]:
        """Those of the texts that it has translated, with their translations."""
        found: dict[str, str] = {}
        with self._errors():
            for text in texts:
                row = self._file.execute("SELECT target FROM translations WHERE source = ?", (_bytes(text),)).fetchone()
                if row is not None:
                    found[text] = row[0].decode("utf-8", "surrogatepass")
        return found

    def add(self, translations: Mapping[str, str]) -> None:
        """Keeps more of them; they are on the disk when this returns. What is known already stays."""
        rows = [(_bytes(source), _bytes(target)) for source, target in translations.items()]
        with self._errors(), self._file:
            self._file.executemany("INSERT OR IGNORE INTO translations VALUES (?, ?)", rows)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DataError(
                f"{self.path}: the translations cannot be read or written: {error}; make room, close what else uses "
                "it, or choose another folder; what was kept before stays"
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise DataError(
                f"{self.path}: not a file of translations, or damaged: {error}; delete it and they are made again"
            ) from error
        except OSError as error:
            raise DataError(
                f"{self.path}: the translations cannot be written: {error.strerror}; choose another folder"
            ) from error


def file_name(name: str) -> str:
    """The file of a translator: its name in plain letters, and a hash of it so that no two share a file."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60]
    return f"{plain}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.sqlite"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # any text of Python, lone surrogates too
