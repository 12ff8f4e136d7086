"""Back-translation whoever translates: what is asked, kept, told and refused."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.augment.text.paraphrase.back_translation import merged, paraphrase, translated
from gapless.augment.text.paraphrase.cache import TranslationCache, file_name
from gapless.augment.text.paraphrase.lines import by_lines
from gapless.augment.text.paraphrase.parity import form_objection
from gapless.errors import DataError, UsageError


@dataclass
class Swapper:
    """Writes every word backwards, and the sentence too: its own way back, but for the words it is told to change."""

    name: str = "swapper"
    source: str = "here"
    target: str = "there"
    batch: int = 3
    changes: dict[str, str] = field(default_factory=dict[str, str])
    asked: list[list[str]] = field(default_factory=list[list[str]])

    def translate(self, texts: Sequence[str]) -> list[str]:
        self.asked.append(list(texts))
        return [" ".join(self.changes.get(word, word)[::-1] for word in text.split())[::1] for text in texts]


def back(changes: dict[str, str] | None = None) -> Swapper:
    return Swapper("back", "there", "here", changes=changes or {})


def test_each_distinct_text_is_asked_once_in_batches() -> None:
    swapper = Swapper()
    found = translated(["ab", "cd", "ab", "ef", "gh", "cd"], swapper, None)
    assert found == {"ab": "ba", "cd": "dc", "ef": "fe", "gh": "hg"}
    assert swapper.asked == [["ab", "cd", "ef"], ["gh"]]


def test_what_is_in_the_cache_is_not_asked_again(tmp_path: Path) -> None:
    first, second = Swapper(), Swapper()
    translated(["ab", "cd"], first, tmp_path)
    assert translated(["cd", "xy", "ab"], second, tmp_path) == {"cd": "dc", "xy": "yx", "ab": "ba"}
    assert second.asked == [["xy"]]
    other = Swapper("another version")
    translated(["ab"], other, tmp_path)
    assert other.asked == [["ab"]], "translators do not share what they said"


def test_paraphrases_are_those_that_nothing_speaks_against() -> None:
    way_back = back({"mlif": "eivom", "ton": "syawla"})
    texts = ["a good film", "do not go", "the same words", "a good film"]
    found = paraphrase(texts, Swapper(), way_back, None)
    assert found == {"a good film": ("a good movie",), "do not go": (), "the same words": ()}
    found = paraphrase(texts, Swapper(), back({"ton": "syawla"}), None, object_to=form_objection)
    assert found["do not go"] == ("do always go",)


def test_a_way_that_does_not_lead_back_is_refused() -> None:
    with pytest.raises(UsageError, match="swapper leads from here to there, swapper from here to there"):
        paraphrase(["a"], Swapper(), Swapper(), None)


def test_merged_keeps_each_paraphrase_once() -> None:
    a, b = {"x": ("1", "2"), "y": ()}, {"x": ("2", "3"), "z": ("4",)}
    assert merged(a, b) == {"x": ("1", "2", "3"), "y": (), "z": ("4",)}


def test_progress_tells_steps_and_time_left(tmp_path: Path) -> None:
    told: list[tuple[int, int, float | None]] = []
    texts = [f"word{n}" for n in range(7)]
    translated(texts[:2], Swapper(), tmp_path)
    paraphrase(texts, Swapper(), back(), tmp_path, progress=lambda *step: told.append(step))
    assert [(done, total) for done, total, _ in told] == [
        (2, 14),
        (5, 14),
        (7, 14),
        (7, 14),
        (10, 14),
        (13, 14),
        (14, 14),
    ]
    assert told[0][2] is None and told[-1][2] == 0.0
    assert all(left is None or left >= 0 for _, _, left in told)


def test_a_translator_that_loses_texts_is_named(tmp_path: Path) -> None:
    class Loser(Swapper):
        def translate(self, texts: Sequence[str]) -> list[str]:
            return super().translate(texts)[1:]

    with pytest.raises(DataError, match="swapper: 2 texts went in and 1 translations came back"):
        translated(["a", "b"], Loser(), tmp_path)


@given(st.lists(st.text(), max_size=6))
def test_any_text_is_kept_as_it_is(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    pairs = {text: f"{text}\ud800!" for text in texts}
    with TranslationCache(folder, "x") as cache:
        cache.add(pairs)
    with TranslationCache(folder, "x") as cache:
        assert cache.known([*texts, "never seen\n"]) == pairs


@given(st.lists(st.text(alphabet=st.sampled_from("ab .\n\r\t \u2028"), max_size=20), max_size=5))
def test_lines_come_back_in_their_places(texts: list[str]) -> None:
    seen: list[str] = []

    def upper(lines: list[str]) -> list[str]:
        seen.extend(lines)
        return [line.upper() for line in lines]

    assert by_lines(texts, upper) == [text.upper() for text in texts]
    assert not [line for line in seen if line != line.strip() or len(line.splitlines()) != 1]


def test_files_of_different_translators_differ() -> None:
    assert file_name("a/b") != file_name("a-b")
    assert file_name("../../x" * 50).count("/") == 0 and len(file_name("y" * 500)) < 100


# ── what can go wrong with the file ──


def test_a_file_that_is_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / file_name("swapper")
    path.write_bytes(b"not a database at all, but long enough to look at" * 50)
    with pytest.raises(DataError, match=r"not a file of translations, or damaged.*delete it"):
        translated(["a"], Swapper(), tmp_path)
    assert path.read_bytes().startswith(b"not a database"), "and it is left alone"


def test_a_file_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / file_name("swapper")) as file:
        file.execute("PRAGMA user_version = 7")
    file.close()
    with pytest.raises(DataError, match="its schema is 7, this version of gapless knows 1"):
        translated(["a"], Swapper(), tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"file/swapper.*cannot be written"):
        translated(["a"], Swapper(), tmp_path / "file")


def test_a_disk_that_fills_up_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translated(["ab"], Swapper(), tmp_path)
    opened = TranslationCache.__init__

    def small(self: TranslationCache, folder: Path, name: str) -> None:
        opened(self, folder, name)
        (pages,) = self._file.execute("PRAGMA page_count").fetchone()
        self._file.execute(f"PRAGMA max_page_count = {pages}")

    with monkeypatch.context() as patch:
        patch.setattr(TranslationCache, "__init__", small)
        with pytest.raises(DataError, match=r"full; make room"):
            translated(["ab", "c" * 100_000], Swapper(), tmp_path)
    late = Swapper()
    assert translated(["ab"], late, tmp_path) == {"ab": "ba"}
    assert late.asked == []


KILLED_IN_A_BATCH = """
import os, signal, sys
from pathlib import Path
from gapless.augment.text.paraphrase.cache import TranslationCache
cache = TranslationCache(Path(sys.argv[1]), "x")
cache.add({f"whole {n}": str(n) for n in range(1000)})
cache._file.execute("PRAGMA cache_size = 1")  # so that the unfinished batch reaches the disk
cache._file.execute("BEGIN")
for n in range(20000):
    cache._file.execute("INSERT INTO translations VALUES (?, ?)", (b"torn %d" % n, b"t" * 50))
