"""Whole runs judged by another metric: the search, the verdict and the words are in it, and it is the run's own."""

from pathlib import Path

import numpy as np
import pytest
from command import events, gapless


def csv(path: Path, classes: bool) -> Path:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 150))
    y = np.where(a + 0.5 * b > 1.3, "fraud", "fine") if classes else 2000 + 300 * a + 60 * rng.standard_normal(150)
    path.write_text("a,b,y\n" + "".join(f"{p:.4f},{q:.4f},{v}\n" for p, q, v in zip(a, b, y, strict=True)))
    return path


@pytest.mark.parametrize(("metric", "classes"), [("mae", False), ("auc", True)])
def test_a_run_is_judged_by_its_metric(tmp_path: Path, metric: str, classes: bool) -> None:
    where = (
        "tune",
        csv(tmp_path / "rows.csv", classes),
        "--target",
        "y",
        "--epochs",
        3,
        "--trials",
        20,
        "--workers",
        1,
    )
    where = (*where, "--out", tmp_path / "run")
    ran = gapless(*where, "--metric", metric, "--json")
    assert ran.code == 0, ran.err
    result = ran.json
    assert result["metric"] == {"name": metric, "higher_is_better": classes}
    assert events(tmp_path / "run")[0]["metric"] == metric
    scores = [e["score"] for e in events(tmp_path / "run") if e["event"] == "trial" and e["score"] is not None]
    assert all(0 <= s <= 1 for s in scores) if classes else all(s < -10 for s in scores)
    # best and plain are told in the metric's own direction and unit
    plain = result["plain"]["confirm"]["mean"]
    assert f"in {metric}" in ran.err and (classes or plain < -10)
    assert "right" not in ran.err
    if classes:
        assert {r["name"] for r in result["recalls"]} == {"fraud", "fine"}
        assert "Of the rarest class, 'fraud'" in ran.err
    else:
        assert f"less {metric}" in ran.err and result["recalls"] == []
        assert all(q["score"] < 0 for q in result["quick"] if q["score"] is not None)
    other = gapless(*where)
    assert other.code == 2
    assert "holds a run of another metric" in other.err


def test_a_metric_that_does_not_suit_is_refused(tmp_path: Path) -> None:
    ran = gapless(
        "tune", csv(tmp_path / "rows.csv", True), "--target", "y", "--metric", "rmse", "--out", tmp_path / "r"
    )
    assert ran.code == 2
    assert "--metric: no metric for this target: 'rmse'" in ran.err and "accuracy, balanced-accuracy" in ran.err
    assert not (tmp_path / "r").exists()
