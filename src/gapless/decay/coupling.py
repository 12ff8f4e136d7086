"""The conventions in which a weight decay is written down, and the one converter between them."""

import math
from typing import Literal, get_args

from gapless.errors import UsageError, did_you_mean

Coupling = Literal["textbook", "l2", "decoupled", "independent", "constant", "corrected"]
"""What one step does to a weight w whose gradient is zero, in SGD without momentum, with lambda the strength:

    textbook     loss + lambda * sum(w^2)             w -= lr * 2 * lambda * w
    l2           loss + lambda/2 * sum(w^2)           w -= lr * lambda * w         torch.optim.SGD, Adam, ...
    decoupled    outside the gradient, times lr       w -= lr * lambda * w         torch.optim.AdamW
    independent  outside, times lr / peak_lr          w -= lr/peak_lr * lambda * w     Loshchilov & Hutter, alg. 2
    constant     outside, whatever lr is              w -= lambda * w
    corrected    outside, times lr^2 / peak_lr        w -= lr^2/peak_lr * lambda * w

The first two pass through the gradient, so momentum and Adam's division act on them; the last four never do.
Sources: Loshchilov & Hutter, arXiv 1711.05101, algorithms 1 and 2; torch.optim.AdamW; `corrected` is timm 1.0's option.
"""

COUPLINGS: tuple[Coupling, ...] = get_args(Coupling)
IN_GRADIENT: frozenset[Coupling] = frozenset(("textbook", "l2"))
_BY_PEAK: frozenset[Coupling] = frozenset(("independent", "constant"))


def convert(
    strength: float,
    source: Coupling,
    target: Coupling,
    *,
    peak_lr: float | None = None,
    momentum: float = 0.0,
    adaptive: bool = False,
) -> float:
    """The strength that does in `target` what `strength` does in `source`: convert(1e-4, "textbook", "l2") is 2e-4.

    Between textbook and l2, and among the four decoupled ones at lr = peak_lr, the conversion is exact. Between the two
    families it is exact in SGD without momentum; with momentum mu it uses that the gradient's part reaches the weights
    1/(1 - mu) times, which holds when the weights change little within 1/(1 - mu) steps.

    Args:
        strength: >= 0.
        peak_lr: learning rate at the top of its schedule; needed for independent and constant only.
        momentum: SGD's mu (torch's convention, no dampening), in [0, 1); matters between the two families only.
        adaptive: the optimizer divides the gradient coordinate by coordinate (Adam, RMSprop, Adagrad).

    Raises:
        UsageError: a bad value, a missing peak_lr, or a conversion between the families for an adaptive optimizer:
            there the L2 term is divided by each coordinate's own gradient size, and no single number undoes that.
    """
    check_coupling(source)
    check_coupling(target)
    _check(strength, peak_lr, momentum)
    if source == target:
        return strength
    if peak_lr is None and (source in _BY_PEAK) != (target in _BY_PEAK):
        raise UsageError(f"peak_lr is needed to convert from {source} to {target}: one of them does not scale with lr")
    crosses = (source in IN_GRADIENT) != (target in IN_GRADIENT)
    if crosses and adaptive:
        raise UsageError(
            f"no factor converts {source} to {target} in an adaptive optimizer, which divides the L2 term by each "
            "coordinate's gradient size; keep the family, or tune the strength again"
        )
    scale = _per_decoupled(target, peak_lr) / _per_decoupled(source, peak_lr)
    if crosses:
        scale *= 1 - momentum if target in IN_GRADIENT else 1 / (1 - momentum)
    return strength * scale


def _per_decoupled(coupling: Coupling, peak_lr: float | None) -> float:
    """The strength in this coupling that equals a decoupled strength of 1 (without momentum, at lr = peak_lr)."""
    if coupling == "textbook":
        return 0.5
    return (peak_lr if peak_lr is not None else 1.0) if coupling in _BY_PEAK else 1.0


def shrink(coupling: Coupling, strength: float, lr: float, peak_lr: float) -> float:
    """The part of a weight that one step takes away, in one of the four decoupled couplings."""
    if coupling == "decoupled":
        return lr * strength
    if coupling == "independent":
        return lr / peak_lr * strength
    if coupling == "constant":
        return strength
    if coupling == "corrected":
        return lr * (lr / peak_lr) * strength
    raise UsageError(f"{coupling} acts through the gradient and has no shrink of its own; convert() it first")


def timescale(
    lr: float,
    weight_decay: float,
    steps_per_epoch: int,
    *,
    coupling: Coupling = "decoupled",
    peak_lr: float | None = None,
    momentum: float = 0.0,
) -> float:
    """Epochs over which weights forget: tau = 1 / (lr * weight_decay * steps_per_epoch); inf where nothing decays.

    With decoupled decay the weights are an exponential moving average of the updates / weight_decay, and tau is its
    time constant (Wang & Aitchison, arXiv 2405.13698): far above the length of training, decay does nothing;
    far below one epoch, the weights forget data they have seen. With a schedule, lr is its mean.

    `momentum` is SGD's, for textbook and l2 only; `peak_lr` defaults to lr.
    """
    if not 0 < lr < math.inf:
        raise UsageError(f"lr must be a finite number > 0, got {lr!r}")
    if steps_per_epoch < 1:
        raise UsageError(f"steps_per_epoch must be at least 1, got {steps_per_epoch!r}")
    peak = lr if peak_lr is None else peak_lr
    check_coupling(coupling)
    if coupling in IN_GRADIENT:
        rate = shrink("decoupled", convert(weight_decay, coupling, "decoupled", momentum=momentum), lr, peak)
    else:
        _check(weight_decay, peak, momentum)
        rate = shrink(coupling, weight_decay, lr, peak)
    return 1 / (rate * steps_per_epoch) if rate > 0 else math.inf


def weight_decay_for(epochs: float, lr: float, steps_per_epoch: int) -> float:
    """The decoupled weight decay whose timescale is this many epochs: the inverse of timescale()."""
    if not 0 < epochs < math.inf:
        raise UsageError(f"epochs must be a finite number > 0, got {epochs!r}")
    return timescale(lr, 1.0, steps_per_epoch) / epochs


def check_coupling(name: str) -> None:
    """Raise UsageError, with the nearest right word, if there is no such coupling."""
    if name not in COUPLINGS:
        raise UsageError(f"there is no coupling {name!r}.{did_you_mean(name, COUPLINGS)}")


def _check(strength: float, peak_lr: float | None, momentum: float) -> None:
    if not 0 <= strength < math.inf:
        raise UsageError(f"strength must be a finite number >= 0, got {strength!r}")
    if peak_lr is not None and not 0 < peak_lr < math.inf:
        raise UsageError(f"peak_lr must be a finite number > 0, got {peak_lr!r}")
    if not 0 <= momentum < 1:
        raise UsageError(f"momentum must be in [0, 1), got {momentum!r}")
