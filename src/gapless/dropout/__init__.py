"""Dropout: the family, its rates over training and depth, attaching it to any model, and the uncertainty it gives."""

from gapless.dropout.attach import attach, detach
from gapless.dropout.concrete import ConcreteDropout
from gapless.dropout.noise import (
    AlphaDropout,
    AttentionDropout,
    ChannelDropout,
    DropBlock,
    Dropout,
    DropPath,
    GaussianDropout,
    LockedDropout,
    NoiseLayer,
    PatchDropout,
    TokenDropout,
)
from gapless.dropout.rate import Scheduled, depth_rates
from gapless.dropout.uncertainty import ClassUncertainty, Passes, ValueUncertainty, monte_carlo
from gapless.dropout.weight import DropConnect, EmbeddingDropout, WeightDrop
from gapless.schedule import Constant, Early, FlatCosine, Late

FAMILY = (
    AlphaDropout,
    AttentionDropout,
    ChannelDropout,
    ConcreteDropout,
    DropBlock,
    DropConnect,
    DropPath,
    Dropout,
    EmbeddingDropout,
    GaussianDropout,
    LockedDropout,
    PatchDropout,
    TokenDropout,
    WeightDrop,
)

__all__ = [
    "FAMILY",
    "AlphaDropout",
    "AttentionDropout",
    "ChannelDropout",
    "ClassUncertainty",
    "ConcreteDropout",
    "Constant",
    "DropBlock",
    "DropConnect",
    "DropPath",
    "Dropout",
    "Early",
    "EmbeddingDropout",
    "FlatCosine",
    "GaussianDropout",
    "Late",
    "LockedDropout",
    "NoiseLayer",
    "Passes",
    "PatchDropout",
    "Scheduled",
    "TokenDropout",
    "ValueUncertainty",
    "WeightDrop",
    "attach",
    "depth_rates",
    "detach",
    "monte_carlo",
]
