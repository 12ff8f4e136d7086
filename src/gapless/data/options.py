"""How a source is to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MEMORY = 2_000_000_000  # bytes


@dataclass(frozen=True)
class SourceOptions:
    """How to read a source.

    Args:
        data_dir: fashion-mnist only: the folder of its IDX files.
        test: test data of the same kind as the source; becomes confirm.
        target: tables and files of texts: the column to predict.
        train_size: develop rows, a stratified subset; without test data all the others become confirm.
        seed: of the draws, from 0.
        image_size: folders only: the side of the decoded pictures in pixels.
        memory: bytes that decoding a folder may take, which is twice its pictures; larger folders are mapped from files
            in the cache.
        cache: the folder for these files; None takes gapless's folder in the user's cache folder.
        text: files of texts: the column that holds them; in a .csv or .tsv it says that this is one.
        also: further test data of the same kind, by name: scored once at the end, apart from the verdict.
    """

    data_dir: Path | None = None
    test: Path | None = None
    target: str | None = None
    train_size: int | None = None
    seed: int = 0
    image_size: int | None = None
    memory: int = MEMORY
    cache: Path | None = None
    text: str | None = None
    also: tuple[tuple[str, Path], ...] = ()
