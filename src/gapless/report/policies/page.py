"""A learned policy as a page, and the files of its run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from gapless.augment.text import policy_toml as texts
from gapless.diagnose.examples import Samples
from gapless.files import write_atomically
from gapless.policies.guard import Guarded
from gapless.policies.outcome import PolicyResult
from gapless.policies.searchers import BATCH
from gapless.recipe import Recipe
from gapless.report.drawing import charts, pictures
from gapless.report.drawing.svg import draw
from gapless.report.figures import Figures, count
from gapless.report.html import asset, environment, policy
from gapless.report.policies.words import against, cost, earned, figures, headline, provenance, rows_are


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
    return above + part.policy().to_toml()


# ── the page ──


def page(result: PolicyResult, samples: Samples | None, command: str) -> str:
    """The page. The same result gives the same bytes."""
    f = Figures(result.metric, figures(result).digits, minus="−", space="\u00a0")
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
            rows=rows_are(result),
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
