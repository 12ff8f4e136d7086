"""What a search of a policy leaves behind as data; `result.json` is this, schema 1."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from gapless.evidence.result import Interval, Reading, VerdictWord
from gapless.policies.guard import Guarded
from gapless.policies.searchers import Tried

Answer = VerdictWord | Literal["none"]


@dataclass(frozen=True)
class Rival:
    """One side of the verdict. score: mean over the seeds on confirm. over_none: its score minus that without
    augmentation; learned_over: the learned policy's minus its own; paired by seed and row; None for itself, and where
    nothing was learned."""

    name: str
    what: str
    score: float
    seeds: tuple[float, ...]
    recipe: dict[str, Any]
    over_none: Interval | None
    learned_over: Interval | None


@dataclass(frozen=True)
class Costs:
    """In full trainings of the model: what settled learning rate and length, the search, the choice of controls, and
    the verdict."""

    settling: float
    search: float
    controls: float
    verdict: float


@dataclass(frozen=True)
class PolicyResult:
    """What was found.

    verdict: of the learned policy against no augmentation; `none` where the search itself found nothing better than
    none, or the guard left nothing to draw from. gain: its interval, zeros for `none`. search_gain: learned minus a
    random policy from the same table, on the same seeds. policy: what is handed back, as a recipe's part: the learned
    one where it improved. learned: what the search ended with. chosen_gain: fall of the loss on the rows that chose it.
    """

    task: str
    kind: str
    metric: str
    rows: int
    confirm: int
    classes: int
    model: str
    method: str
    words: str
    verdict: Answer
    gain: Interval
    search_gain: Interval | None
    policy: dict[str, Any]
    learned: dict[str, Any]
    chosen_gain: float | None
    rivals: tuple[Rival, ...]
    guard: tuple[Guarded, ...]
    guarded: bool
    tried: tuple[Tried, ...]
    costs: Costs
    epochs: int
    lr: float
    seconds: float
    minutes: float
    seed: int
    data: str
    reading: Reading
    versions: dict[str, str]
    schema: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def rival(self, name: str) -> Rival | None:
        return next((r for r in self.rivals if r.name == name), None)
