"""`gapless augment preview`: what it takes, what it writes, what it says."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import gapless
from PIL import Image

from gapless.augment.image.policy_toml import preset


def shown(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def folder_of_pictures(root: Path) -> Path:
    for name, colour in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        (root / "data" / name).mkdir(parents=True)
        for number in range(6):
            noise = np.random.default_rng(number).integers(-25, 25, (40, 50, 3))
            Image.fromarray((np.array(colour) + noise).astype(np.uint8)).save(root / "data" / name / f"{number}.png")
    return root / "data"


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from gapless.cli.main import run; code = run(['augment', 'preview', '--help']); "
        "print([m for m in ('torch', 'numpy', 'PIL', 'sklearn') if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
    for option in ("--policy", "--out", "--rows", "--seed", "--image-size", "--text"):
        assert option in done.stdout


def test_a_sheet_of_digits(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    ran = gapless("augment", "preview", "digits", "--policy", "classic", "--out", out)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"{out}: 11 operations, 4 pictures\n"
    first = shown(out)
    assert first.shape[0] > 15 * 112 and first.shape[1] > 7 * 112
    assert list(tmp_path.iterdir()) == [out], "nothing unfinished is left"
    gapless("augment", "preview", "digits", "--policy", "classic", "--out", tmp_path / "again.png")
    assert (shown(tmp_path / "again.png") == first).all()
    gapless("augment", "preview", "digits", "--policy", "classic", "--out", out, "--seed", 1, "--rows", 2)
    assert shown(out).shape != first.shape


def test_pictures_are_of_different_classes(tmp_path: Path) -> None:
    data, out = folder_of_pictures(tmp_path), tmp_path / "sheet.png"
    ran = gapless(
        "augment", "preview", data, "--policy", "three_augment", "--out", out, "--rows", 2, "--image-size", 32
    )
    assert ran.code == 0, ran.err
    sheet = shown(out).astype(int)
    red, blue = ((sheet[..., a] - sheet[..., b] > 60).any() for a, b in ((0, 2), (2, 0)))
    assert red and blue


def test_a_policy_may_be_a_file_or_a_recipe(tmp_path: Path) -> None:
    out, mine, recipe = tmp_path / "sheet.png", tmp_path / "mine.toml", tmp_path / "recipe.toml"
    mine.write_text(preset("three_augment").to_toml(), encoding="utf-8")
    recipe.write_text(
        'schema = 1\n[dropout]\nhidden = 0.2\n[[augment.ops]]\nop = "rotate"\nstrength = 20.0\n', encoding="utf-8"
    )
    for policy, operations in ((mine, 7), (recipe, 1), ("augmix", 9)):
        ran = gapless("augment", "preview", "digits", "--policy", policy, "--out", out, "--rows", 1)
        assert f"{operations} operations, 1 pictures" in ran.err
        assert shown(out).any()


def test_marks_of_a_npz_are_drawn(tmp_path: Path) -> None:
    x = np.full((2, 30, 40, 3), 200, np.uint8)
    boxes = np.array([[[5, 5, 20, 20]], [[1, 1, 30, 25]]])
    np.savez(tmp_path / "boxes.npz", x=x, boxes=boxes)
    np.savez(tmp_path / "plain.npz", x=np.concatenate([x, x, x]), y=np.arange(6) % 2)
    found = []
    for name in ("boxes", "plain"):
        ran = gapless(
            "augment", "preview", tmp_path / f"{name}.npz", "--policy", "classic", "--out", tmp_path / "s.png"
        )
        assert ran.code == 0, ran.err
        found.append((shown(tmp_path / "s.png") == (0, 114, 178)).all(2).sum())
    assert found[0] > 5000 and found[1] == 0
    refused = gapless("augment", "preview", tmp_path / "boxes.npz", "--policy", "classic", "--image-size", 32)
    assert refused.code == 2 and "--image-size has no meaning for" in refused.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["digits", "--policy", "clasic"], 2, "there is no policy 'clasic', and no such file. Did you mean 'classic'?"),
        (["digits", "--policy", "classic", "--rows", "0"], 2, "--rows must be at least 1, got 0"),
        (["digits", "--policy", "classic", "--seed", "-1"], 2, "--seed must be at least 0, got -1"),
        (["digits", "--policy", "classic", "--out", "a.jpg"], 2, "--out must be a .png file, got a.jpg"),
        (["digits", "--policy", "classic", "--out", "no/a.png"], 2, "--out: there is no folder no"),
        (["digitz", "--policy", "classic"], 3, "there is no data 'digitz'"),
        (["digits", "--policy", "idle.toml"], 2, "idle.toml leaves every picture as it is: there is nothing to see"),
        (
            ["digits", "--policy", "wrong.toml"],
            2,
            "steps[0]: there is no image operation 'rotat'. Did you mean 'rotate'?",
        ),
        (["table.csv", "--policy", "classic"], 2, "table.csv is a table; a preview is of pictures or texts"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("idle.toml").write_text("schema = 1\n")
    Path("wrong.toml").write_text('schema = 1\n[[steps]]\nop = "rotat"\nstrength = 5\n')
    Path("table.csv").write_text("a,b,y\n" + "".join(f"{n},{n % 7},{n % 2}\n" for n in range(60)))
    before = sorted(tmp_path.iterdir())
    ran = gapless("augment", "preview", *arguments)
    assert ran.code == code
    assert message in ran.err
    assert sorted(tmp_path.iterdir()) == before, "nothing is written"


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    ran = gapless("augment", "preview", "digits", "--policy", "classic", "--out", tmp_path / "s.png")
    assert ran.code == 2 and "s.png cannot be written: No space left on device" in ran.err
    assert list(tmp_path.iterdir()) == []


# ── texts ──


def texts(folder: Path) -> Path:
    kinds = ("I really love this film, it was the best of the year", "A dull story; the actors looked very tired")
    lines = [f'"{kinds[n % 2]} {n}.",{("good", "bad")[n % 2]}\n' for n in range(24)]
    (folder / "reviews.csv").write_text("review,label\n" + "".join(lines), encoding="utf-8")
    return folder / "reviews.csv"


def test_texts_are_printed_with_what_changed(tmp_path: Path) -> None:
    data = texts(tmp_path)
    ran = gapless("augment", "preview", data, "--text", "review", "--policy", "eda", "--rows", 3)
    assert ran.code == 0, ran.err
    blocks = ran.out.strip().split("\n\n")
    assert len(blocks) == 3 and all(len(block.splitlines()) == 5 for block in blocks)
    for block in blocks:
        original, *variants = block.splitlines()
        assert original in data.read_text()
        for variant in variants:
            assert re.sub(r"\[-(.*?)-\]|\{\+.*?\+\}", r"\1", variant) == original
    assert "[-" in ran.out or "{+" in ran.out
    kept = gapless(
        "augment", "preview", data, "--text", "review", "--policy", "eda", "--rows", 3, "--out", tmp_path / "a"
    )
    assert (kept.out, (tmp_path / "a").read_text()) == ("", ran.out)


def test_a_text_policy_may_be_a_file_or_a_recipe(tmp_path: Path) -> None:
    data, mine, recipe = texts(tmp_path), tmp_path / "mine.toml", tmp_path / "recipe.toml"
    mine.write_text('schema = 1\n[[steps]]\nop = "word_dropout"\nstrength = 0.9\n')
    recipe.write_text('schema = 1\n[[augment.ops]]\nop = "word_dropout"\nstrength = 0.9\n')
    both = [gapless("augment", "preview", data, "--text", "review", "--policy", policy) for policy in (mine, recipe)]
    assert both[0].out == both[1].out != ""
    wrong = gapless("augment", "preview", data, "--text", "review", "--policy", "classic")
    assert wrong.code == 2 and "there is no policy 'classic', and no such file." in wrong.err
    other = gapless("augment", "preview", "digits", "--policy", recipe)
    assert other.code == 2 and "there is no image operation 'word_dropout'" in other.err
