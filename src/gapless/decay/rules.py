"""Which parameters decay: short ordered tables of rules, ours and other libraries'. The first that catches decides."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from torch import Tensor, nn

from gapless.errors import UsageError
from gapless.kinds import EMBEDDING_TYPES, WEIGHT_TYPES, is_norm


@dataclass(frozen=True, eq=False)
class Use:
    """One place where a parameter is used: the module, its dotted path, and the parameter's name inside it.

    A parametrized `weight` is used as `weight`; an entry of a ParameterList `gains` is used as `gains.0`.
    """

    module: nn.Module
    path: str
    attribute: str


@dataclass(frozen=True, eq=False)
class Leaf:
    """One trainable tensor as the rules see it. A tied tensor is one leaf with several names and uses."""

    names: tuple[str, ...]
    tensor: Tensor
    uses: tuple[Use, ...]
    listed_by: tuple[str, ...] = ()  # paths of the modules whose no_weight_decay() names it; "" is the model itself

    @property
    def name(self) -> str:
        """The name under which model.named_parameters() yields it."""
        return self.names[0]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    def used(self, kinds: type[nn.Module] | tuple[type[nn.Module], ...]) -> bool:
        """True if any of the modules that use it is one of these types."""
        return any(isinstance(use.module, kinds) for use in self.uses)


@dataclass(frozen=True)
class Rule:
    """A parameter that `catches` decays with `factor` times the weight decay (0: not at all, 1: fully)."""

    name: str
    catches: Callable[[Leaf], bool]
    factor: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.factor < float("inf"):
            raise UsageError(f"rule {self.name!r}: factor must be a finite number >= 0, got {self.factor!r}")


_TABLE_WORDS = frozenset(
    ("embed", "embeds", "embedding", "embeddings", "pos", "position", "positions", "positional", "token", "tokens")
)


def _words(attribute: str) -> frozenset[str]:
    return frozenset(re.split(r"[^a-z]+", attribute.lower()))


def _asked(leaf: Leaf) -> bool:
    """The model's own word: its no_weight_decay() list (timm, Swin, BEiT) or the flag of S4 and Mamba."""
    return bool(leaf.listed_by) or getattr(leaf.tensor, "_no_weight_decay", False) is True


def _norm(leaf: Leaf) -> bool:
    return any(is_norm(use.module) for use in leaf.uses)


def _bias(leaf: Leaf) -> bool:
    return any({"bias", "biases"} & _words(use.attribute) for use in leaf.uses)


def _embedding(leaf: Leaf) -> bool:
    return leaf.used(EMBEDDING_TYPES) or any(_is_table(use, leaf.shape) for use in leaf.uses)


def _is_table(use: Use, shape: tuple[int, ...]) -> bool:
    """Positions and tokens that a model keeps as bare parameters: (1, N, D) broadcasts over the batch, or the name."""
    if isinstance(use.module, WEIGHT_TYPES):
        return False
    broadcast = len(shape) >= 3 and shape[0] == 1
    named = bool(_TABLE_WORDS & _words(use.attribute))
    return broadcast or named or type(use.module).__name__.lower().endswith(("embedding", "embeddings"))


def _weight(leaf: Leaf) -> bool:
    return any(isinstance(use.module, WEIGHT_TYPES) and "weight" in _words(_role(use)) for use in leaf.uses)


def _role(use: Use) -> str:
    # Weight norm's magnitude (original0, weight_g) is a scale and not the weight: shape decides there.
    return "" if re.search(r"original\d|weight_g$", use.attribute) else use.attribute


def _scale(leaf: Leaf) -> bool:
    return sum(n > 1 for n in leaf.shape) <= 1


def _log(leaf: Leaf) -> bool:
    """Stored as a logarithm (A_log, log_dt): pulled to 0 the value itself goes to 1, which is no decay."""
    return not leaf.used(WEIGHT_TYPES) and any("log" in _words(use.attribute) for use in leaf.uses)


def _everything(leaf: Leaf) -> bool:
    return True


REST = Rule("rest", _everything, 1.0)

RULES: tuple[Rule, ...] = (
    Rule("asked", _asked),  # the model's own list of parameters without decay
    Rule("norm", _norm),  # scales and shifts of norms, by type or by behaviour
    Rule("bias", _bias),
    Rule("embedding", _embedding),  # tables of words, positions, tokens; also where one is tied to an output layer
    Rule("weight", _weight, 1.0),  # of linear, convolution, recurrent and attention modules, whatever the shape
    Rule("log", _log),  # Mamba's A_log, log-variances
    Rule("scale", _scale),  # at most one dimension longer than 1: layer scale, PReLU, temperature, weight norm's g
    REST,  # every matrix of a module nobody knows
)
"""Ours: module type first, then behaviour, then shape; names only where a bare parameter has nothing else."""

EVERYTHING: tuple[Rule, ...] = (Rule("everything", _everything, 1.0),)
"""The optimizer's own behaviour without groups: every parameter decays."""


def _timm_listed(leaf: Leaf) -> bool:
    return "" in leaf.listed_by


def _timm_vector(leaf: Leaf) -> bool:
    return leaf.tensor.ndim <= 1 or leaf.name.endswith(".bias")


TIMM: tuple[Rule, ...] = (Rule("ndim <= 1 or .bias", _timm_vector), Rule("no_weight_decay()", _timm_listed), REST)
"""timm 1.0's param_groups_weight_decay as its optimizer factory calls it. Decays embeddings, (C, 1, 1) scales."""

_FACE_NAMES = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)")


def _face_layer(leaf: Leaf) -> bool:
    return isinstance(leaf.uses[0].module, nn.LayerNorm)


def _face_name(leaf: Leaf) -> bool:
    return _FACE_NAMES.search(leaf.name.lower()) is not None


HUGGING_FACE: tuple[Rule, ...] = (Rule("nn.LayerNorm", _face_layer), Rule("name", _face_name), REST)
"""transformers 5's Trainer. Decays batch and group norms, embeddings, and norms that are only called ln_1 or bn1."""

RULE_SETS: dict[str, tuple[Rule, ...]] = {
    "gapless": RULES,
    "timm": TIMM,
    "hugging-face": HUGGING_FACE,
    "everything": EVERYTHING,
}


def first_that_catches(leaf: Leaf, rules: Sequence[Rule]) -> Rule:
    """The rule that decides. Raises UsageError where none does: a parameter is never forgotten in silence."""
    for rule in rules:
        if rule.catches(leaf):
            return rule
    raise UsageError(
        f"no rule catches parameter {leaf.name!r} of shape {leaf.shape}; end the rules with gapless.decay.REST"
    )


def matches(name: str, patterns: Sequence[str]) -> bool:
    """True if the name matches one of the patterns of a no_weight_decay() list ('blocks.*.gamma')."""
    return any(fnmatch(name, pattern) for pattern in patterns)
