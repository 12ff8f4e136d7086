"""The examples run as they are written, in a short form, and stay short."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
IN_TRAINERS = {"in_accelerate.py", "in_lightning.py", "in_skorch.py", "in_transformers.py"}
"""Run by tests/integrations, in the process that has imported the trainer."""
SHORT = {"own_loop.py", "hugging_face_text.py", *IN_TRAINERS}
LONGEST = dict.fromkeys(("own_loop.py", *IN_TRAINERS), 60)


def test_every_example_is_run() -> None:
    assert {p.name for p in EXAMPLES.glob("*.py")} == SHORT


@pytest.mark.parametrize("name", sorted(SHORT))
def test_stays_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) <= LONGEST.get(name, 150)


def test_own_loop_applies_a_recipe_from_a_file(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('schema = 1\n[batchnorm]\ninsert = true\n[[augment.ops]]\nop = "rotate"\nstrength = 10.0\n')
    done = subprocess.run(
        [sys.executable, EXAMPLES / "own_loop.py", recipe, "12"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # tiny batches: more threads only wait for each other
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^(\w+): ([\d.]+)% of the training pictures right, ([\d.]+)% of new ones$", done.stdout, re.M)
    assert [name for name, _, _ in found] == ["plain", "recipe"]
    assert float(found[1][2]) > 50, "the recipe's model has learnt the digits"


def test_hugging_face_text_comes_to_a_verdict() -> None:
    pytest.importorskip("transformers")
    done = subprocess.run(
        [sys.executable, EXAMPLES / "hugging_face_text.py", "12", "1"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert "sentences: 140 texts to train and choose on, 60 for the verdict, 2 classes." in done.stderr
    assert "Model: hugging_face_text:network." in done.stderr
    assert re.search(
        r"^Gain: .* measured once on 60 texts kept aside until the end, 5 seeds each\.$", done.stdout, re.M
    )
