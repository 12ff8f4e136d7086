"""Memory of a training process: big blocks are kept, and pictures lie as their model can bear."""

from __future__ import annotations

import ctypes
import sys

import torch
from torch import nn

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE = 2**31 - 1


def keep_big_blocks() -> bool:
    """Tells glibc's malloc to reuse large blocks instead of giving each back to the kernel. True if it did.

    glibc maps blocks above 32 MB afresh each time, and every page of them faults once a step: 12 to 23 % of a training
    step of a convolutional net with batch norm. It is a setting of the whole process, so only training processes
    call it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # a C library without mallopt, such as musl
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE)) and bool(mallopt(_M_TRIM_THRESHOLD, _LARGE))


def picture_format(model: nn.Module) -> torch.memory_format:
    """channels_last, in which convolutions are fastest; contiguous for a model that would not survive it.

    Seen with torch 2.13.0 on a processor without AVX-512: in channels_last the backward pass of a 1x1 convolution with
    a stride over 2 to 5 channels writes beyond its memory ("corrupted double-linked list", or a segmentation fault);
    at 8 and more, in the contiguous format, or with the pictures taken apart by groups it does not.
    """
    return torch.contiguous_format if any(map(_breaks_memory, model.modules())) else torch.channels_last


def _breaks_memory(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.Conv2d)
        and 1 < layer.in_channels < 8
        and layer.groups == 1
        and layer.kernel_size == (1, 1)
        and layer.stride != (1, 1)
    )
