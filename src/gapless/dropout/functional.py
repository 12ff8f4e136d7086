"""Rates that a model keeps as numbers and hands to a function: `F.dropout(x, self.dropout, self.training)`.

BART, T5, vision transformers and timm's nets drop so. Nothing is called that could be seen; the name and the value of
the attribute say it.
"""

from collections.abc import Iterator

from torch import nn

_MODULES = (nn.MultiheadAttention, nn.RNNBase, nn.modules.dropout._DropoutNd)  # pyright: ignore[reportPrivateUsage]  # their one base


def functional_rates(module: nn.Module) -> Iterator[tuple[str, float]]:
    """(name, rate) of every number in [0, 1) that this very module has under a name with `drop` in it.

    The rates of torch's own layers are known by their type and not among them.
    """
    if isinstance(module, _MODULES):
        return
    for name, value in vars(module).items():
        if "drop" in name.lower() and not name.startswith("_") and type(value) is float and 0 <= value < 1:
            yield name, value
