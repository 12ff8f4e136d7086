"""The files of a finished run: recipe.toml, train.py where there is a recipe to train, result.json, report.html."""

from __future__ import annotations

import json
from pathlib import Path

from gapless.files import write_atomically
from gapless.report import html
from gapless.report.content import Content


def write(folder: Path, content: Content) -> None:
    """Writes the files into the run directory.

    Raises:
        DataError: the disk is full.
    """
    files = {
        "recipe.toml": content.recipe_toml,
        **({"train.py": content.program} if content.program else {}),
        "result.json": json.dumps(content.result.to_json(), indent=1) + "\n",
        "report.html": html.render(content),
    }
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
