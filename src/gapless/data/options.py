"""How a source is to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gapless.errors import UsageError

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
        ignore: tables: columns to leave out.
        keep: tables: columns to keep that would be left out, such as identifiers.
        missing: tables and files of texts: what else stands for no value, such as -999.
        task: tables, texts and arrays: whether to learn classes or a quantity; None goes by the target.
        fold_case: tables and texts: classes that differ only by case or space are one.
        group: tables and texts: the column whose equal values say which rows belong together, in a .npz the array;
            folders: `folder` (the one that a file lies in) or `stem` (its name up to the last _, -, dot or space).
        time: tables and texts: the column that says when a row is from, in a .npz the array.
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
    ignore: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    task: Literal["classification", "regression"] | None = None
    fold_case: bool = False
    group: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        if self.task not in (None, "classification", "regression"):
            several = (
                ""
                if "label" not in self.task
                else (
                    "; gapless trains on one label a row: make a column of yes and no for each label, choose one with "
                    "--target and leave the others out with --ignore"
                )
            )
            raise UsageError(f"--task must be classification or regression, got {self.task!r}{several}")
