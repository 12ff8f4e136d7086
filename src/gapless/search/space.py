"""What can be turned in a recipe: one knob for each strength, each with its "off"."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gapless.augment.image.ops import OPS as IMAGE_OPS
from gapless.augment.prior import Prior
from gapless.augment.text.ops import OPS as TEXT_OPS
from gapless.recipe import Augment, Decay, Dropout, Op, Recipe


@dataclass(frozen=True)
class Rates:
    """The notches of the learning rate in a search, and the two where the search for it begins; it climbs from there.

    They span three powers of ten: batch norm may bear 10 to 100 times what a plain model does.
    """

    notches: tuple[float, ...]
    first: tuple[float, float]


RATES = {
    "adamw": Rates((1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1), (3e-3, 1e-2)),
    "sgd": Rates((1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0), (3e-2, 1e-1)),
}

OFF = -0.5
"""Positions of a knob run from here to 1; below 0 the knob is off, so that a third of all draws switch it off."""


@dataclass(frozen=True)
class Knob:
    """One strength in a recipe.

    low, high: the prior's range in the knob's own unit. log: whether it is drawn on a logarithmic scale.
    usual: the strength when it is switched on in a recipe that had it off.
    read: the strength in a recipe, 0 for off. write: the recipe with another strength.
    """

    name: str
    pillar: str
    low: float
    high: float
    usual: float
    read: Callable[[Recipe], float]
    write: Callable[[Recipe, float], Recipe]
    log: bool = False

    def value(self, position: float) -> float:
        """The strength at a position in [OFF, 1]."""
        if position < 0:
            return 0.0
        if self.log:
            return self.low * (self.high / self.low) ** position
        return self.low + (self.high - self.low) * position

    def position(self, value: float) -> float:
        """The position of a strength; the middle of the "off" range for 0, the ends for what lies beyond them."""
        if value <= 0:
            return OFF / 2
        if self.log:
            place = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            place = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, place))


def _field(
    pillar: str, part: type[Dropout | Decay | Augment], field: str
) -> tuple[Callable[..., float], Callable[..., Recipe]]:
    def read(recipe: Recipe) -> float:
        return float(getattr(recipe.part(pillar), field) or 0.0)

    def write(recipe: Recipe, value: float) -> Recipe:
        return recipe.replace(pillar, recipe.part(pillar).model_copy(update={field: _round(value)}))

    assert field in part.model_fields
    return read, write


def _norm() -> tuple[Callable[..., float], Callable[..., Recipe]]:
    def read(recipe: Recipe) -> float:
        return float(recipe.batchnorm.insert)

    def write(recipe: Recipe, value: float) -> Recipe:
        return recipe.replace("batchnorm", recipe.batchnorm.model_copy(update={"insert": value > 0}))

    return read, write


def _pick() -> tuple[Callable[..., float], Callable[..., Recipe]]:
    def read(recipe: Recipe) -> float:
        return float(recipe.augment.pick or 0)

    def write(recipe: Recipe, value: float) -> Recipe:
        pick = max(1, round(value)) if value > 0 else None
        ops = recipe.augment.ops
        if pick != 1:
            first = [o for o in ops if o.op in _WHOLE][:1] if pick is None else []
            ops = (*first, *(o for o in ops if o.op not in _WHOLE))
        return recipe.replace("augment", recipe.augment.model_copy(update={"ops": ops, "pick": pick}))

    return read, write


_WHOLE = frozenset(op.name for op in TEXT_OPS.values() if op.whole_text)
"""Operations that put in another text. One of them stands first; with one, pick is off or 1, with two it is 1. Where a
knob that is turned breaks this, the knob has its way and the other side yields."""


def _whole(name: str) -> tuple[Callable[..., float], Callable[..., Recipe]]:
    """The p of an operation that puts in another text."""
    read, _ = _ops(name, chance=True)

    def write(recipe: Recipe, value: float) -> Recipe:
        part, value = recipe.augment, _round(value)
        others = tuple(o for o in part.ops if o.op != name)
        update: dict[str, object] = {"ops": others}
        if value > 0:
            alone = part.pick is None and not any(o.op in _WHOLE for o in others)
            update = {"ops": (Op(op=name, strength=1.0, p=value), *others), "pick": None if alone else 1}
        return recipe.replace("augment", part.model_copy(update=update))

    return read, write


def _ops(*names: str, chance: bool = False) -> tuple[Callable[..., float], Callable[..., Recipe]]:
    """The strength of ops that go together (both directions of a shift); with `chance` the knob is their p."""

    def read(recipe: Recipe) -> float:
        found = [o for o in recipe.augment.ops if o.op in names]
        return max((o.p if chance else o.strength for o in found), default=0.0)

    def write(recipe: Recipe, value: float) -> Recipe:
        part, value = recipe.augment, _round(value)
        ops = {o.op: o for o in part.ops}
        for name in names:
            if value <= 0:
                ops.pop(name, None)
            elif chance:
                ops[name] = Op(op=name, strength=1.0, p=value)
            else:
                ops[name] = Op(op=name, strength=value, p=ops[name].p if name in ops else 1.0)
        return recipe.replace("augment", part.model_copy(update={"ops": tuple(ops.values())}))

    return read, write


def _declared(ops: Iterable[tuple[str, Prior | None]]) -> Iterator[Knob]:
    """A knob for each prior that operations were declared with; operations of one prior share it."""
    names: dict[Prior, list[str]] = {}
    for name, prior in ops:
        if prior is not None:
            names.setdefault(prior, []).append(name)
    for prior, found in names.items():
        access = _whole(*found) if _WHOLE.issuperset(found) else _ops(*found, chance=prior.chance)
        yield Knob(prior.knob, "augment", prior.low, prior.high, prior.usual, *access, log=prior.log)


def _round(value: float) -> float:
    """Two significant digits: a recipe is for people to read, and no search resolves more."""
    return float(f"{value:.2g}")


_SHARED = (
    Knob("dropout", "dropout", 0.02, 0.6, 0.2, *_field("dropout", Dropout, "hidden")),
    Knob("batch norm", "batchnorm", 0.5, 1.0, 1.0, *_norm()),
    Knob("decay", "decay", 1e-3, 1.0, 0.05, *_field("decay", Decay, "strength"), log=True),
    Knob("mixup", "augment", 0.05, 1.0, 0.2, *_field("augment", Augment, "mixup")),
    Knob("label smoothing", "augment", 0.02, 0.2, 0.1, *_field("augment", Augment, "label_smoothing")),
)
KNOBS: Mapping[str, tuple[Knob, ...]] = {
    "image": (
        *_SHARED,
        Knob("channel dropout", "dropout", 0.02, 0.4, 0.1, *_field("dropout", Dropout, "channel")),
        *_declared((op.name, op.prior) for op in IMAGE_OPS.values()),
        Knob("cutmix", "augment", 0.1, 1.0, 0.5, *_field("augment", Augment, "cutmix")),
        Knob("pick", "augment", 1.0, 3.0, 1.0, *_pick()),
    ),
    "text": (
        *_SHARED,
        Knob("embedding dropout", "dropout", 0.02, 0.7, 0.3, *_field("dropout", Dropout, "embedding")),
        Knob("word dropout", "dropout", 0.02, 0.4, 0.1, *_field("dropout", Dropout, "word")),
        Knob("cutoff", "augment", 0.05, 0.4, 0.1, *_field("augment", Augment, "cutoff")),
        *_declared((op.name, op.prior) for op in TEXT_OPS.values() if not op.whole_text),
        Knob("pick", "augment", 1.0, 3.0, 1.0, *_pick()),
        # after the pick: they are drawn as often as the others, and the pick yields
        *_declared((op.name, op.prior) for op in TEXT_OPS.values() if op.whole_text),
    ),
    "table": (
        *_SHARED,
        Knob("input dropout", "dropout", 0.02, 0.4, 0.1, *_field("dropout", Dropout, "input")),
        Knob("noise", "augment", 0.02, 0.5, 0.1, *_field("augment", Augment, "noise")),
    ),
}
PARAPHRASED: Mapping[str, str] = {op.prior.knob: op.name for op in TEXT_OPS.values() if op.whole_text and op.prior}
"""Knobs of operations that pick from paraphrases, which the task must have for them."""
_FOR_CLASSES = {"label smoothing"}
"""Knobs that mean nothing for a regression."""


def knobs(kind: str, classes: int) -> tuple[Knob, ...]:
    """The knobs for a kind of data."""
    return tuple(k for k in KNOBS[kind] if classes or k.name not in _FOR_CLASSES)


def fit(recipe: Recipe, kind: str, classes: int) -> Recipe:
    """The recipe without what this kind of task has no use for."""
    if not classes and recipe.augment.label_smoothing:
        return recipe.replace("augment", recipe.augment.model_copy(update={"label_smoothing": 0.0}))
    return recipe


@dataclass(frozen=True)
class Move:
    """A recipe and learning rate one step away from another, and how to call the step."""

    name: str
    recipe: Recipe
    lr: float


def moves(recipe: Recipe, lr: float, knobs: tuple[Knob, ...], rates: Rates) -> Iterator[Move]:
    """All that is one step away: learning rate up or down, a pillar off, stronger or weaker, a knob off or on."""
    for name, rate in (("higher learning rate", lr * 1.8), ("lower learning rate", lr / 1.8)):
        if rates.notches[0] <= rate <= rates.notches[-1]:
            yield Move(name, recipe, _round(rate))
    for pillar in recipe.pillars():
        for word, factor in (("weaker", 0.6), ("stronger", 1.6)):
            scaled = _scaled(recipe, pillar, factor, knobs)
            if scaled != recipe:
                yield Move(f"{pillar} {word}", scaled, lr)
        yield Move(f"{pillar} off", recipe.without(pillar), lr)
    for knob in knobs:
        word, value = ("on", knob.usual) if knob.read(recipe) <= 0 else ("off", 0.0)
        turned = tidy(knob.write(recipe, value))
        if turned != recipe:
            yield Move(f"{knob.name} {word}", turned, lr)


def tidy(recipe: Recipe) -> Recipe:
    """The recipe without a pick where there is nothing to pick from: it would be the same one under another name."""
    part = recipe.augment
    if part.ops or part.pick is None:
        return recipe
    return recipe.replace("augment", part.model_copy(update={"pick": None}))


def _scaled(recipe: Recipe, pillar: str, factor: float, knobs: tuple[Knob, ...]) -> Recipe:
    for knob in knobs:
        value = knob.read(recipe)
        if knob.pillar == pillar and value > 0 and knob.name not in ("batch norm", "pick", "flip"):
            recipe = knob.write(recipe, min(max(value * factor, knob.low), max(knob.high, value)))
    return recipe


def summary(recipe: Recipe, knobs: tuple[Knob, ...]) -> str:
    """The recipe in a few words: `batch norm, decay 0.05, rotate 15`; `plain` when it is empty."""
    words: list[str] = []
    for knob in knobs:
        value = knob.read(recipe)
        if value > 0:
            words.append(knob.name if knob.name == "batch norm" else f"{knob.name} {value:.2g}")
    return ", ".join(words) or "plain"
