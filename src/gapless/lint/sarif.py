"""Findings as SARIF 2.1.0, the format in which code hosts show them beside the lines of a change.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, sections 3.13 to 3.49.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from gapless.lint.finding import Finding, Findings, Place
from gapless.lint.rule import Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings: Findings, rules: Sequence[Rule], version: str) -> dict[str, Any]:
    """One SARIF log of one run; paths are relative to the current folder where they lie below it."""
    index = {rule.name: at for at, rule in enumerate(rules)}
    driver = {
        "name": "gapless",
        "version": version,
        "rules": [_rule(rule) for rule in rules],
    }
    results = [_result(each, index) for each in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.effect},
        "help": {"text": f"{rule.fix}\n\nSource: {rule.source}"},
        "defaultConfiguration": {"level": rule.level},
    }


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    known = {"ruleIndex": index[finding.rule]} if finding.rule in index else {}
    return {
        "ruleId": finding.rule,
        **known,
        "level": finding.level,
        "message": {"text": f"{finding.what}. Effect: {finding.effect}. Fix: {finding.fix}."},
        "locations": [_location(finding.place)],
    }


def _location(place: Place) -> dict[str, Any]:
    if not place.line:
        return {
            "logicalLocations": [{"fullyQualifiedName": f"{place.file}: {place.part}" if place.part else place.file}]
        }
    region = {"startLine": place.line, "startColumn": place.column}
    region |= {"endLine": place.end_line, "endColumn": place.end_column}
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(place.file)}, "region": region}}


def _uri(file: str) -> str:
    path = Path(file)
    if path.is_absolute():
        if not path.is_relative_to(Path.cwd()):
            return path.as_uri()
        path = path.relative_to(Path.cwd())
    return quote(PurePath(path).as_posix())
