"""Texts from files of records and from folders: what is read, in which encoding, and what is said about it."""

import codecs
import json
from pathlib import Path

import numpy as np
import pytest

from gapless.data import Rows, Task
from gapless.data.readers.texts import LONGEST, as_array
from gapless.data.source import SourceOptions, load

GOOD = [f"the film number {i} was {'fine' if i % 2 else 'dull'}" for i in range(40)]
LABELS = ["good" if i % 2 else "bad" for i in range(40)]


def csv_of(texts: list[str], labels: list[str] = LABELS) -> str:
    quoted = (text.replace('"', '""') for text in texts)
    return "review,mood\n" + "".join(f'"{t}",{label}\n' for t, label in zip(quoted, labels, strict=True))


def read(path: Path, content: str | bytes, **options: object) -> Task:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(str(path), SourceOptions(**{"text": "review", "target": "mood", **options}))  # pyright: ignore[reportArgumentType]


def all_texts(task: Task) -> set[str]:
    assert task.confirm is not None
    return {*task.develop.x.tolist(), *task.confirm.x.tolist()}


def said(task: Task, words: str) -> bool:
    return any(words in note for note in task.notes)


def write_parquet(path: Path, columns: dict[str, list[object]]) -> Path:
    from pyarrow import table
    from pyarrow.parquet import write_table

    write_table(table(columns), path)
    return path


# ── files of records ──


def test_a_csv_with_a_text_column(tmp_path: Path) -> None:
    task = read(tmp_path / "t.csv", csv_of(GOOD))
    assert (task.kind, task.shape, task.classes, task.outputs) == ("text", (), ("bad", "good"), 2)
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm)) == (28, 12)
    assert all_texts(task) == set(GOOD)
    for text, label in zip(task.develop.x, task.develop.y, strict=True):
        assert ("fine" in text) == (task.classes[label] == "good")


def test_a_table_of_one_column_of_text_is_a_task_of_texts(tmp_path: Path) -> None:
    with_option = read(tmp_path / "t.csv", csv_of(GOOD))
    without = read(tmp_path / "t.csv", csv_of(GOOD), text=None)
    assert without.develop.x.tolist() == with_option.develop.x.tolist()


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.ndjson", "t.parquet"])
def test_every_format_gives_the_same_task(tmp_path: Path, name: str) -> None:
    path, wanted = tmp_path / name, read(tmp_path / "same.csv", csv_of(GOOD))
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
        write_parquet(path, {"review": list(GOOD), "mood": list(LABELS)})
    elif name.endswith("sv"):
        path.write_text(csv_of(GOOD).replace(",", "\t") if name == "t.tsv" else csv_of(GOOD))
    else:
        rows = [{"review": t, "mood": label} for t, label in zip(GOOD, LABELS, strict=True)]
        path.write_text("\n".join(json.dumps(row) for row in rows))
    task = load(str(path), SourceOptions(text="review", target="mood"))
    assert task.develop.x.tolist() == wanted.develop.x.tolist()
    assert task.develop.y.tolist() == wanted.develop.y.tolist()


def test_json_lines_need_no_options_where_the_names_are_usual(tmp_path: Path) -> None:
    rows = [{"id": i, "text": t, "label": i % 2 == 0, "tags": ["a"]} for i, t in enumerate(GOOD)]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n[1]\nnonsense\n")
    task = load(str(path), SourceOptions())
    assert task.classes == ("false", "true")
    assert said(task, "The texts are column 'text'; --text names another.")
    assert said(task, "Columns 'id', 'tags' are not used: the model reads 'text' alone.")
    assert [s.reason.partition(" (")[0] for s in task.skipped] == ["a list and not an object with fields", "not JSON"]
    assert task.skipped[0].where == "t.jsonl line 42"


def test_numbers_make_a_regression_on_texts(tmp_path: Path) -> None:
    task = read(tmp_path / "t.csv", csv_of(GOOD, [f"{i / 7:.3f}" for i in range(40)]))
    assert task.judged_by.name == "r2"
    assert task.develop.y.dtype == np.float32


# ── encodings ──

FRENCH = [f"l'été n° {i} fut {'très bon' if i % 2 else 'gâché'}" for i in range(40)]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_utf_8_with_and_without_its_mark(tmp_path: Path, mark: bytes) -> None:
    task = read(tmp_path / "t.csv", mark + csv_of(FRENCH).encode())
    assert all_texts(task) == set(FRENCH)
    assert not said(task, "UTF-8")


def test_utf_16(tmp_path: Path) -> None:
    assert all_texts(read(tmp_path / "t.csv", csv_of(FRENCH).encode("utf-16"))) == set(FRENCH)


def test_windows_1252_is_said(tmp_path: Path) -> None:
    texts = [f"“{t}” – 5 €" for t in FRENCH]
    task = read(tmp_path / "t.csv", csv_of(texts).encode("cp1252"))
    assert all_texts(task) == set(texts)
    assert said(task, "t.csv is not UTF-8 and was read as Windows-1252; check letters with accents.")


def test_damaged_utf_8_stays_utf_8(tmp_path: Path) -> None:
    task = read(tmp_path / "t.csv", csv_of(FRENCH).encode().replace(b"n\xc2\xb0 7", b"n\xc2 7"))
    assert said(task, "t.csv: 1 place is not UTF-8 and stand as \ufffd here.")
    assert "l'été n\ufffd 7 fut très bon" in all_texts(task)


