"""The words of a report, each explained in a sentence, for the section in which it stands."""

from __future__ import annotations

from gapless.metrics import METRICS
from gapless.report.content import Content
from gapless.report.parts import shares

_GAP = (
    ("gap", "the score on the rows a model was trained on, minus its score on new ones: what it learned by heart"),
    (
        "95 % interval",
        "where the true value lies in 95 of 100 such runs; where it holds zero, there may be no difference at all",
    ),
    ("seed", "a number that decides every random draw of a training; another seed gives another, equally good model"),
    ("sd", "standard deviation: how far the seeds lie from their mean"),
)
_PILLARS = {
    "dropout": ("dropout", "leaves out random parts of the network at each step, so that none relies on another"),
    "batchnorm": (
        "batch norm",
        "standardises what a layer gives by mean and spread of the batch, which steadies and speeds training",
    ),
    "decay": ("weight decay", "pulls weights towards zero at each step, so that only what helps stays large"),
    "augment": ("augmentation", "shows varied training rows, such as turned pictures, and leaves their meaning alone"),
}
_OPS = {
    "mixup": ("mixup", "trains on blends of two rows, and of their labels"),
    "cutmix": ("cutmix", "pastes a piece of one picture into another, and blends their labels by area"),
    "label_smoothing": ("label smoothing", "asks for a little less than certainty of the true class"),
    "pick": ("pick 1", "one of the operations is drawn for each picture, instead of all in turn"),
}
_SEARCH = (
    ("preset", "a recipe that comes with gapless; strong, light, classic and norm are such"),
    ("split", "one way of dividing the development rows into those that train and those that rank"),
    ("epoch", "once through all training rows; a batch is what one step learns from"),
    ("learning rate", "how far a step moves the weights"),
)


def glossary(content: Content) -> dict[str, list[tuple[str, str]]]:
    """The words that stand in a section of this report, by the section's name."""
    metric, part = METRICS[content.result.metric.name], content.result.best.recipe.get("augment", {})
    names = [share.name for share in shares(content)]
    pillars = list(_PILLARS.values()) if content.plain_won else [_PILLARS[n] for n in names if n in _PILLARS]
    return {
        "gap": [*_GAP, *([(metric.name, metric.means)] if metric.means else [])],
        "pillars": [*pillars, *(word for name, word in _OPS.items() if part.get(name))],
        "trials": list(_SEARCH),
    }
