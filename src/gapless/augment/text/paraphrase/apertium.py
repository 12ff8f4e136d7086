"""Apertium: machine translation by rules, from Debian's packages, as a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from gapless.augment.text.paraphrase.lines import has_words
from gapless.errors import DataError, UsageError

_PACKAGES: dict[frozenset[str], str] = {
    frozenset(("eo", "en")): "apertium-eo-en",
    frozenset(("eng", "spa")): "apertium-eng-spa",
}
_SPECIAL = re.compile(r"[\\^$/\[\]{}<>@~#*+]")
_SPACE = re.compile(r"\s+")
_KEPT = re.compile(r"\\(.)|[\[\]]", re.DOTALL)
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Apertium:
    """Apertium in one direction; each batch is one process.

    Texts go in in Apertium's stream format, a NUL after each, so that none runs into its neighbour: on plain lines
    "I like the big" and "house of my father" would be translated as one sentence. Line breaks stay. What Apertium does
    not know stays as it is, without its marks. Its tagger keeps a memory along a batch: in about 6 of 1,000 snippets a
    rare word was read otherwise after other texts. Control characters and lone surrogates are read as spaces.

    Args:
        source, target: as `apertium -l` names them: `en` and `eo`, or `eng` and `spa`.
        batch: texts a process; a process takes 0.3 s to start.
        timeout: seconds a batch may take.

    Raises:
        UsageError: Apertium or this direction of it is not installed.
    """

    source: str
    target: str
    batch: int = 1000
    timeout: float = 600.0

    def __post_init__(self) -> None:
        package = _PACKAGES.get(frozenset((self.source, self.target)))
        install = f"`apt-get install {package}`" if package else "a package that `apt-cache search ^apertium-` lists"
        if shutil.which("apertium") is None:
            raise UsageError(f"Apertium is not installed (there is no command `apertium`): install {install}")
        if self.direction not in (have := _directions()):
            raise UsageError(
                f"Apertium has no direction {self.direction!r}; install {install}. It has: {', '.join(have) or 'none'}."
            )

    @property
    def direction(self) -> str:
        return f"{self.source}-{self.target}"

    @property
    def name(self) -> str:
        """With the version of the program and a hash of the direction's own files."""
        return f"apertium {self.direction} {self._release}"

    @cached_property
    def _release(self) -> str:
        return f"{_version()} {_state(self.direction)}"

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation for each text.

        Raises:
            DataError: the process failed, took longer than `timeout`, or returned another number of texts.
        """
        asked = [n for n, text in enumerate(texts) if has_words(text)]
        answers = list(texts)
        if asked:
            stream = "".join(f"{_escaped(texts[n])}[\n]\0" for n in asked)
            for n, part in zip(asked, self._run(stream, len(asked)), strict=True):
                answers[n] = _plain(part)
        return answers

    def _run(self, stream: str, texts: int) -> list[str]:
        command = ["apertium", "-u", "-z", "-f", "none", self.direction]
        pipe = subprocess.PIPE
        # its own group: the command is a shell script with a pipeline behind it, which has to end with it
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
            try:
                out, errors = process.communicate(stream.encode(), self.timeout)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise DataError(
                        f"Apertium {self.direction}: no answer for {texts} texts within {self.timeout:g} s; "
                        "give it smaller batches or a longer timeout"
                    ) from error
                raise
        parts = out.decode("utf-8", "replace").split("\0")
        # each part of the pipeline flushes once more at the end: empty parts follow
        if process.returncode or len(parts) <= texts or any(parts[texts:]):
            reason = errors.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
            raise DataError(
                f"Apertium {self.direction}: {texts} texts went in, {len(parts) - 1} came back, exit code "
                f"{process.returncode}: {reason[0]}"
            )
        return parts[:texts]


def _escaped(text: str) -> str:
    """The text in the stream format: special characters escaped, line breaks in brackets, other space made one."""
    escaped = _SPECIAL.sub(r"\\\g<0>", _UNREADABLE.sub(" ", text).strip())
    return _SPACE.sub(lambda run: f"[{run[0]}]" if "\n" in run[0] or "\r" in run[0] else " ", escaped)


def _plain(part: str) -> str:
    """The text of a part of the stream."""
    part = re.sub(" {2,}", " ", part.removesuffix("[\n]"))
    return _KEPT.sub(lambda found: found[1] or "", part).strip()


def _directions() -> list[str]:
    done = subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False)
    return sorted(done.stdout.split())


def _version() -> str:
    done = subprocess.run(["apertium", "-V"], capture_output=True, text=True, check=False)
    return done.stdout.strip().split()[-1] if done.stdout.strip() else "of unknown version"


def _state(direction: str) -> str:
    """A hash over the direction's own files: another release of its package, another state."""
    mode = Path(os.environ.get("APERTIUM_DATADIR") or "/usr/share/apertium") / "modes" / f"{direction}.mode"
    try:
        pipeline = mode.read_text(encoding="utf-8")
        found = sha256(pipeline.encode())
        for path in sorted(set(re.findall(r"'([^']+)'", pipeline))):
            found.update(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(
            f"Apertium {direction}: {error.filename} cannot be read: {error.strerror}; set APERTIUM_DATADIR to the "
            "folder of its data"
        ) from error
    return found.hexdigest()[:12]
