"""How a source is to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MEMORY = 2_000_000_000  # bytes of decoded images


@dataclass(frozen=True)
class SourceOptions:
    """How to read a source.

    Args:
        data_dir: fashion-mnist only: the folder of its IDX files.
        test: test data of the same kind as the source; becomes confirm.
        target: tables only: the column to predict.
        train_size: develop rows, a stratified subset; without test data all the others become confirm.
        seed: of the draws, from 0.
        image_size: folders only: the side of the decoded pictures in pixels.
        memory: bytes of decoded pictures that are held in memory; more are mapped from a cache file.
        cache: the folder for that file; None takes gapless's folder in the user's cache folder.
    """

    data_dir: Path | None = None
    test: Path | None = None
    target: str | None = None
    train_size: int | None = None
    seed: int = 0
    image_size: int | None = None
    memory: int = MEMORY
    cache: Path | None = None
