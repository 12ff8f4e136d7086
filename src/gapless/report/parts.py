"""What each pillar of the best recipe gave, in words: its share of the gain, alone, without, and pairs of pillars."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.evidence.result import Interval, Synergy
from gapless.report.content import Content
from gapless.report.figures import Figures, one_line

WORDS = {"dropout": "dropout", "batchnorm": "batch norm", "decay": "weight decay", "augment": "augmentation"}
LEVEL = 0.05
"""Below it a corrected p-value is no chance."""


@dataclass(frozen=True)
class Share:
    """What one pillar of the best recipe gave.

    gave: its Shapley value; where not all subsets were trained what the recipe loses without it; None: not measured.
    alone: the plain model with it minus without it. lost: the recipe with it minus without it. p: of nothing.
    failed: why the recipe could not be trained without it, with some or all seeds.
    """

    name: str
    gave: Interval | None
    failed: str = ""
    alone: Interval | None = None
    lost: Interval | None = None
    p: float = 1.0

    @property
    def words(self) -> str:
        return words(self.name)

    @property
    def effect(self) -> str:
        """`helps`, `hurts`, `may be nothing`, `cannot be left out` or `not measured`, all pillars counted."""
        if self.lost is None and self.failed:
            return "cannot be left out"
        if self.gave is None:
            return "not measured"
        if self.p > LEVEL:
            return "may be nothing"
        return "helps" if self.gave.mean > 0 else "hurts"


def words(pillar: str) -> str:
    return WORDS.get(pillar, one_line(pillar, 60))


def shares(content: Content) -> list[Share]:
    """The pillars of the best recipe: those that nothing trains without, what gave most, what was not measured."""
    found: list[Share] = []
    for p in content.result.pillars:
        lost = p.without and Interval(0.0 - p.without.mean, 0.0 - p.without.high, 0.0 - p.without.low)
        found.append(Share(p.name, p.shapley or lost, p.failed, p.alone, lost, p.p))
    order = {"cannot be left out": 0, "not measured": 2}
    return sorted(found, key=lambda s: (order.get(s.effect, 1), -s.gave.mean if s.gave else 0.0))


def complete(content: Content) -> bool:
    """Whether all subsets of the pillars were trained."""
    return all(p.shapley for p in content.result.pillars)


def line(content: Content, f: Figures) -> str:
    """All of it in one line for the terminal."""
    found = shares(content)
    if content.plain_won or not found:
        return "Pillars: " + told(content, f)[0]
    if complete(content):
        shared = (_shared(s, f, alone=len(found) == 1) for s in found)
        return f"What each pillar gave: {'; '.join(shared)}."
    return f"What the recipe loses without each pillar: {'; '.join(_lost(s, f) for s in found)}."


def _shared(share: Share, f: Figures, alone: bool) -> str:
    assert share.gave is not None
    ends = ""
    if share.alone is not None and share.lost is not None and not alone:
        ends = f"; alone {f.signed(share.alone.mean)}, the recipe without it {f.signed(-share.lost.mean)}"
    return f"{share.words} {f.change(share.gave.mean)} ({f.span(share.gave)}{_doubt(share)}{ends})"


def _lost(share: Share, f: Figures) -> str:
    if share.lost is None:
        return f"{share.words} {unmeasured(share)}"
    alone = "" if share.alone is None else f"; alone it gives {f.signed(share.alone.mean)}"
    return f"{share.words} {f.size(share.lost.mean)} ({f.span(share.lost)}{_doubt(share)}{alone})"


def _doubt(share: Share) -> str:
    return f", {share.effect}" if share.effect == "may be nothing" else ""


def unmeasured(share: Share) -> str:
    """Why there is no number for a pillar: without it training fails, or there was no time."""
    if share.failed:
        return f"cannot be left out: without it training fails ({one_line(share.failed, 80)})"
    return "not measured (no time left)"


def told(content: Content, f: Figures) -> list[str]:
    """How the pillars of the best recipe add up; one sentence for each thing worth knowing."""
    found = shares(content)
    if content.plain_won:
        return ["The plain model uses none of the four pillars."]
    if not found:
        return ["No pillar was switched off on its own: the recipe was only measured as a whole."]
    lines = _sums(content, found, f)
    if off := [w for name, w in WORDS.items() if name not in {s.name for s in found}]:
        lines.append(f"Off in the best recipe: {', '.join(off)}.")
    return lines


def _sums(content: Content, found: list[Share], f: Figures) -> list[str]:
    if len(found) == 1 and complete(content):
        return ["It is the only pillar of the recipe: what it gave is the gain."]
    if complete(content):
        total = sum(s.gave.mean for s in found if s.gave)
        return [
            f"Together they make {f.change(total)}. Each pillar's part is its Shapley value: what it adds to those on "
            "already, averaged over all orders of switching them on. Helps and hurts count that several were tested "
            "(Holm).",
            *(_together(s, f) for s in content.result.synergies if s.p <= LEVEL),
        ]
    lines: list[str] = []
    measured = [s.lost for s in found if s.lost is not None]
    if len(measured) == len(found) > 1:
        total, gain = sum(g.mean for g in measured), content.result.gain.mean
        meaning = (
            "what one does, another can partly do" if total < gain else "each does more beside the others than alone"
        )
        lines.append(
            f"Taken out one at a time they cost {f.size(total)} in sum; the whole recipe gives {f.change(gain)}. "
            f"Read it as a hint, for the intervals are wide: {meaning}."
        )
    lines.append(_missing(content))
    return lines


def _missing(content: Content) -> str:
    """Why the gain is not divided among the pillars."""
    said = "What the recipe loses without a pillar is not what this pillar gave, "
    if failed := content.result.untrainable:
        which = "; ".join(" and ".join(words(p) for p in subset) for subset in failed)
        return f"{said}and the gain cannot be divided among them: training fails with {which} alone."
    return (
        f"{said}and there was no time to train all subsets of the pillars. The same command with more --minutes and "
        "the same --out goes on with them."
    )


def _together(synergy: Synergy, f: Figures) -> str:
    one, other = (words(p) for p in synergy.pillars)
    span = f"{f.size(abs(synergy.value.mean))} ({f.span(synergy.value)})"
    if synergy.value.mean > 0:
        return f"{one.capitalize()} and {other} give {span} more together than apart."
    return f"{one.capitalize()} and {other} partly do the same: together they give {span} less than apart."


def chart(content: Content, f: Figures) -> str:
    """What the chart shows, in a sentence, for those who do not see it."""
    parts = [f"{s.words} {f.change(s.gave.mean)}, {f.span(s.gave)}" for s in shares(content) if s.gave]
    return f"{title(content)}, with 95 % intervals: {'; '.join(parts)}."


def title(content: Content) -> str:
    return "What each pillar gave" if complete(content) else "What the recipe loses without each pillar"
