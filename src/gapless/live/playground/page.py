"""The playground's site: the page and the door behind it."""

from __future__ import annotations

from dataclasses import asdict

from gapless.data import Task
from gapless.live.playground.challenges import CHALLENGES
from gapless.live.playground.looks import SIDE
from gapless.live.playground.settings import Settings
from gapless.live.playground.training import Stage
from gapless.live.playground.worlds import REACH
from gapless.live.render import served
from gapless.live.server import Site
from gapless.report.figures import one_line

NAMES = {"moons": "two moons", "circles": "two circles", "spirals": "two spirals", "digits": "digits, 8 x 8 pixels"}
PILLARS = ("hidden", "input", "batchnorm", "decay", "jitter", "rotate", "scale", "shift", "mixup", "smoothing")


def site(stage: Stage) -> Site:
    """The playground. stage: where its networks train."""
    own = stage.own
    facts = {
        "own": None if own is None else own.kind,
        "side": SIDE,
        "reach": REACH,
        "pillars": PILLARS,
        "defaults": Settings().model_dump(),
        "challenges": [asdict(c) for c in CHALLENGES],
    }
    data = [*NAMES.items(), *([] if own is None else [("own", _called(own))])]
    values = {"data": data, "opens": "moons" if own is None else "own", "challenges": CHALLENGES}
    return served("playground.html.j2", "playground.js", facts, values, {"/train": stage.train})


def _called(own: Task) -> str:
    return f"your own: {one_line(own.name, 40)}"
