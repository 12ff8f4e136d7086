"""`gapless lint`: what it prints, its exit codes, one document on standard output, and that nothing heavy is loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import gapless

import gapless as package
from gapless.lint import RULES, Findings

BROKEN = """import torch.nn.functional as F
from torch import nn

dropout = nn.Dropout(keep_prob)


def loss_of(model, x, y):
    return F.cross_entropy(model(x).softmax(1), y)
"""
HEALTHY = """import torch.nn.functional as F


def loss_of(model, x, y):
    return F.cross_entropy(model(x), y)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "healthy.py").write_text(HEALTHY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_text_goes_to_standard_output_and_the_summary_to_people(folder: Path) -> None:
    ran = gapless("lint", "broken.py", "healthy.py")
    heads = [line for line in ran.out.splitlines() if not line.startswith("    ")]
    assert [line.partition(" ")[0] for line in heads] == ["broken.py:4:11:", "broken.py:8:12:"]
    assert "error[dropout-keep-probability]" in heads[0]
    assert ran.err == "2 errors; 2 files read\n"
    assert ran.code == 0


def test_json_is_one_document(folder: Path) -> None:
    ran = gapless("lint", ".", "--json")
    assert ran.json["read"] == 2
    assert ran.json["counts"] == {"error": 2, "warning": 0, "note": 0}
    assert ran.json["findings"][0]["where"] == {
        "file": "broken.py",
        "line": 4,
        "column": 11,
        "end_line": 4,
        "end_column": 32,
    }
    assert gapless("lint", "healthy.py", "--json").json["findings"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("broken.py",), 0),
        (("broken.py", "--fail-on", "error"), 5),
        (("broken.py", "--fail-on", "note"), 5),
        (("healthy.py", "--fail-on", "note"), 0),
        (("broken.py", "--fail-on", "error", "--rules", "nll-without-log"), 0),
        (("broken.py", "--fail-on", "error", "--ignore", "dropout-keep-probability"), 5),
        (("broken.py", "--fail-on", "error", "--ignore", "dropout-keep-probability, softmax-before-cross-entropy"), 0),
        (("broken.py", "--rules", "no-such"), 2),
        (("broken.py", "--json", "--format", "sarif"), 2),
        ((), 2),
        (("brokn.py",), 3),
    ],
)
def test_exit_codes(folder: Path, arguments: tuple[str, ...], code: int) -> None:
    assert gapless("lint", *arguments).code == code


def test_a_level_is_reached_from_above_only(folder: Path) -> None:
    (folder / "noted.py").write_text(HEALTHY.replace("model(x)", "model(x).log_softmax(1)"))
    assert gapless("lint", "noted.py", "--fail-on", "note").code == 5
    assert gapless("lint", "noted.py", "--fail-on", "warning").code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("syntax.py", b"def f(:\n", "syntax.py line 1 is no Python: invalid syntax"),
        ("nul.py", b"x = '\0'\n", "is no Python"),
        ("latin.py", "# é\n".encode("latin-1"), "latin.py is no Python source"),
        ("deep.py", b"x = " + b"(" * 400 + b"1" + b")" * 400, "is no Python"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_what_is_no_python(folder: Path, name: str, content: bytes, said: str, as_json: bool) -> None:
    (folder / name).write_bytes(content)
    ran = gapless("lint", name, *(["--json"] if as_json else []))
    assert ran.code == 3
    assert said in ran.err
    assert "Traceback" not in ran.err
    if as_json:
        assert ran.json["error"]["exit_code"] == 3


def test_an_encoding_that_is_declared_is_read(folder: Path) -> None:
    (folder / "latin.py").write_bytes("# -*- coding: latin-1 -*-\n# é\n".encode("latin-1"))
    assert gapless("lint", "latin.py").err == "nothing found; 1 file read\n"


def test_an_empty_file_and_a_folder_without_python(folder: Path) -> None:
    (folder / "empty.py").write_text("")
    (folder / "sub" / "__pycache__").mkdir(parents=True)
    (folder / "sub" / "__pycache__" / "x.py").write_text(BROKEN)
    assert gapless("lint", "empty.py").code == 0
    assert "folder without Python files" in gapless("lint", "sub").err


# ── comments that ignore ──

IGNORE = "# gapless: ignore[softmax-before-cross-entropy]"


@pytest.mark.parametrize(
    ("before", "behind", "found"),
    [
        ("", "", True),
        ("", f"  {IGNORE}", False),
        (f"    {IGNORE}\n", "", False),
        ("", "  # gapless: ignore[nll-without-log, softmax-before-cross-entropy] on purpose", False),
        ("", "  # gapless: ignore[nll-without-log]", True),
        ("    # gapless: ignore-file[softmax-before-cross-entropy]\n\n\n", "", False),
        (f"    {IGNORE}\n\n", "", True),
        (f'    text = "{IGNORE}"\n', "", True),
    ],
)
def test_ignoring(tmp_path: Path, before: str, behind: str, found: bool) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "import torch.nn.functional as F\ndef f(model, x, y):\n"
        f"{before}    return F.cross_entropy(model(x).softmax(1), y){behind}\n"
    )
    assert [each.rule for each in package.lint(path)] == ["softmax-before-cross-entropy"] * found


def test_a_comment_that_names_no_rule_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("x = 1  # gapless: ignore[softmax-before-cross-entropi]\ny = 2  # gapless: ignore[]\n")
    first, second = package.lint(path)
    assert (first.rule, first.level, first.place.line, first.place.column) == ("unknown-ignore", "warning", 1, 8)
    assert "Did you mean 'softmax-before-cross-entropy'?" in first.what
    assert second.rule == "unknown-ignore"


# ── in Python, and what it costs ──


def test_the_door_in_python(folder: Path) -> None:
    findings = package.lint("broken.py", ignore=["dropout-keep-probability"])
    assert isinstance(findings, Findings)
    assert [each.rule for each in findings] == ["softmax-before-cross-entropy"]
    assert len(findings) == 1 and findings.reaches("warning")
    assert str(findings).endswith("1 error; 1 file read")
    with pytest.raises(package.UsageError, match="Did you mean 'nll-without-log'"):
        package.lint("broken.py", rules=["nll-without-lok"])
    with pytest.raises(package.DataError, match=r"Did you mean 'broken\.py'"):
        package.lint("brokn.py")


def test_reading_loads_neither_torch_nor_numpy(folder: Path) -> None:
    program = (
        "import sys; from gapless.cli.main import run; code = run(['lint', 'broken.py']); "
        "import gapless; gapless.lint('broken.py'); "
        "print([m for m in ('torch', 'numpy', 'scipy') if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_list_names_every_rule() -> None:
    listed = gapless("lint", "--list").out.splitlines()
    assert [line.split()[1] for line in listed] == [rule.name for rule in RULES]


# ── SARIF ──


def test_sarif_holds_what_the_standard_asks_for(folder: Path) -> None:
    log = gapless("lint", "broken.py", str(folder / "healthy.py"), "--format", "sarif").json
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "gapless"
    assert [each["id"] for each in driver["rules"]] == [rule.name for rule in RULES]
    assert len(run["results"]) == 2
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "broken.py"
        region = place["region"]
        assert (1, 1) <= (region["startLine"], region["startColumn"]) < (region["endLine"], region["endColumn"])


def test_paths_in_sarif_are_uris(folder: Path) -> None:
    (folder / "with space é.py").write_text(BROKEN)
    log = gapless("lint", folder / "with space é.py", "--format", "sarif").json
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "with%20space%20%C3%A9.py"
    json.dumps(log).encode("ascii")
