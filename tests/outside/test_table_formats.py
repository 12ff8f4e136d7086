"""The same table in every format, and with what spreadsheets write around it."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from messy import made, noted, read, table

from gapless.data import Task
from gapless.errors import DataError

# ── layouts ──


@pytest.mark.parametrize(
    ("content", "above"),
    [
        ("sep=;\na;b;y\n{rows}", ""),
        ("sep=,\na,b,y\n{rows}", ""),
        ("Sales report 2024\n\na,b,y\n{rows}", "Sales report 2024"),
        ("Sales report,,\nNorth,,\na,b,y\n{rows}", "Sales report North"),
        ('"a", "b", "y"\n{rows}', ""),
    ],
)
def test_what_spreadsheets_write_around_a_table(tmp_path: Path, content: str, above: str) -> None:
    separator = ";" if ";" in content else ","
    gap = separator + ("   " if content.startswith('"') else "")
    rows = "".join(gap.join([str(i), f'"x{separator}{i % 3}"', str(i % 2)]) + "\n" for i in range(60))
    (tmp_path / "t.csv").write_text(content.replace("{rows}", rows))
    task = read(tmp_path / "t.csv")
    assert task.features == ("a", "b")
    assert task.categories == (0, 4)
    assert noted(task, "what stands above", above) == bool(above)


@pytest.fixture
def records() -> list[dict[str, object]]:
    return [{"a": i / 4, "b": "xyz"[i % 3], "day": f"2020-01-{1 + i % 28:02d}", "y": "pq"[i % 2]} for i in range(60)]


def same(first: Task, second: Task) -> bool:
    assert first.confirm is not None and second.confirm is not None
    parts = ((first.develop, second.develop), (first.confirm, second.confirm))
    return all(np.array_equal(p.x, q.x) and np.array_equal(p.y, q.y) for p, q in parts)


@pytest.mark.parametrize(
    "name", ["t.json", "t.jsonl", "columns.json", "wrapped.json", "t.parquet", "t.feather", "t.xlsx", "t.ods", "db"]
)
def test_every_format_gives_the_same_table(tmp_path: Path, records: list[dict[str, object]], name: str) -> None:
    header = ",".join(records[0])
    rows = [",".join(str(value) for value in record.values()) for record in records]
    wanted = read(table(tmp_path, header, rows))
    path: Path | str = tmp_path / name
    columns = {key: [record[key] for record in records] for key in records[0]}
    if name.endswith(("parquet", "feather")):
        arrow = pytest.importorskip("pyarrow")
        made_of = arrow.table(columns)
        if name.endswith("parquet"):
            pytest.importorskip("pyarrow.parquet").write_table(made_of, path)
        else:
            pytest.importorskip("pyarrow.feather").write_feather(made_of, str(path))
    elif name.endswith(("xlsx", "ods")):
        pytest.importorskip("python_calamine")
        write_workbook(tmp_path / name, [list(records[0]), *([*r.values()] for r in records)])
    elif name == "db":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE people (a REAL, b TEXT, day TEXT, y TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", [tuple(r.values()) for r in records])
        connection.commit()
        connection.close()
        path = f"sqlite:{path}?table=people"
    else:
        content = {"t.json": records, "columns.json": columns, "wrapped.json": {"data": records, "n": 60}}.get(name)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / name).write_text(lines if content is None else json.dumps(content))
    task = read(path)
    assert task.features == wanted.features
    assert same(task, wanted)


def write_workbook(path: Path, rows: list[list[object]]) -> None:
    """A workbook with a first sheet that holds no table, in the least that its format needs."""
    from zipfile import ZipFile

    ods = path.suffix == ".ods"
    cell = ods_cell if ods else xlsx_cell
    body = "".join(ROW[ods].format("".join(cell(value) for value in row)) for row in rows)
    with ZipFile(path, "w") as archive:
        for name, text in (ODS if ods else XLSX).items():
            archive.writestr(name, text.replace("{body}", body))


def xlsx_cell(value: object) -> str:
    return f"<c><v>{value}</v></c>" if isinstance(value, float) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def ods_cell(value: object) -> str:
    kind = (
        f'office:value-type="float" office:value="{value}"'
        if isinstance(value, float)
        else 'office:value-type="string"'
    )
    return f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>"


ROW = ("<row>{}</row>", "<table:table-row>{}</table:table-row>")
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OPEN = "urn:oasis:names:tc:opendocument:xmlns"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
XLSX = {
    "[Content_Types].xml": '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEET}.worksheet+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet2.xml" ContentType="{_SHEET}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<?xml version="1.0"?><Relationships xmlns="{_RELATIONS}">'
    f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<?xml version="1.0"?><workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Notes" sheetId="1" r:id="r1"/><sheet name="Data" sheetId="2" r:id="r2"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<?xml version="1.0"?><Relationships xmlns="{_RELATIONS}">'
    f'<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{_OFFICE}/worksheet" Target="worksheets/sheet2.xml"/></Relationships>',
    "xl/worksheets/sheet1.xml": f'<?xml version="1.0"?><worksheet xmlns="{_MAIN}"><sheetData/></worksheet>',
    "xl/worksheets/sheet2.xml": f'<?xml version="1.0"?><worksheet xmlns="{_MAIN}"><sheetData>{{body}}</sheetData>'
    "</worksheet>",
}  # fmt: skip
ODS = {
    "META-INF/manifest.xml": '<?xml version="1.0"?><manifest:manifest '
    f'xmlns:manifest="{_OPEN}:manifest:1.0"></manifest:manifest>',
    "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
    "content.xml": f'<?xml version="1.0"?><office:document-content xmlns:office="{_OPEN}:office:1.0" '
    f'xmlns:table="{_OPEN}:table:1.0" xmlns:text="{_OPEN}:text:1.0"><office:body><office:spreadsheet>'
    '<table:table table:name="Notes"></table:table><table:table table:name="Data">{body}</table:table>'
    "</office:spreadsheet></office:body></office:document-content>",
}


def test_databases_that_are_none(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "d.db")
    connection.executescript("CREATE TABLE people (a, y); CREATE TABLE places (a, y);")
    connection.close()
    (tmp_path / "no.db").write_text("no database, but longer than a header of sixteen bytes")
    for source, message in (
        (
            f"sqlite:{tmp_path}/d.db",
            r"name one of its tables as sqlite:FILE\?table=NAME\. Choose one of: people, places",
        ),
        (f"sqlite:{tmp_path}/d.db?table=peple", "Did you mean 'people'"),
        (f"sqlite:{tmp_path}/d.db?table=people", "table 'people' has no rows"),
        (f"sqlite:{tmp_path}/gone.db", r"there is no file .*; write sqlite:FILE\?table=NAME"),
        (f"sqlite:{tmp_path}/no.db", "is it an SQLite file"),
    ):
        with pytest.raises(DataError, match=message):
            read(source)


def test_nested_columns_are_left_out_unread(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    columns = {"a": list(range(60)), "embedding": [[0.0] * 8] * 60, "y": ["p", "q"] * 30}
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), tmp_path / "t.parquet")
    task = read(tmp_path / "t.parquet")
    assert task.features == ("a",)
    assert made(task)["embedding"] == ("unread", "left out")
