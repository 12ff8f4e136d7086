"""The module as its author wrote it, after training with a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from gapless import batchnorm
from gapless.batchnorm.insert import inserted_layers

if TYPE_CHECKING:
    from gapless.surgery import Change


def fold_in_place(change: Change) -> None:
    """Folds batch norm that a recipe inserted into the weights of the module itself, and takes its dropout out.

    A layer without a bias gets one where batch norm has a shift for it.

    Raises:
        UsageError: a batch norm that cannot be folded; the module is then as it was.
    """
    model = change.model
    folded = batchnorm.fold(model, new_bias=True) if next(inserted_layers(model), None) is not None else None
    change.undo()
    if folded is None:
        return
    for path, layer in folded.named_modules():
        own = model.get_submodule(path)
        for name, parameter in layer.named_parameters(recurse=False):
            if getattr(own, name, None) is None:
                own.register_parameter(name, nn.Parameter(parameter.detach().clone()))
    model.load_state_dict(folded.state_dict())
