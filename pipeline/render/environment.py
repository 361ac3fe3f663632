"""Templates: the newsroom's own first, then the packaged ones, in a sandbox; every fault named as file and line."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from jinja2 import BaseLoader, Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline import newsroom
from pipeline.errors import TemplateFault

PACKAGED = "default:"
"""Prefix of a template's name that skips the newsroom's own: ``{% extends "default:email/base.html" %}``."""


class NewsroomLoader(BaseLoader):
    """Finds a template in the newsroom's ``templates/``, else in the packaged one."""

    def __init__(self, own: Path | None, packaged: Path) -> None:
        self._packaged = FileSystemLoader(packaged)
        self._own = None if own is None or own == packaged else FileSystemLoader(own)
        self.roots = tuple(path for path in (own, packaged) if path is not None)

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """The text, path and freshness of a template. Raises TemplateNotFound."""
        if not template.startswith(PACKAGED) and self._own is not None:
            try:
                return self._own.get_source(environment, template)
            except TemplateNotFound:
                pass
        return self._packaged.get_source(environment, template.removeprefix(PACKAGED))


def open_templates(root: Path | None = None, *, packaged: Path | None = None) -> Environment:
    """The template environment of the newsroom at ``root`` (None: the packaged templates only).

    Sandboxed, since templates come with a newsroom's files: no underscore attributes, no change to what they are given.
    Everything is escaped unless the program says it is safe, and an unknown name is a fault, not an empty string.
    """
    loader = NewsroomLoader(None if root is None else root / "templates", packaged or newsroom.packaged() / "templates")
    return ImmutableSandboxedEnvironment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(environment: Environment, name: str, /, **values: object) -> str:
    """Renders one template. Raises TemplateFault, whatever went wrong inside."""
    try:
        return environment.get_template(name).render(values)
    except TemplateFault:
        raise
    except Exception as error:  # a template can raise anything its values can
        raise template_fault(environment, name, error) from error


def read(environment: Environment, name: str) -> str:
    """The text of a file beside the templates, unrendered. Raises TemplateFault."""
    assert environment.loader is not None
    try:
        return environment.loader.get_source(environment, name)[0]
    except (TemplateNotFound, UnicodeDecodeError) as error:
        raise template_fault(environment, name, error) from error


def template_fault(environment: Environment, name: str, error: Exception) -> TemplateFault:
    """What a person should read when a template failed: path, line, what happened, and what to do."""
    message, hint = _explained(error)
    return TemplateFault(f"{_place(environment, name, error)}: {message}", hint=hint)


def _explained(error: Exception) -> tuple[str, str]:
    match error:
        case TemplateNotFound():
            return (
                f"there is no template {error.name}",
                "Check the name; templates/ of the newsroom is searched first, then the packaged one.",
            )
        case TemplateSyntaxError():
            return error.message or "this is not Jinja", "Mend the template, or delete the file to get the packaged one back."
        case UndefinedError():
            return error.message or "unknown name", "docs/reference/templates.md lists every name a template may use."
        case SecurityError():
            return error.message or "not allowed", "Templates may only read the values they are given."
        case UnicodeDecodeError():
            return f"the file is not UTF-8 (byte {error.start})", "Save it as UTF-8."
        case _:
            return f"{type(error).__name__}: {error}", "Mend the template, or delete the file to get the packaged one back."


def _place(environment: Environment, name: str, error: Exception) -> str:
    """``path:line`` of the fault: Jinja rewrites tracebacks so that template frames carry the template's own lines."""
    roots = environment.loader.roots if isinstance(environment.loader, NewsroomLoader) else ()
    if isinstance(error, TemplateSyntaxError) and error.filename:
        return f"{_shown(error.filename, roots)}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if any(Path(frame.filename).is_relative_to(root) for root in roots):
            return f"{_shown(frame.filename, roots)}:{frame.lineno}"
    return f"templates/{name.removeprefix(PACKAGED)}"


def _shown(filename: str, roots: tuple[Path, ...]) -> str:
    for root in roots:
        if Path(filename).is_relative_to(root):
            return newsroom.shown(Path(filename), root.parent.resolve())
    return filename
