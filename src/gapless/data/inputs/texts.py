"""Texts without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from gapless.data.inputs.asked import Asked, numbered
from gapless.data.inputs.tables import asked_of, sheet_of_any
from gapless.data.readers.encodings import decoded
from gapless.data.readers.records import is_records
from gapless.data.tables.frames import is_frame
from gapless.errors import DataError, did_you_mean

LONGEST = 50_000
"""Characters of a text that are read, about 8,000 words."""
USUAL = ("text", "sentence", "review", "content", "document", "body")
"""What columns of texts are called."""


@dataclass(frozen=True)
class TextInputs:
    """Texts. column: what their column was called; empty where they stood in files or in a list."""

    column: str = ""
    target: str = ""

    def read(self, data: Any) -> Asked:
        """A list of str, a column of a file of records or of a frame, a .txt file, or a folder of such files."""
        if isinstance(data, str | Path) and not is_records(str(data)):
            return _of_files(Path(data).expanduser())
        if isinstance(data, str | Path) or is_frame(data) or _are_records(data):
            sheet = sheet_of_any(data)
            return _cut(asked_of(sheet, _array(sheet.texts(self._column_of(sheet.columns, sheet.path))), ()))
        texts = list(data)
        if not texts or not all(isinstance(text, str) for text in texts):
            odd = next((type(text).__name__ for text in texts if not isinstance(text, str)), "nothing")
            raise DataError(f"the model takes texts: a list of str, a file or a folder; got {odd} among them")
        return _cut(Asked(_array(texts), numbered(len(texts)), "row"))

    def _column_of(self, names: Mapping[str, Any], path: Path) -> str:
        if self.column in names:
            return self.column
        usual = {name.casefold(): name for name in reversed(list(names))}
        found = next((usual[word] for word in USUAL if word in usual), None)
        if found is None and len(names) == 1:
            found = next(iter(names))
        if found is None or (self.column and len(names) > 1):
            wanted = repr(self.column) if self.column else "text"
            raise DataError(
                f"{path}: there is no column {wanted} of texts.{did_you_mean(self.column or 'text', names)}"
            )
        return found

    def facts(self) -> dict[str, Any]:
        return {"kind": "text", "column": self.column, "target": self.target}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> TextInputs:
        return cls(facts["column"], facts["target"])


def _are_records(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(cast(list[Any], data)[0], Mapping)


def _of_files(path: Path) -> Asked:
    if not path.exists():
        raise DataError(
            f"there is no file or folder {path}; the model takes texts: a list of str, a .txt file, a folder of them, "
            "or a file with a column of texts"
        )
    below = sorted(p for p in path.rglob("*.txt") if p.is_file()) if path.is_dir() else [path]
    texts: list[str] = []
    names: list[str] = []
    left_out: list[tuple[str, str]] = []
    for file in below:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        try:
            text, _ = decoded(file.read_bytes())
        except OSError as error:
            left_out.append((name, f"cannot be read ({error.strerror})"))
            continue
        if "\0" in text:
            left_out.append((name, "holds zero bytes: not a text"))
            continue
        texts.append(text)
        names.append(name)
    if not texts:
        raise DataError(f"{path}: holds no .txt file that can be read")
    return _cut(Asked(_array(texts), tuple(names), "file", left_out=tuple(left_out)))


def _array(texts: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    found = np.empty(len(texts), dtype=object)
    found[:] = [text.strip() for text in texts]
    return found


def _cut(asked: Asked) -> Asked:
    """Very long texts cut as those of the training are, and a note about texts without a letter."""
    texts: list[str] = asked.x.tolist()
    empty = sum(not text for text in texts)
    notes = asked.notes
    if empty:
        are = "1 text is" if empty == 1 else f"{empty:,} texts are"
        notes = (*notes, f"{are} empty: what is answered there says nothing.")
    return replace(asked, x=_array([text[:LONGEST] for text in texts]), notes=notes)
