"""A learned policy in words: what it gives, what the search earned, what it cost."""

from __future__ import annotations

from gapless.evidence.result import Interval
from gapless.metrics import METRICS
from gapless.policies.outcome import PolicyResult, Rival
from gapless.report.figures import Figures, count, duration, one_line

SHOWN = 300
"""Characters of a policy in a line."""


def lines(result: PolicyResult) -> list[str]:
    """The verdict in a few lines: what was learned, what it gives, what the search earned, what it cost."""
    f = figures(result)
    found = [headline(result, f)]
    if result.rivals:
        where = f"{count(result.confirm, rows_are(result))} kept aside until the end"
        found.append(f"Measured once on {where}, {count(len(result.rivals[0].seeds), 'seeds')} each.")
    found += earned(result, f)
    found += [against(result, f)] if against(result, f) else []
    if result.words:
        found.append(f"What the search ended with: {one_line(result.words, SHOWN)}.")
    found.append(ranges(result))
    found.append(cost(result))
    return found


def figures(result: PolicyResult) -> Figures:
    return Figures(result.metric, 1 if METRICS[result.metric].share else 3)


def rows_are(result: PolicyResult) -> str:
    return "texts" if result.kind == "text" else "pictures"


def headline(result: PolicyResult, f: Figures) -> str:
    """The verdict and both scores."""
    if result.verdict == "none":
        why = (
            "nothing that the search tried was better than no augmentation on rows held back"
            if any(g.high > 0 for g in result.guard)
            else "the guard leaves no operation to draw from: each changes labels, or nothing, on this data. With "
            "--no-guard they are searched all the same"
        )
        return f"None: no policy for {result.task}; {why}."
    said = {
        "improved": "Improved on",
        "no detectable gain": "No detectable gain on",
        "worse": "Worse on",
    }[result.verdict]
    learned, none = result.rival("learned policy"), result.rival("no augmentation")
    assert learned is not None
    assert none is not None
    span = f"95 % interval {f.span(result.gain)}"
    scores = f"the learned policy gets {f.score(learned.score)}, no augmentation {f.score(none.score)}"
    handed = "" if result.verdict == "improved" else " Nothing is handed back: policy.toml is empty."
    return f"{said} {result.task}: {scores}; {f.change(result.gain.mean)}, {span}.{handed}"


def earned(result: PolicyResult, f: Figures) -> list[str]:
    """What the search itself earned over a random policy from the same table; nothing where nothing was learned."""
    gain = result.search_gain
    if gain is None:
        return []
    if gain.low > 0:
        means = "the search was worth it"
    elif gain.high < 0:
        means = "a random policy is better"
    else:
        means = "no detectable difference: a random policy may do as well"
    return [
        f"What the search itself earned over a random policy from the same table: {_span(gain, f)}; {means}.",
    ]


def _span(gain: Interval, f: Figures) -> str:
    return f"{f.change(gain.mean)} ({f.span(gain)})"


def against(result: PolicyResult, f: Figures) -> str:
    """The learned policy, or where there is none no augmentation, beside the other controls."""
    others = [r for r in result.rivals if r.name not in ("no augmentation", "learned policy", "random policy")]
    if result.search_gain is not None:
        told = [f"{_called(r)} {_span(r.learned_over, f)}" for r in others if r.learned_over]
        return f"Learned minus others: {'; '.join(told)}."
    told = [f"{_called(r)} {_span(r.over_none, f)}" for r in others if r.over_none]
    return f"Others minus no augmentation: {'; '.join(told)}." if told else ""


def _called(rival: Rival) -> str:
    best = rival.what.partition(",")[0]
    return f"{rival.name} ({rival.what})" if "best of" in rival.what else f"{rival.name}" if best else rival.name


def ranges(result: PolicyResult) -> str:
    """The guard's ranges, in a line."""
    kept = [f"{g.op} to {g.high:.3g} {g.unit}" if g.unit != "on" else g.op for g in result.guard if g.high > 0]
    out = [g.op for g in result.guard if not g.high and not g.why]
    still = [g.op for g in result.guard if g.why]
    head = "Labels survive" if result.guarded else "Not guarded"
    parts = [f"{head}: {', '.join(kept) or 'nothing'}"]
    parts += [f"they do not: {', '.join(out)}"] if out else []
    parts += [f"without effect here: {', '.join(still)}"] if still else []
    return "; ".join(parts) + "."


def cost(result: PolicyResult) -> str:
    """In full trainings."""
    c = result.costs
    return (
        f"Cost in full trainings of {count(result.epochs, 'epochs')}: {c.settling:.1f} to settle the learning rate, "
        f"{c.search:.1f} the search ({result.method}), {c.controls:.1f} the choice of controls, {c.verdict:.1f} the "
        f"verdict; {duration(result.seconds)} in all."
    )


def provenance(result: PolicyResult) -> str:
    """What stands above a policy that is handed on."""
    told = [
        f"Learned by gapless {result.versions['gapless']} on {result.task}, {result.rows} rows, data {result.data}.",
        f"Method {result.method}, seed {result.seed}, {result.minutes:g} minutes, model {result.model}.",
        f"Verdict on {result.confirm} rows kept aside: {result.verdict}.",
    ]
    if result.verdict not in ("none", "improved"):
        told.append("So nothing is handed back; what the search ended with is `learned` in result.json.")
    return "\n".join(one_line(line) for line in told)
