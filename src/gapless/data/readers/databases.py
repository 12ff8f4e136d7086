"""A table of an SQLite file: sqlite:FILE?table=NAME."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from gapless.data.tables.frames import cells_of
from gapless.data.tables.sheet import Sheet
from gapless.errors import DataError, did_you_mean

_PREFIX = "sqlite:"


def is_database(source: str) -> bool:
    """Whether a word names a table in this way."""
    return source.startswith(_PREFIX)


def read_database(source: str) -> Sheet:
    """The whole table, read only; the name may be left out where there is one table alone."""
    place, _, query = source.removeprefix(_PREFIX).partition("?")
    path = Path(place).expanduser()
    if not path.is_file():
        raise DataError(f"{source}: there is no file {place!r}; write sqlite:FILE?table=NAME")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        try:
            return _read(connection, path, _table(connection, source, query))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DataError(f"{source}: cannot be read ({error}); is it an SQLite file?") from error


def _table(connection: sqlite3.Connection, source: str, query: str) -> str:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
    )
    names = [str(name) for (name,) in found]
    wanted = unquote(query.removeprefix("table=")) if query.startswith("table=") else ""
    if query and not wanted:
        raise DataError(f"{source}: what follows the question mark must be table=NAME, got {query!r}")
    if not wanted and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise DataError(f"{source}: name one of its tables as sqlite:FILE?table=NAME.{did_you_mean(wanted, names)}")
    return wanted


def _read(connection: sqlite3.Connection, path: Path, table: str) -> Sheet:
    name = table.replace('"', '""')
    cursor = connection.execute(f'SELECT * FROM "{name}"')
    names = [str(column[0]) for column in cursor.description]
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    if not rows:
        raise DataError(f"{path}: table {table!r} has no rows")
    columns = {}
    for place, column in enumerate(names):
        values = np.empty(len(rows), dtype=object)
        values[:] = [None if isinstance(row[place], bytes) else row[place] for row in rows]
        columns[column] = cells_of(values)
    return Sheet(path, "", columns, range(1, len(rows) + 1), (), ())
