"""Marian: a neural translation model of the user's own, from a directory, through transformers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from gapless.augment.text.paraphrase.lines import by_lines
from gapless.errors import DataError, UsageError

_FILES = ("config.json", "vocab.json", "source.spm", "target.spm")
_WEIGHTS = ("model.safetensors",)


@dataclass(frozen=True)
class Marian:
    """A Marian model (such as the OPUS-MT ones) in one direction.

    Lines are translated one by one; a line longer than the model can read is cut at a sentence end, or failing that
    between words, and put together again, so that nothing is lost. Nothing is ever downloaded, and only safetensors
    are read.

    Args:
        directory: with config.json, model.safetensors, vocab.json, source.spm and target.spm.
        source, target: the languages, for the names of the cache and to see that back-translation returns.
        batch: lines that go through the model at once.
        beams: of the beam search; 1 is greedy.
        device: cpu, or cuda.

    Raises:
        UsageError: transformers or sentencepiece is missing, or there is no such directory.
    """

    directory: Path
    source: str
    target: str
    batch: int = 16
    beams: int = 4
    device: str = "cpu"

    def __post_init__(self) -> None:
        for package in ("transformers", "sentencepiece"):
            if find_spec(package) is None:
                raise UsageError(f"a Marian model needs {package}: `pip install 'gapless[transformers]'`")
        if not self.directory.is_dir():
            raise UsageError(
                f"{self.directory}: there is no such directory; a Marian model is read from one, names of models on a "
                "hub are not looked up. Download it there and give the directory"
            )
        missing = [name for name in (*_FILES, *_WEIGHTS) if not (self.directory / name).is_file()]
        if missing:
            raise UsageError(f"{self.directory}: not a Marian model: there is no {', '.join(missing)} in it")
        if self.beams < 1 or self.batch < 1:
            raise UsageError(f"beams and batch must be at least 1, got {self.beams} and {self.batch}")

    @property
    def name(self) -> str:
        """With a hash of the model's files."""
        return f"marian {self.source}-{self.target} {self._state} beams {self.beams}"

    @cached_property
    def _state(self) -> str:
        found = sha256()
        for name in (*_FILES, *_WEIGHTS):
            with (self.directory / name).open("rb") as stream:
                while block := stream.read(1 << 20):
                    found.update(block)
        return found.hexdigest()[:12]

    @cached_property
    def _loaded(self) -> tuple[Any, Any, int]:
        """Tokenizer, model, and the longest line in tokens."""
        transformers: Any = import_module("transformers")
        try:
            with warnings.catch_warnings():
                # without sacremoses odd quotation marks are read as they are: no reason to say so at each start
                warnings.filterwarnings("ignore", message=".*sacremoses.*")
                tokenizer = transformers.MarianTokenizer.from_pretrained(self.directory, local_files_only=True)
            model = transformers.MarianMTModel.from_pretrained(
                self.directory, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise DataError(f"{self.directory}: the Marian model cannot be loaded: {error}") from error
        return tokenizer, model.to(self.device).eval(), int(model.config.max_position_embeddings)

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation for each text."""
        return by_lines(texts, self._lines)

    def _lines(self, lines: list[str]) -> list[str]:
        pieces = [self._pieces(line.encode("utf-8", "replace").decode()) for line in lines]
        flat = [piece for line in pieces for piece in line]
        # pieces of like length go through together: the shorter ones are padded to the longest
        order = sorted(range(len(flat)), key=lambda n: len(flat[n]))
        answers = [""] * len(flat)
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            for row, answer in zip(rows, self._generate([flat[n] for n in rows]), strict=True):
                answers[row] = answer
        left = iter(answers)
        return [" ".join(next(left) for _ in line) for line in pieces]

    def _pieces(self, line: str) -> list[str]:
        """The line, or parts of it that the model can read."""
        tokenizer, _, most = self._loaded
        if len(tokenizer(line)["input_ids"]) <= most or len(line) < 2:
            return [line]
        at = _middle(line)
        return [piece for half in (line[:at], line[at:]) if half.strip() for piece in self._pieces(half.strip())]

    @torch.no_grad()
    def _generate(self, lines: list[str]) -> list[str]:
        tokenizer, model, most = self._loaded
        tokens = tokenizer(lines, return_tensors="pt", padding=True).to(self.device)
        # the bound is the model's own reach, not one by the batch: a line's answer must not depend on its neighbours
        out = model.generate(**tokens, num_beams=self.beams, do_sample=False, max_length=most)
        return [str(line) for line in tokenizer.batch_decode(out, skip_special_tokens=True)]


def _middle(line: str) -> int:
    """Where to cut: the sentence end nearest the middle, else the space, else the middle."""
    for pattern in (r"(?<=[.!?;])\s", r"\s"):
        places = [found.end() for found in re.finditer(pattern, line) if found.start() > 0 and found.end() < len(line)]
        if places:
            return min(places, key=lambda place: abs(place - len(line) // 2))
    return len(line) // 2
