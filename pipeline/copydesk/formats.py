"""Problems for machines: GitHub's workflow commands, and SARIF 2.1.0 (OASIS)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.core.problem import Problem, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github(problems: Iterable[Problem]) -> str:
    """One workflow command a line; GitHub shows them beside the text."""
    return "\n".join(
        f"::{_COMMANDS[one.severity]} file={_property(one.file)},line={one.line},col={one.column},title={_property(one.rule)}::"
        f"{_data(' '.join(part for part in (one.message, one.hint) if part))}"
        for one in problems
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(problems: Sequence[Problem], reasons: Mapping[str, str], version: str) -> dict[str, object]:
    """A SARIF log with one run; rules that said nothing are left out."""
    ids = sorted({one.rule for one in problems})
    rules = [{"id": id, "shortDescription": {"text": reasons.get(id, id)}} for id in ids]
    results = [
        {
            "ruleId": one.rule, "ruleIndex": ids.index(one.rule), "level": one.severity.value,
            "message": {"text": " ".join(part for part in (one.message + ".", one.hint) if part)},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": one.file, "uriBaseId": "NEWSROOM"},
                "region": {"startLine": one.line, "startColumn": one.column},
            }}],
        }
        for one in problems
    ]  # fmt: skip
    driver = {"name": "briefing", "version": version, "rules": rules}
    return {
        "$schema": SARIF_SCHEMA, "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }  # fmt: skip
