"""`gapless lint`: parse, call, print."""

from __future__ import annotations

import json
import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gapless import __version__
from gapless.cli.screen import answers_alone, say, talk
from gapless.errors import UsageError
from gapless.lint.finding import Finding, Findings, lines
from gapless.lint.reader import chosen, read_paths
from gapless.lint.rule import Rule
from gapless.lint.rules import RULES
from gapless.lint.sarif import sarif

_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
FOUND = 5
"""The exit code where --fail-on asks for it."""
_COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


class Grave(Enum):
    error = "error"
    warning = "warning"
    note = "note"


class Format(Enum):
    text = "text"
    sarif = "sarif"


def lint(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE...",
            help="Training scripts, or folders of them, which are read and not run; or module:function returning a "
            "gapless.lint.Setup, of which one batch is run.",
        ),
    ] = None,
    rules: Annotated[str | None, typer.Option(metavar="NAMES", help="Only these rules, separated by commas.")] = None,
    ignore: Annotated[str | None, typer.Option(metavar="NAMES", help="Not these rules.")] = None,
    fail_on: Annotated[
        Grave | None, typer.Option(help="Exit code 5 where anything this grave is found; otherwise 0.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="sarif: one SARIF 2.1.0 log, for code hosts.")] = Format.text,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as one JSON document.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Print every rule and end.")] = False,
) -> int:
    """Finds the mistakes that open the gap in training scripts, before anything is trained.

    A line with "# gapless: ignore[rule]" at its end, or alone above it, is passed over.
    """
    if as_json and form is Format.sarif:
        raise UsageError("--json and --format sarif exclude each other: standard output is one document")
    if listing:
        for rule in RULES:
            print(f"{rule.level:<8} {rule.name:<34} {rule.title}")
        return 0
    if not sources:
        raise UsageError("name a training script or a folder of them, such as gapless lint train.py")
    by = chosen(_names(rules), _names(ignore) or ())
    findings = _found(sources, by)
    if as_json:
        print(json.dumps(findings.to_json(), indent=1))
    elif form is Format.sarif:
        print(json.dumps(sarif(findings, by, __version__), indent=1))
    else:
        _show(findings)
    return FOUND if fail_on is not None and findings.reaches(fail_on.value) else 0


@answers_alone()
def _found(sources: list[str], by: tuple[Rule, ...]) -> Findings:
    """What is found in files as text, and in what functions return: there in their files, too."""
    functions = [each for each in sources if _FUNCTION.fullmatch(each) and not Path(each).exists()]
    files = [Path(each).expanduser() for each in sources if each not in functions]
    found: list[Finding] = []
    for each in functions:
        from gapless.lint.checker import check, setup_of

        with talk.status(f"running one batch of {each}"):
            setup, file = setup_of(each)
            found.extend(check(setup, by, each))
        here = Path(file)
        files += [here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here] if file else []
    read = read_paths(list(dict.fromkeys(files)), by)
    return Findings((*found, *read), read.read)


def _names(given: str | None) -> list[str] | None:
    return None if given is None else [name.strip() for name in given.split(",") if name.strip()]


def _show(findings: Findings) -> None:
    """What was found to standard output, coloured where that is a terminal; how much it was to people."""
    from rich.console import Console

    screen = Console(highlight=False, soft_wrap=True)
    for each in findings:
        for line in _coloured(each):
            screen.print(line)
    say(findings.summary())


def _coloured(finding: Finding) -> list[Text]:
    first, *others = lines(finding)
    head = Text(first)
    head.highlight_words([f"{finding.level}[{finding.rule}]"], _COLOURS[finding.level])
    return [head, *(Text(line, style="dim" if talk.is_terminal else "") for line in others)]
