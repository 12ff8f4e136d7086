"""Pages that are served, in the report's style, with a policy that lets them speak to their own server alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from gapless.live.server import Door, Site
from gapless.report.html import asset, environment, island, policy

TEMPLATES = Path(__file__).parent / "templates"


def served(
    template: str, script: str, facts: Mapping[str, object], values: Mapping[str, object], doors: Mapping[str, Door]
) -> Site:
    """A site of one page.

    Args:
        template, script: files in `templates/`; the script is run behind those that all pages share.
        facts: what the script knows from the start. values: what the template shows.
    """
    style = asset("report.css") + _file("live.css")
    program = _file("live.js") + _file(script) + _shared()
    shared = {"style": Markup(style), "script": Markup(program), "facts": island(dict(facts))}
    made = environment(TEMPLATES).get_template(template)
    return Site(
        lambda token: made.render({**shared, **values, "token": token}),
        policy(style, program, connects=True),
        doors,
    )


def _file(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def _shared() -> str:
    """The report's own script: its buttons that copy."""
    return asset("report.js").removeprefix('"use strict";')
