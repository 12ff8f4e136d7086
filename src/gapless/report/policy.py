"""A learned policy in words and as a page, and the files of its run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from gapless.augment.image import Policy
from gapless.augment.text import policy_toml as texts
from gapless.diagnose.examples import Samples
from gapless.evidence.result import Interval
from gapless.files import write_atomically
from gapless.metrics import METRICS
from gapless.policies.guard import Guarded
from gapless.policies.outcome import PolicyResult, Rival
from gapless.policies.searchers import BATCH
from gapless.recipe import Recipe
from gapless.report.drawing import charts, pictures
from gapless.report.drawing.svg import draw
from gapless.report.figures import Figures, count, duration, one_line
from gapless.report.html import asset, environment, policy

SHOWN = 300
"""Characters of a policy in a line."""


def lines(result: PolicyResult) -> list[str]:
    """The verdict in a few lines: what was learned, what it gives, what the search earned, what it cost."""
    f = _figures(result)
    found = [headline(result, f)]
    if result.rivals:
        where = f"{count(result.confirm, _rows(result))} kept aside until the end"
        found.append(f"Measured once on {where}, {count(len(result.rivals[0].seeds), 'seeds')} each.")
    found += earned(result, f)
    found += [against(result, f)] if against(result, f) else []
    if result.words:
        found.append(f"What the search ended with: {one_line(result.words, SHOWN)}.")
    found.append(ranges(result))
    found.append(cost(result))
    return found


def _figures(result: PolicyResult) -> Figures:
    return Figures(result.metric, 1 if METRICS[result.metric].share else 3)


def _rows(result: PolicyResult) -> str:
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


def write(folder: Path, result: PolicyResult, samples: Samples | None, command: str) -> None:
    """policy.toml, recipe.toml, result.json and report.html in the run's folder.

    Raises:
        DataError: the disk is full.
    """
    recipe = Recipe.from_dict(result.policy)
    files = {
        "policy.toml": policy_text(result),
        "recipe.toml": recipe.to_toml(provenance(result)),
        "result.json": json.dumps(result.to_json(), indent=1, allow_nan=False) + "\n",
        "report.html": page(result, samples, command),
    }
    for name, content in files.items():
        write_atomically(folder / name, content.encode())


def policy_text(result: PolicyResult) -> str:
    """The policy that is handed back, as `gapless augment preview` and `Policy.load` read it."""
    part = Recipe.from_dict(result.policy).augment
    above = "".join(f"# {line}\n" for line in provenance(result).splitlines())
    if result.kind == "text":
        return above + texts.dumps(part.text_policy())
    found: Policy = part.policy()
    return above + found.to_toml()


# ── the page ──


def page(result: PolicyResult, samples: Samples | None, command: str) -> str:
    """The page. The same result gives the same bytes."""
    f = Figures(result.metric, _figures(result).digits, minus="−", space="\u00a0")
    style, script = asset("report.css"), asset("report.js")
    told = " ".join([headline(result, f), *earned(result, f)])
    drawn: dict[str, Markup] = {}
    over = [(r.name, r.over_none) for r in result.rivals if r.over_none]
    if over:
        drawn["rivals"] = draw(charts.compared(over, "change against no augmentation", f), told)
    if result.tried:
        gains = [t.gain for t in result.tried]
        said = "What each policy of the search gained on rows held back, in the order of the search."
        drawn["tried"] = draw(charts.traced(gains, _chance(result, gains)), said)
    return (
        environment()
        .get_template("policy.html.j2")
        .render(
            r=result,
            f=f,
            policy=policy(style, script),
            style=Markup(style),
            script=Markup(script),
            charts=drawn,
            headline=headline(result, f),
            earned=earned(result, f),
            against=against(result, f),
            cost=cost(result),
            guard=[_guard_row(g) for g in result.guard],
            sheet=pictures.sheet(samples) if samples else None,
            chance=_chance(result, [t.gain for t in result.tried]) is not None,
            toml=policy_text(result),
            command=command,
            count=count,
            rows=_rows(result),
        )
    )


def _chance(result: PolicyResult, gains: Sequence[float]) -> tuple[float, float] | None:
    """The band of random policies: the controller's first draws are uniform ones."""
    first = [g for g in gains[:BATCH] if g > -10]
    if result.method != "controller" or len(first) < 2:
        return None
    mean, sd = float(np.mean(first)), float(np.std(first, ddof=1))
    return mean - sd, mean + sd


def _guard_row(one: Guarded) -> tuple[str, str, str, str]:
    """Operation, its range, labels lost at each strength that was tried, and classes that collide."""
    if one.why:
        return one.op, "left out", one.why, ""
    within = "no strength" if not one.high else "on" if one.unit == "on" else f"up to {one.high:.3g} {one.unit}"
    lost = ", ".join(
        f"{p.strength:.3g}: " + ("unknown" if p.lost is None else f"{100 * p.lost[0] + 0.0:.0f} %") for p in one.points
    )
    collide = dict.fromkeys(pair for p in one.points for pair in p.collisions)
    return one.op, within, lost, "; ".join(list(collide)[:3])
