"""Finished runs side by side: what is the same, what differs, and a page that asks for nothing."""

import json
import shutil
from pathlib import Path

from command import gapless
from conftest import Finished
from report_browser import look, recorder

from gapless.api import load_result
from gapless.live.compare import named, page


def other(finished: Finished, folder: Path) -> Path:
    """The same run with a larger gain, on more rows of the verdict."""
    shutil.copytree(finished.folder, folder)
    result = json.loads((folder / "result.json").read_text())
    result["gain"] = {"mean": 0.21, "low": 0.11, "high": 0.31}
    result["verdict"], result["task"]["confirm"] = "improved", 4321
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_the_page_has_what_differs_and_what_does_not(finished: Finished, tmp_path: Path) -> None:
    folders = [finished.folder, other(finished, tmp_path / "<b>other")]
    runs = [(name, load_result(f).content) for name, f in zip(named(folders), folders, strict=True)]
    html = page(runs)
    assert html == page(runs)
    with recorder() as (asked, flags):
        seen = look(html, tmp_path, *flags)
    assert asked == [] and seen.console == ""
    assert "&lt;b&gt;other" in seen.dom and "<b>other" not in seen.dom
    assert seen.dom.count("<svg") == 2 and "from other rows" in seen.dom
    shaded, _, same = seen.dom.partition("The same in all")
    assert "4,321" in shaded and "+21" in shaded and "digits" in same and "rows of the verdict" not in same


def test_the_same_run_twice_differs_in_nothing(finished: Finished) -> None:
    content = load_result(finished.folder).content
    html = page([("a", content), ("b", content)])
    assert 'class="differs"' not in html and "from other rows" not in html


def test_runs_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    assert named([tmp_path / "a", tmp_path / "b"]) == ["a", "b"]
    assert named([tmp_path / "x" / "a", tmp_path / "y" / "a"]) == [str(tmp_path / "x" / "a"), str(tmp_path / "y" / "a")]


def test_the_command(finished: Finished, tmp_path: Path) -> None:
    out = tmp_path / "compare.html"
    ran = gapless("compare", finished.folder, other(finished, tmp_path / "other"), "--out", out)
    assert ran.code == 0 and "2 runs side by side" in out.read_text(), ran.err
    ran = gapless("compare", finished.folder, "--out", out)
    assert ran.code == 2 and "two runs or more" in ran.err
    ran = gapless("compare", finished.folder, tmp_path, "--out", out)
    assert ran.code == 3 and "holds no finished run" in ran.err