print("written", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_while_it_writes_loses_that_batch_only(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_A_BATCH, tmp_path], capture_output=True, text=True)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "written\n"), killed.stderr
    size = (tmp_path / file_name("x")).stat().st_size
    assert size > 1_000_000, "the torn batch stands in the file"
    with TranslationCache(tmp_path, "x") as cache:
        assert len(cache.known(f"whole {n}" for n in range(1000))) == 1000
        assert cache.known(f"torn {n}" for n in range(20000)) == {}


KILLED_BETWEEN = """
import sys, time
from pathlib import Path
from gapless.augment.text.paraphrase.back_translation import translated

class Slow:
    name, source, target, batch = "slow", "here", "there", 2
    def translate(self, texts):
        time.sleep(0.02)
        return [text[::-1] for text in texts]

translated([f"text {n}" for n in range(400)], Slow(), Path(sys.argv[1]), lambda *step: print(*step, flush=True))
"""


def test_a_killed_run_goes_on_after_its_last_batch(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED_BETWEEN, tmp_path], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline() for _ in range(8)]
        os.kill(run.pid, signal.SIGKILL)
    done = int(lines[-1].split()[0])
    assert done == 14
    swapper = Swapper("slow", batch=100)
    texts = [f"text {n}" for n in range(400)]
    told: list[int] = []
    translated(texts, swapper, tmp_path, lambda done, total, left: told.append(done))
    asked = [text for batch in swapper.asked for text in batch]
    assert told[0] >= done and told[0] < 400
    assert asked == texts[told[0] :], "what was done before the kill is not asked again"


def test_two_processes_may_write_one_file(tmp_path: Path) -> None:
    with TranslationCache(tmp_path, "x") as one, TranslationCache(tmp_path, "x") as other:
        one.add({"a": "1"})
        other.add({"a": "2", "b": "3"})
        assert one.known(["a", "b"]) == {"a": "1", "b": "3"}
