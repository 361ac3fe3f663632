"""A newsroom's own templates: they override file by file, stay in their sandbox, and name their faults."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pipeline import newsroom
from pipeline.core.edition import Edition
from pipeline.errors import TemplateFault
from pipeline.render.edition import build_edition
from pipeline.render.environment import open_templates, read, render
from pipeline.render.words import words
from tests.render import samples


def built(root: Path) -> Edition:
    """The rich sample with a newsroom's templates."""
    edition, _ = build_edition(
        samples.RICH, newsletter=samples.NEWSLETTER, authors=(samples.AUTHOR,), newsroom_name="Example Newsroom", base_url=samples.BASE_URL,
        pictures=samples.pictures(), author_photos=samples.photos(), next_issue=None, environment=open_templates(root),
    )  # fmt: skip
    return edition


def lay(root: Path, name: str, text: str) -> None:
    """Writes one template of a newsroom."""
    path = root / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_one_file_overrides_and_the_rest_stays(tmp_path: Path) -> None:
    lay(tmp_path, "email/masthead.html", '<tr><td class="mast s x"><p class="name">Our own masthead</p></td></tr>\n')
    edition = built(tmp_path)
    assert "Our own masthead" in edition.html
    assert "Expert Corner" in edition.html
    assert "Our own masthead" not in edition.web


def test_a_template_of_the_same_name_reaches_the_packaged_one(tmp_path: Path) -> None:
    lay(tmp_path, "email/base.html", '{% extends "default:email/base.html" %}{% block footer %}<tr><td>Short foot</td></tr>{% endblock %}')
    html = built(tmp_path).html
    assert "Short foot" in html
    assert "You get this mail because" not in html
    assert html.startswith("<!DOCTYPE html>")


def test_words_are_overridden_too(tmp_path: Path) -> None:
    packaged = read(open_templates(), "words/en.toml")
    lay(tmp_path, "words/en.toml", packaged.replace('by = "By {names}"', 'by = "Words: {names}"'))
    assert "Words: Mara Lindqvist" in built(tmp_path).html


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("<p>\n{% if %}\n</p>", 2, "expression"),
        ("<p>\n\n{{ page.nonsense }}</p>", 3, "nonsense"),
        ("{{ nobody }}", 1, "'nobody' is undefined"),
        ("\n{{ page.__class__.__mro__ }}", 2, "unsafe"),
        ("{{ ''.__class__ }}", 1, "unsafe"),
        ("\n\n\n{{ 1 / 0 }}", 4, "ZeroDivisionError"),
        ("{{ [].append(1) }}", 1, "not safely callable|unsafe"),
        ("{{ range(999999999) }}", 1, "OverflowError"),
        ('{% include "email/none.html" %}', 1, "no template email/none.html"),
    ],
)
def test_a_fault_names_the_file_and_the_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    lay(tmp_path, "email/masthead.html", text)
    with pytest.raises(TemplateFault, match=message) as caught:
        built(tmp_path)
    assert caught.value.message.startswith(f"templates/email/masthead.html:{line}: ")
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "templates" / "email").mkdir(parents=True)
    (tmp_path / "templates" / "email" / "masthead.html").write_bytes(b"<p>\xff</p>")
    with pytest.raises(TemplateFault, match="not UTF-8"):
        built(tmp_path)


def test_templates_do_not_reach_files_outside(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "templates").mkdir()
    with pytest.raises(TemplateFault, match="no template"):
        render(open_templates(tmp_path), "../secret.txt")
    lay(tmp_path, "email/masthead.html", '{% include "default:../config/newsroom.toml" %}')
    with pytest.raises(TemplateFault, match="no template"):
        built(tmp_path)


def test_an_import_in_a_newsrooms_css_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, "email/inline.css", '@import "https://evil.example.org/track.css";\n.p{margin:0}')
    with pytest.raises(TemplateFault, match="asks for another file"):
        built(tmp_path)


def test_an_own_file_may_hold_one_word(tmp_path: Path) -> None:
    lay(tmp_path, "words/en.toml", 'view = "See"\n[pages]\ndone = "Gone"\n')
    assert ">See</a>" in built(tmp_path).html
    found = words(open_templates(tmp_path), "en")
    assert (found.pages.done, found.pages.unsubscribe, found.write) == ("Gone", "Unsubscribe", "Write to us")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('view = "Көру"\n', "these words are missing: .*archive"),
        ("[pages]\n", "these words are missing"),
        ("months = 1\n", "these words are missing|months"),
        ("= x", "Invalid"),
    ],
)
def test_a_new_language_must_be_complete(tmp_path: Path, text: str, message: str) -> None:
    lay(tmp_path, "words/kk.toml", text)
    with pytest.raises(TemplateFault, match=rf"words/kk\.toml.*: .*({message})"):
        words(open_templates(tmp_path), "kk")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('viev = "See"\n', "unknown words: viev"),
        ('[pages]\ndoen = "x"\n', "unknown words: pages.doen"),
        ('months = ["one"]\n', "twelve names"),
        ('digits = "0"\n', "ten characters"),
        ('minutes = { one = "{count}" }\n', 'the form "other"'),
        ('pages = "x"\n', "pages must be a table"),
    ],
)
def test_wrong_words_are_named(tmp_path: Path, text: str, message: str) -> None:
    lay(tmp_path, "words/en.toml", text)
    with pytest.raises(TemplateFault, match=message):
        words(open_templates(tmp_path), "en")


def test_values_are_escaped_in_templates_too(tmp_path: Path) -> None:
    lay(tmp_path, "email/masthead.html", "<tr><td>{{ '<b>' ~ page.title }}</td></tr>\n")
    assert "&lt;b&gt;The Ferry" in built(tmp_path).html


@pytest.mark.parametrize("path", sorted((newsroom.packaged() / "templates" / "words").glob("*.toml")), ids=lambda path: path.stem)
def test_every_language_has_every_word(path: Path) -> None:
    found = words(open_templates(), path.stem)
    assert found.language == path.stem
    assert "{" not in found.day(samples.RICH.id.date) + found.names(["A", "B", "C"]) + found.reading_time("a b c")
    pages = found.pages
    for pattern in (found.about, found.why, found.archive, pages.leave_question, pages.leave_title, pages.left, pages.done_more):
        assert "{newsletter}" in pattern


@pytest.mark.parametrize("path", sorted((newsroom.packaged() / "templates" / "words").glob("*.toml")), ids=lambda path: path.stem)
def test_translations_have_the_marks_of_the_english_and_are_not_english(path: Path) -> None:
    """A mark that was lost or misspelt would show, or fail, only in front of a reader."""
    here, english = (tomllib.loads(one.read_text("utf-8")) for one in (path, path.with_name("en.toml")))
    for table in ("", "pages"):
        ours, theirs = (one[table] if table else one for one in (here, english))
        assert set(ours) - {"digits"} == set(theirs)
        for name, value in theirs.items():
            if isinstance(value, str):
                assert sorted(re.findall(r"{\w+}", ours[name])) == sorted(re.findall(r"{\w+}", value)), name
                assert path.stem == "en" or name == "comma" or ours[name] != value, name
