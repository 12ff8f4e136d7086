"""Dropout on what a layer is given, as an addition to the layer (`gapless.surgery`)."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gapless.dropout.noise import ChannelDropout, Dropout
from gapless.surgery import Addition, Args, Kwargs

CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Together:
    """Layers that are handed one and the same tensor: the first drops it, the others take what came of it.

    Queries, keys and values see one input, as they do inside nn.MultiheadAttention.
    """

    def __init__(self, layers: int) -> None:
        self.layers = layers
        self._held: tuple[Any, Any, int] = (None, None, 0)  # the tensor, what came of it, who is still to come

    def taken(self, first: Any) -> Any:
        """What became of this very tensor, or None."""
        given, dropped, left = self._held
        if given is not first or not left:
            return None
        self._held = (given, dropped, left - 1) if left > 1 else (None, None, 0)
        return dropped

    def keep(self, first: Any, dropped: Any) -> None:
        self._held = first, dropped, self.layers - 1

    def __getstate__(self) -> dict[str, Any]:
        return {"layers": self.layers, "_held": (None, None, 0)}  # a copy has its own forwards


class Dropped(Addition):
    """Dropout on the first input of a layer, while the layer is training."""

    def __init__(self, noise: Dropout | ChannelDropout, together: Together | None = None) -> None:
        self.noise, self.together = noise, together

    def before(self, layer: nn.Module, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """Drop the first argument, and with it every other argument that is the same tensor (self-attention)."""
        if not layer.training or self.noise.p == 0:
            return args, kwargs
        first = args[0] if args else next(iter(kwargs.values()))
        dropped = None if self.together is None else self.together.taken(first)
        if dropped is None:
            dropped = self._drop(layer, first)
            if self.together is not None:
                self.together.keep(first, dropped)
        return (
            tuple(dropped if value is first else value for value in args),
            {name: dropped if value is first else value for name, value in kwargs.items()},
        )

    def _drop(self, layer: nn.Module, first: Any) -> Any:
        drop = self.noise.drop
        if isinstance(first, PackedSequence):
            return type(first)(drop(first.data), first.batch_sizes, first.sorted_indices, first.unsorted_indices)
        if isinstance(layer, CONV) and cast(Tensor, first).ndim == len(layer.kernel_size) + 1:
            return drop(first.unsqueeze(0)).squeeze(0)  # a conv also takes one sample without a batch
        return drop(first)

    def __str__(self) -> str:
        return f"{type(self.noise).__name__} before it, p={self.noise.p:g}"
