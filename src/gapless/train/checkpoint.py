"""Checkpoints: safetensors and JSON, written beside themselves and renamed; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from gapless.errors import DataError
from gapless.files import write_atomically


def write(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Saves tensors and a few plain facts."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_atomically(path, save(plain, {"facts": json.dumps(dict(facts))}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write` saved.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        with safe_open(path, "pt") as file:  # pyright: ignore[reportUnknownVariableType]  # safetensors is untyped
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = dict(json.loads((file.metadata() or {})["facts"]).items())
    except Exception as error:  # safetensors raises its own and the system's errors
        raise DataError(f"{path}: not a readable checkpoint: {error}") from error
    return tensors, facts
