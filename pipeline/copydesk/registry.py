"""All rules, found in ``rules/`` in the order of their module's names: a new rule is a new file and nothing else."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from pipeline.copydesk import rules
from pipeline.copydesk.finding import Rule


def _found() -> tuple[Rule, ...]:
    names = sorted(module.name for module in iter_modules(rules.__path__))
    found = tuple(import_module(f"{rules.__name__}.{name}").RULE for name in names)
    for name, rule in zip(names, found, strict=True):
        if not isinstance(rule, Rule) or rule.id != name.replace("_", "-"):
            raise TypeError(f"{rules.__name__}.{name} holds no rule of its own name")
    return found


RULES: tuple[Rule, ...] = _found()
"""Every rule of the copy desk, by id."""
