"""Recipes for property tests: anything that the checks of a recipe let through."""

from hypothesis import strategies as st

from gapless.augment import text
from gapless.augment.image import OPS, Step
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Op, Recipe

shares = st.just(0.0) | st.floats(0, 1, exclude_max=True)
tens = st.just(0.0) | st.floats(0, 10)


@st.composite
def image_ops(draw: st.DrawFn) -> Op:
    """Any op of the engine with a strength it accepts."""
    op = OPS[draw(st.sampled_from(sorted(OPS)))]
    if op.law == "uniform":
        strength = draw(st.floats(op.weak, op.strong))
    else:
        strength = float(draw(st.integers(int(op.weak), int(op.strong))))
    return Op(op=op.name, strength=strength, p=draw(st.just(1.0) | st.floats(0, 1, exclude_min=True)))


@st.composite
def text_ops(draw: st.DrawFn) -> Op:
    """Any op on texts with a strength it accepts; but one that puts in another text, which must be first."""
    op = text.OPS[draw(st.sampled_from(sorted(name for name, op in text.OPS.items() if not op.whole_text)))]
    if op.law == "share":
        strength = draw(st.floats(op.weak, op.strong))
    else:
        strength = float(draw(st.integers(int(op.weak), int(op.strong))))
    return Op(op=op.name, strength=strength, p=draw(st.just(1.0) | st.floats(0, 1, exclude_min=True)))


dropouts = st.builds(Dropout, hidden=shares, channel=shares, input=shares, embedding=shares, word=shares)
decays = st.builds(Decay, strength=tens, on=st.sampled_from(["weights", "everything"]))


@st.composite
def drawn_ops(draw: st.DrawFn) -> dict[str, object]:
    """Ops, and how many of them are picked: not where one of them resizes, for that is for all pictures or none."""
    ops = tuple(draw(st.lists(image_ops(), max_size=4)))
    resizes = any(Step(o.op, o.strength, o.p).resizes for o in ops)
    return {"ops": ops, "pick": None if resizes else draw(st.none() | st.integers(1, 10))}


@st.composite
def drawn_text_ops(draw: st.DrawFn) -> dict[str, object]:
    """Ops on texts, and how many of them are picked."""
    return {"ops": tuple(draw(st.lists(text_ops(), max_size=4))), "pick": draw(st.none() | st.integers(1, 10))}


def _augment(drawn: dict[str, object], **others: object) -> Augment:
    return Augment.model_validate({**drawn, **others})


def _augments(
    drawn: st.SearchStrategy[dict[str, object]], **others: st.SearchStrategy[float]
) -> st.SearchStrategy[Augment]:
    return st.builds(
        _augment,
        drawn=drawn,
        fill=st.sampled_from(["black", "gray", "edge", "reflect"]),
        mixup=tens,
        cutmix=tens,
        label_smoothing=shares,
        noise=tens,
        **others,
    )


augments = _augments(drawn_ops())
"""Augmentation of pictures or tables."""
recipes = st.builds(
    Recipe,
    dropout=dropouts,
    batchnorm=st.builds(BatchNorm, insert=st.booleans()),
    decay=decays,
    augment=augments | _augments(drawn_text_ops(), cutoff=shares),
)
