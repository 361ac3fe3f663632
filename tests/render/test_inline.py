"""The inliner's guards: nothing is fetched, lost or invented."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pipeline.errors import TemplateFault
from pipeline.render import inline
from pipeline.render.inline import inline_css


def page(
    body: str = "<p class='p'>x</p>", css: str = ".p{color:#111111}", kept: str = "@media (max-width:9px){.q{color:red!important}}"
) -> str:
    """A small mail."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><title>t</title><style>{css}</style>'
        f'<style data-premailer="ignore">{kept}</style></head><body>{body}</body></html>'
    )


def test_rules_move_onto_elements_and_the_ignored_block_survives() -> None:
    html = inline_css(page('<p class="p q">x</p><p class="p">y</p>'), template="email/issue.html")
    assert '<p class="q" style="color:#111">x</p>' in html
    assert '<p style="color:#111">y</p>' in html  # a class no rule names is weight only
    assert "<style>@media (max-width:9px){.q{color:red!important}}</style>" in html
    assert html.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    "css",
    [
        '@import "https://evil.example.org/x.css";',
        "@import url(file:///etc/passwd);",
        "@IMPORT 'x.css';",
        ".p{background:url(http://evil.example.org/x.png)}",
        ".p{background:url('file:///etc/passwd')}",
        "@\\69mport 'https://evil.example.org/x.css';",
    ],
)
def test_css_that_asks_for_files_is_refused_without_asking(css: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args))
    monkeypatch.setattr(socket.socket, "connect", lambda *args: asked.append(args))
    with pytest.raises(TemplateFault, match=r"email/issue\.html: its CSS asks for another file"):
        inline_css(page(css=css + ".p{color:red}"), template="email/issue.html")
    assert asked == []


def test_the_parser_itself_cannot_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The pattern is the first guard; with it gone the second one holds."""
    monkeypatch.setattr(inline, "_check_input", lambda html, template: None)
    (tmp_path / "x.css").write_text(".p{color:blue}")
    with pytest.raises(TemplateFault, match="asks for another file"):
        inline_css(page(css=f'@import "file://{tmp_path}/x.css";'), template="email/issue.html")


@pytest.mark.parametrize(
    "element", ['<link rel="stylesheet" href="https://example.org/x.css">', "<script>1</script>", "<iframe></iframe>", "<form></form>"]
)
def test_elements_that_do_not_belong_in_a_mail_are_refused(element: str) -> None:
    with pytest.raises(TemplateFault, match="does not belong in a mail"):
        inline_css(page(element), template="email/issue.html")


@pytest.mark.parametrize("start", ["<!doctype html>", "<!-- a --><!DOCTYPE html>", "\n<!DOCTYPE html>", ""])
def test_the_doctype_comes_first_and_in_upper_case(start: str) -> None:
    with pytest.raises(TemplateFault, match="must begin with <!DOCTYPE html>"):
        inline_css(page().replace("<!DOCTYPE html>", start), template="email/issue.html")


def test_merge_marks_come_through_everywhere() -> None:
    body = '<p title="__MERGE_a__">__MERGE_b__ <a href="https://example.org/__MERGE_c__?t=__MERGE_d-1__">x</a></p>'
    body += "<!--[if mso]>__MERGE_e__<![endif]-->"
    html = inline_css(page(body), template="email/issue.html")
    for mark in ["a", "b", "c", "d-1", "e"]:
        assert html.count(f"__MERGE_{mark}__") == 1


def test_a_lost_merge_mark_is_a_fault() -> None:
    with pytest.raises(TemplateFault, match="merge mark was lost"):
        inline_css(page(css=".gone{font-family:__MERGE_x__}"), template="email/issue.html")


def test_a_lost_link_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline._OfflinePremailer, "transform", lambda self, pretty_print: "<!DOCTYPE html><p>nothing</p>")
    with pytest.raises(TemplateFault, match="1 links went in and 0 came out"):
        inline_css(page('<a href="https://example.org/">x</a>'), template="email/issue.html")


def test_an_error_of_the_inliner_is_a_fault_not_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, pretty_print: bool) -> str:
        raise TypeError("unhashable")

    monkeypatch.setattr(inline._OfflinePremailer, "transform", broken)
    with pytest.raises(TemplateFault, match="could not be inlined"):
        inline_css(page(), template="email/issue.html")


def test_conditional_comments_survive_byte_for_byte() -> None:
    comments = '<!--[if mso]><table width="600"><tr><td><![endif]--><p class="p">x</p><!--[if !mso]><!--><i>y</i><!--<![endif]-->'
    html = inline_css(page(comments), template="email/issue.html")
    assert '<!--[if mso]><table width="600"><tr><td><![endif]-->' in html
    assert "<!--[if !mso]><!--><i>y</i><!--<![endif]-->" in html