def test_bytes_without_a_meaning_in_windows_1252(tmp_path: Path) -> None:
    task = read(tmp_path / "t.csv", csv_of(FRENCH).encode("cp1252").replace(b"fut", b"f\x81t", 2))
    assert said(task, "2 places are without a meaning")


# ── what is left out, cut and copied ──


def test_empty_texts_and_missing_labels_are_listed(tmp_path: Path) -> None:
    texts = [*GOOD[:37], " ", "", "no label"]
    task = read(tmp_path / "t.csv", csv_of(texts, [*LABELS[:39], ""]))
    assert {(s.where, s.reason) for s in task.skipped} == {
        ("t.csv line 39", "no text"),
        ("t.csv line 40", "no text"),
        ("t.csv line 41", "no target: 'mood' is ''"),
    }
    assert all_texts(task) == set(GOOD[:37])


def test_very_long_texts_are_cut_and_said(tmp_path: Path) -> None:
    task = read(tmp_path / "t.csv", csv_of([*GOOD[:39], "very " * 60_000]))
    assert max(map(len, all_texts(task))) == LONGEST
    assert said(task, "t.csv: 1 text is longer than 50,000 characters and cut there.")


def test_copies_stay_in_one_part_and_are_said(tmp_path: Path) -> None:
    texts = [*GOOD, "The  SAME text", "the same text", "the same  text", "twice", "twice"]
    for seed in range(5):
        task = read(tmp_path / "t.csv", csv_of(texts, [*LABELS, "bad", "bad", "bad", "good", "bad"]), seed=seed)
        assert task.confirm is not None
        parts = ["same" in t.lower() for t in task.develop.x], ["same" in t.lower() for t in task.confirm.x]
        assert sorted(map(sum, parts)) == [0, 3]
        assert said(task, "2 rows are copies of another row but carry a different label.")
        if sum(parts[0]):
            assert said(task, "copies of others: a copy may be trained on while the other one ranks the recipes.")


def test_copies_across_given_test_data_are_counted(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(csv_of([*GOOD[:4], "new one", "new two"], LABELS[:6]))
    task = read(tmp_path / "t.csv", csv_of(GOOD), test=tmp_path / "test.csv")
    assert said(task, "4 of the 6 confirm rows also stand in the develop rows, word for word")


# ── further test data ──


def test_further_test_data_is_read_like_the_source(tmp_path: Path) -> None:
    for name in ("web", "news"):
        (tmp_path / f"{name}.csv").write_text(csv_of([f"{name} {t}" for t in GOOD[:6]], LABELS[:6]))
    also = (("web", tmp_path / "web.csv"), ("news", tmp_path / "news.csv"))
    task = read(tmp_path / "t.csv", csv_of(GOOD), also=also)
    assert [name for name, _ in task.also] == ["web", "news"]
    assert task.also[1][1].x.tolist() == [f"news {t}" for t in GOOD[:6]]
    assert task.also[1][1].y.tolist() == [0, 1] * 3
    assert not all_texts(task) & set(task.also[0][1].x.tolist())


# ── folders ──


def folder(root: Path, texts: list[str] = GOOD) -> Path:
    for i, text in enumerate(texts):
        path = root / LABELS[i] / f"{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    root = folder(tmp_path / "reviews")
    (root / "good" / "x.pdf").write_bytes(b"x")
    (root / "bad" / "empty.txt").write_text("\n")
    (root / "bad" / "zero.txt").write_bytes(b"a\0b")
    (root / "bad" / "accent.txt").write_bytes("déjà vu".encode("cp1252"))
    (root / "bad" / "sixteen.txt").write_bytes("seize".encode("utf-16"))
    task = load(str(root), SourceOptions())
    assert (task.name, task.kind, task.classes) == ("reviews", "text", ("bad", "good"))
    assert all_texts(task) == {*GOOD, "déjà vu", "seize"}
    assert {(s.where, s.reason) for s in task.skipped} == {
        ("good/x.pdf", "not the ending .txt of a text"),
        ("bad/empty.txt", "no text"),
        ("bad/zero.txt", "holds zero bytes: not a text"),
    }
    assert said(task, "1 file is not UTF-8 and read as Windows-1252")


def test_a_folder_with_train_test_and_a_further_one(tmp_path: Path) -> None:
    root = tmp_path / "reviews"
    folder(root / "train")
    folder(root / "test", [f"test {t}" for t in GOOD[:10]])
    folder(tmp_path / "web", [f"web {t}" for t in GOOD[:4]])
    task = load(str(root), SourceOptions(also=(("web", tmp_path / "web"),)))
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm), len(task.also[0][1])) == (40, 10, 4)
    assert all(t.startswith("test") for t in task.confirm.x)


# ── a task of one's own ──


def test_a_task_takes_texts_as_objects() -> None:
    rows = Rows(as_array(GOOD), np.arange(40) % 2)
    assert Task("t", rows, classes=("bad", "good")).kind == "text"
    with pytest.raises(ValueError, match=r"texts, an array of str objects \(N,\): np\.array\(texts, dtype=object\)"):
        Task("t", Rows(np.array(GOOD), rows.y), classes=("bad", "good"))
    with pytest.raises(ValueError, match=r"must be a str with something in it, got a int in row 1"):
        Task("t", Rows(as_array(["a", 3]), rows.y[:2]), classes=("bad", "good"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"got an empty text in row 0"):
        Task("t", Rows(as_array([" ", "a"]), rows.y[:2]), classes=("bad", "good"))
