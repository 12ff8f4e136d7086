"""Leakage: rows for the verdict, or rows held out, that are copies or nearly copies of rows trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from gapless.data.duplicates import group_numbers
from gapless.data.task import Array
from gapless.diagnose.case import Case, Cause
from gapless.diagnose.experiment.folds import Estimate
from gapless.diagnose.finding import Finding, Suspect
from gapless.diagnose.twins.found import Twins
from gapless.diagnose.twins.pictures import picture_twins
from gapless.diagnose.twins.tables import table_twins
from gapless.diagnose.twins.texts import text_twins
from gapless.evidence.result import Interval

TOLERATED = 0.01
"""Share of rows with a twin that is no leak worth an alarm."""
SHOWN = 20


def _twins(case: Case, asked: Array, among: Array | None) -> Twins:
    if case.task.kind == "image":
        return picture_twins(asked, among)
    return (text_twins if case.task.kind == "text" else table_twins)(asked, among, case.seed)


def _apart(case: Case, within: Twins) -> Twins:
    """Without twins of one group, which no split divides."""
    group = case.task.develop.group
    if group is None:
        return within
    other = group[within.rows] != group[within.partners]
    return replace(within, rows=within.rows[other], partners=within.partners[other])


def _p(twins: Twins) -> float:
    """The chance of so many, where those that come by chance and the tolerated share are all there is."""
    usual = twins.expected + TOLERATED * twins.looked
    return float(stats.poisson.sf(len(twins.rows) - 1, usual)) if len(twins.rows) else 1.0


def _judge(case: Case) -> Finding:
    develop, confirm = case.task.develop, case.confirm
    across, within = _twins(case, confirm.x, develop.x), _apart(case, _twins(case, develop.x, None))
    # a twin of a row that was learned is answered as that row is
    alone = _alone(case, within)
    learned = max(0.0, case.known - alone.mean)
    share = max(0.0, across.share - across.expected / max(1, across.looked))
    inside = max(0.0, case.new.mean - alone.mean)
    effect = share * learned if across.share >= within.share else max(inside, share * learned)
    half = alone.interval.high - alone.mean
    exact = _exact(case)
    what = (
        f"{len(across.rows):,} of {across.looked:,} {case.rows} for the verdict have a twin among those trained on "
        f"({exact:,} exact copies), and {len(within.rows):,} of {within.looked:,} development {case.rows} have one "
        f"among themselves; chance would give {across.expected + within.expected:.2g}. A model that knows a row by "
        f"heart is right on its twin: the verdict is too good by about {case.points(share * learned)}. Without twins "
        f"new {case.rows} score {case.score(alone.mean)}, with them {case.score(case.new.mean)}."
    )
    width = max(share, within.share) * half
    return Finding(
        "copies",
        0,
        what,
        Interval(effect, max(0.0, effect - width), effect + width),
        min(1.0, 2 * min(_p(across), _p(within))),
        f"Keep one {case.rows.removesuffix('s')} of each set of twins, or keep twins on one side of the split.",
        "Take the rows with twins out of the verdict and score again: the score must fall by about that much.",
        suspects=_suspects(case, across),
    )


def _alone(case: Case, within: Twins) -> Estimate:
    """The score on held rows that have no twin; that on all where hardly any is left."""
    twin = np.zeros(len(case.task.develop), bool)
    twin[within.rows] = True
    each = {fold: held[~twin[case.held_rows(fold)]] for fold, held in case.held.items()}
    if min(map(len, each.values())) < 2:
        return case.new
    groups = case.groups
    return case.estimate(each, groups and {fold: groups[fold][~twin[case.held_rows(fold)]] for fold in each})


def _exact(case: Case) -> int:
    groups = group_numbers(case.task.develop.x, case.confirm.x)
    known = set(groups[: len(case.task.develop)].tolist())
    return sum(group in known for group in groups[len(case.task.develop) :].tolist())


def _suspects(case: Case, across: Twins) -> tuple[Suspect, ...]:
    pairs = zip(across.rows[:SHOWN].tolist(), across.partners[:SHOWN].tolist(), strict=True)
    return tuple(Suspect(partner, "", "", f"row {row} of the verdict is its twin") for row, partner in pairs)


CAUSE = Cause("copies", _judge)
