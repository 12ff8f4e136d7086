"""A recipe file that is wrong: the error names the file, the line, what was got, and the nearest right key."""

import sys
from pathlib import Path

import pytest

from gapless.errors import UsageError
from gapless.recipe import Recipe

WRONG = {
    "unknown table": (
        "schema = 1\n[dropout]\nhidden = 0.1\n[dropuot]\nhidden = 0.1",
        4,
        "there is no 'dropuot' in a recipe. Did you mean 'dropout'?",
    ),
    "unknown table like nothing": (
        "schema = 1\n\n[optimizer]\nlr = 0.1",
        3,
        "there is no 'optimizer' in a recipe. Choose one of: augment, batchnorm, decay, dropout.",
    ),
    "the name of our own field": ("schema = 1\n[augment_part]\nmixup = 0.1", 2, "Did you mean 'augment'?"),
    "unknown key": (
        "schema = 1\n[dropout]\nchannel = 0.1\nhiden = 0.1",
        4,
        "there is no 'dropout.hiden' in a recipe. Did you mean 'hidden'?",
    ),
    "unknown key at the top": ("schema = 1\nmixup = 0.1", 2, "there is no 'mixup'"),
    "unknown key of an op": (
        'schema = 1\n[[augment.ops]]\nop = "rotate"\nstrength = 5\n[[augment.ops]]\nop = "scale"\nstrenght = 0.1',
        7,
        "there is no 'augment.ops.1.strenght' in a recipe. Did you mean 'strength'?",
    ),
    "a number in quotes": (
        'schema = 1\n[dropout]\nhidden = "0.3"',
        3,
        "dropout.hidden should be a valid number, got '0.3'",
    ),
    "a truth value for a number": ("schema = 1\n[decay]\nstrength = true", 3, "should be a valid number, got True"),
    "a number for a truth value": ("schema = 1\n[batchnorm]\ninsert = 1", 3, "should be a valid boolean, got 1"),
    "a word for a truth value": ('schema = 1\n[batchnorm]\ninsert = "yes"', 3, "should be a valid boolean, got 'yes'"),
    "a fraction for a whole number": ("schema = 1\n[augment]\npick = 1.5", 3, "should be a valid integer, got 1.5"),
    "a number for a table": ("schema = 1\ndropout = 0.3", 2, "dropout should be a table, got 0.3"),
    "a table for a list": (
        'schema = 1\n[augment.ops]\nop = "rotate"\nstrength = 5',
        2,
        "augment.ops should be a list of tables",
    ),
    "dropout of 1": ("schema = 1\n[dropout]\nhidden = 1.0", 3, "dropout.hidden should be less than 1, got 1.0"),
    "below zero": ("schema = 1\n[decay]\n# strong\nstrength = -1", 4, "should be greater than or equal to 0, got -1"),
    "NaN": ("schema = 1\n[dropout]\nhidden = nan", 3, "got nan"),
    "infinite": ("schema = 1\n[decay]\nstrength = inf", 3, "got inf"),
    "a word that is none of the choices": (
        'schema = 1\n[augment]\nmixup = 0.1\nfill = "purple"',
        4,
        "augment.fill should be 'black', 'gray', 'edge' or 'reflect', got 'purple'",
    ),
    "unknown op": (
        'schema = 1\n[augment]\nmixup = 0.1\n\n[[augment.ops]]\nop = "scale"\nstrength = 0.1\n\n'
        '[[augment.ops]]\nop = "rotat"\nstrength = 5',
        9,
        "there is no operation 'rotat'. Did you mean 'rotate'?",
    ),
    "strength out of an op's range": (
        'schema = 1\n[[augment.ops]]\nop = "rotate"\nstrength = 1000',
        2,
        "rotate: strength must be from 0 to 180 deg, got 1000",
    ),
    "strength that is no number": ('schema = 1\n[[augment.ops]]\nop = "scale"\nstrength = nan', 2, "got nan"),
    "p of zero": (
        'schema = 1\n[[augment.ops]]\nop = "rotate"\nstrength = 5\np = 0',
        5,
        "augment.ops.0.p should be greater than 0, got 0",
    ),
    "an op without strength": ('schema = 1\n[[augment.ops]]\nop = "rotate"', 2, "augment.ops.0.strength is missing"),
    "dotted keys": (
        "schema = 1\ndropout.channel = 0.1\ndropout.hidden = 2",
        3,
        "dropout.hidden should be less than 1, got 2",
    ),
    "inline tables": ("schema = 1\n\naugment = { mixup = 20 }", 3, "augment.mixup should be less than or equal to 10"),
    "a quoted key": ('schema = 1\n[augment]\n"mixup" = 20', 3, "augment.mixup should be less than or equal to 10"),
    "a comment behind the header": ("schema = 1\n[dropout] # rates\nhidden = 2", 3, "should be less than 1, got 2"),
    "a key that another begins with": (
        "schema = 1\n[augment]\nmixup2 = 1\nmixup = 0.1",
        3,
        "there is no 'augment.mixup2' in a recipe. Did you mean 'mixup'?",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_error_names_file_line_and_what_to_do(name: str, tmp_path: Path) -> None:
    text, line, said = WRONG[name]
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        Recipe.load(path)
    assert str(caught.value).startswith(f"{path} line {line}: "), caught.value
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "schema must be 1, got None; the first line must be `schema = 1`"),
        ("schema = 2", "schema must be 1, got 2"),
        ('schema = "1"', "schema must be 1, got '1'"),
        ("schema = true", "schema must be 1, got True"),
        ("schema = 1\n[dropout\nhidden = 0.1", "not valid TOML: .* line 2"),
        ("schema = 1\nx = " + "[" * 3 * sys.getrecursionlimit(), "nested too deep"),
        ("schema = 1\n[dropout]\nhidden = 0.1\nhidden = 0.2", "not valid TOML"),
    ],
)
def test_not_a_recipe(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"^mine.toml: .*{said}"):
        Recipe.from_toml(text, "mine.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "picture.toml").write_bytes(b"\xff\xd8\xff")
    for name in ("missing.toml", "picture.toml", "."):
        with pytest.raises(UsageError, match="cannot be read as a recipe"):
            Recipe.load(tmp_path / name)


def test_byte_order_mark_is_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "notepad.toml"
    path.write_bytes(b"\xef\xbb\xbfschema = 1\r\n[dropout]\r\nhidden = 0.25\r\n")
    assert Recipe.load(path).dropout.hidden == 0.25


def test_plain_values_that_are_wrong() -> None:
    with pytest.raises(UsageError, match=r"^recipe: there is no 'dropout.hiden' in a recipe. Did you mean 'hidden'"):
        Recipe.from_dict({"dropout": {"hiden": 0.1}})
    with pytest.raises(UsageError, match=r"^result.json: a recipe should be a table, got 3"):
        Recipe.from_dict(3, "result.json")  # pyright: ignore[reportArgumentType]  # what a file may hold


@pytest.mark.parametrize(
    "op", ["os:system", "gapless.recipe:Recipe", "os.system", "__import__('os')", "../../ops", "rotate\n"]
)
def test_a_recipe_names_ops_of_ours_and_imports_nothing(op: str) -> None:
    before = set(sys.modules)
    with pytest.raises(UsageError, match="there is no operation"):
        Recipe.from_dict({"augment": {"ops": [{"op": op, "strength": 1}]}})
    with pytest.raises(UsageError, match="there is no 'model'"):
        Recipe.from_dict({"model": op})
    assert set(sys.modules) == before
