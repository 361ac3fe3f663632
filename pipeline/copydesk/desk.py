"""The desk at work: every rule that the newsroom has not switched off, over one copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.copydesk.finding import Edit, Rule
from pipeline.copydesk.reading import Copy
from pipeline.copydesk.registry import RULES
from pipeline.core.problem import Problem, Severity

MAX_OF_A_RULE = 100
"""Findings of one rule; who has more mends the first hundred first."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding as a Problem, and its repair where that is certain."""

    problem: Problem
    edit: Edit | None = None


def look_over(copy: Copy, file: str, rules: Iterable[Rule] = RULES) -> tuple[Remark, ...]:
    """All remarks, by line and column."""
    out: dict[Problem, Remark] = {}
    for rule in rules:
        chosen = copy.style.rules.get(rule.id, rule.severity.value)
        if chosen == "off":
            continue
        for number, finding in enumerate(rule.look(copy)):
            if number >= MAX_OF_A_RULE:
                break
            problem = Problem(
                rule=rule.id, severity=Severity(chosen), file=file, line=min(max(finding.line, 1), len(copy.lines)),
                column=max(finding.column, 1), message=finding.message, hint=finding.hint, fixable=finding.edit is not None,
            )  # fmt: skip
            out.setdefault(problem, Remark(problem, finding.edit))
    return tuple(sorted(out.values(), key=lambda one: (one.problem.line, one.problem.column)))
