"""What the desk is handed besides the draft: dictionaries, pictures' files, the mail's figures, what was sent."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from pipeline import app
from pipeline.copydesk.facts import counts, gather, printable
from pipeline.core.issue import IssueId
from pipeline.core.problem import Severity
from pipeline.errors import ConfigurationError
from pipeline.flow import copydesk, drafts, rendering
from pipeline.flow.context import Desk
from pipeline.flow.sent import paragraphs_sent
from pipeline.flow.spelling import speller
from pipeline.render.pictures import prepare_picture
from tests.copydesk.reading import SENT, draft, phone_picture, read

ISSUE = "eurasia-briefing/2021-08-18-after-kabul"


@pytest.fixture
def desk(root: Path) -> Desk:
    return app.open_desk(app.load_settings(root, {}))


def styled(root: Path, text: str) -> Desk:
    (root / "config" / "style.toml").write_text(text, "utf-8")
    return app.open_desk(app.load_settings(root, {}))


def rules_of(desk: Desk, issue: str = ISSUE) -> list[str]:
    return [one.rule for one in rendering.examine(desk, issue)[1]]


def plant(root: Path, line: str, issue: str = ISSUE) -> Path:
    """A line at the beginning of a sample's text."""
    path = root / "issues" / issue / "index.md"
    path.write_text(path.read_text("utf-8").replace("\n---\n", f"\n---\n\n{line}\n", 1), "utf-8")
    return path


def lay_dictionary(root: Path, name: str, words: str) -> None:
    folder = root / "config" / "dictionaries"
    folder.mkdir(exist_ok=True)
    listed = words.split()
    (folder / f"{name}.dic").write_text("\n".join([str(len(listed)), *listed]) + "\n", "utf-8")
    (folder / f"{name}.aff").write_text("SET UTF-8\nTRY abc\n", "utf-8")


def test_a_word_of_the_newsrooms_list_is_right(root: Path) -> None:
    plant(root, "The lukashins of Qyzylzhar talk.")
    desk = styled(root, "[spelling]\nnames = true\n")
    found = [one for one in rendering.examine(desk, ISSUE)[1] if one.rule.startswith("spelling")]
    assert [(one.rule, one.severity) for one in found] == [("spelling", Severity.WARNING), ("spelling-name", Severity.NOTE)]
    assert "config/words.txt" in found[0].hint
    (root / "config" / "words.txt").write_text("lukashins # a dance\n\n# a town:\nQyzylzhar\n", "utf-8")
    assert rules_of(app.open_desk(app.load_settings(root, {}))) == []


def test_the_samples_names_are_in_the_packaged_list(root: Path) -> None:
    desk = styled(root, "[spelling]\nnames = true\nfolders = []\n")
    for issue, _ in drafts.listed(desk):
        assert [one.message for one in rendering.examine(desk, str(issue))[1]] == []


@pytest.mark.parametrize(("text", "line"), [("Uyghur\nNur Sultan\n", 2), ("\xff", None)])
def test_a_wrong_word_list_stops_the_start(root: Path, text: str, line: int | None) -> None:
    (root / "config" / "words.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError) as error:
        app.load_settings(root, {})
    assert "words.txt" in str(error.value) + str(error.value.path) and error.value.line == line


def test_a_dictionary_of_the_newsroom_comes_first_and_a_choice_decides(root: Path) -> None:
    lay_dictionary(root, "en_GB", "colour")
    lay_dictionary(root, "xx", "mir")
    settings = styled(root, '[spelling]\nfolders = ["config/dictionaries"]\n').settings
    american, british, own = speller(settings, "en"), speller(settings, "en-GB"), speller(settings, "xx-Latn")
    assert american is not None and british is not None and own is not None
    assert (american.knows("colour"), american.knows("color")) == (False, True)
    assert (british.knows("colour"), british.knows("color")) == (True, False)
    assert own.knows("mir") and not own.knows("rim")
    assert (speller(settings, "en-ZA"), speller(settings, "zh-Hans"), speller(settings, "x")) == (None, None, None)
    chosen = styled(root, '[spelling]\ndictionaries = { en = "en_GB" }\n').settings
    british = speller(chosen, "en")
    assert british is not None and british.knows("colour")


def test_compounds_possessives_and_foreign_letters(desk: Desk) -> None:
    english = speller(desk.settings, "en")
    assert english is not None
    for word in ("don’t", "Xinjiang’s", "Taliban-led", "anti-government", "Мир", "Newsroom", "Desk", "governments’"):
        assert english.knows(word), word
    for word in ("dont’t", "Taliban-ledd", "governmnet’s"):
        assert not english.knows(word), word
    assert english.suggest("governmnet")[0] == "government"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage", b"no number\nword\n"])
def test_what_is_no_dictionary_is_none(root: Path, content: bytes) -> None:
    lay_dictionary(root, "ug_CN", "x")
    (root / "config" / "dictionaries" / "ug_CN.dic").write_bytes(content)
    desk = app.open_desk(app.load_settings(root, {}))
    assert speller(desk.settings, "ug") is None
    assert rules_of(desk, f"{ISSUE}-ug") == []


def test_who_has_no_dictionary_hears_it_once(desk: Desk) -> None:
    read_ = [drafts.read(desk, issue) for issue in (ISSUE, f"{ISSUE}-ug", f"{ISSUE}-ug")]
    assert copydesk.unspelt(desk, read_) == ("ug",)


def test_an_issue_is_spelt_within_a_second(desk: Desk, root: Path) -> None:
    plant(root, " ".join(f"governmnet{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}" for n in range(60)))
    draft_ = drafts.read(desk, ISSUE)
    copydesk.remarks(desk, draft_)
    begun = time.process_time()
    found = copydesk.remarks(desk, draft_)
    assert time.process_time() - begun < 3  # a second on a quiet machine, suggestions for the first few included
    assert sum(one.problem.rule == "spelling" for one in found) == 60


def picture(**more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, more.pop("form", "JPEG"), **more)  # type: ignore[arg-type]
    return out.getvalue()


def png(key: str, value: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(key, value)
    return picture(form="PNG", pnginfo=info)


IPTC = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x12\x1c\x02\x50\x00\x0dMaria Example"


def with_iptc() -> bytes:
    """A JPEG with a by-line in an APP13 segment."""
    plain = picture()
    return plain[:2] + b"\xff\xed" + (len(IPTC) + 2).to_bytes(2, "big") + IPTC + plain[2:]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (picture(), set()),
        (phone_picture(), {"gps", "camera", "names"}),
        (png("XML:com.adobe.xmp", "<x exif:GPSLatitude='38,33N' />"), {"gps"}),
        (png("XML:com.adobe.xmp", "<dc:creator>Maria</dc:creator><aux:SerialNumber>4</aux:SerialNumber>"), {"camera", "names"}),
        (png("Author", "Maria Example"), {"names"}),
        (with_iptc(), {"names"}),
    ],
    ids=["plain", "phone", "xmp place", "xmp names", "png text", "iptc"],
)
def test_personal_data_is_read_off_the_file(data: bytes, found: set[str]) -> None:
    assert prepare_picture(data, "picture.jpg").found_personal & {"gps", "camera", "names"} == found


def test_what_a_picture_says_and_weighs_is_found(desk: Desk, root: Path) -> None:
    path = plant(root, '![A gate in the wall](phone.jpg "The gate in 2021. (Credit: Desk)")')
    (path.parent / "phone.jpg").write_bytes(phone_picture())
    (problem,) = rendering.examine(desk, ISSUE)[1]
    assert problem.rule == "picture-personal" and "where it was taken and whose camera" in problem.message
    (path.parent / "phone.jpg").write_bytes(phone_picture(900))
    assert sorted(rules_of(desk)) == ["picture-heavy", "picture-personal"]
    assert drafts.read(desk, ISSUE).pictures["phone.jpg"].name.startswith("phone-")
    assert prepare_picture(drafts.read(desk, ISSUE).pictures["phone.jpg"].data, "phone.jpg").found_personal == frozenset()


def test_the_mail_is_weighed_decoded_encoded_and_by_its_links(desk: Desk) -> None:
    draft_ = drafts.read(desk, ISSUE)
    edition, _ = drafts.render(desk, draft_)

    def said(html: str, text: str = "") -> list[tuple[str, str]]:
        return [(one.rule, one.severity.value) for one in copydesk.weighed(desk, draft_, replace(edition, html=html, text=text))]

    assert said("x" * 74 * 1024) == []
    assert said("x" * 76 * 1024) == [("mail-size", "warning")]
    assert said("x" * 86 * 1024) == [("mail-clipped", "error")]
    assert said("ж" * 30 * 1024 + "x" * 10 * 1024) == []
    assert said("ж" * 40 * 1024) == [("mail-clipped", "error")]  # 80 KB, 108 KB in base64
    links = '<a class="x" href="https://example.org/a">' * 120
    assert said(links, "https://example.org/a\n" * 80) == []
    assert said(links, "https://example.org/a\n" * 81) == [("mail-links", "warning")]


def test_a_newsletter_may_need_a_legal_notice(root: Path) -> None:
    path = root / "config" / "newsletters" / "eurasia-briefing.toml"
    text = path.read_text("utf-8")
    path.write_text(text.partition("[legal_notice]")[0], "utf-8")
    assert rules_of(app.open_desk(app.load_settings(root, {}))) == []
    path.write_text("needs_legal_notice = true\n" + text.partition("[legal_notice]")[0], "utf-8")
    assert rules_of(app.open_desk(app.load_settings(root, {}))) == ["legal-notice"]


def test_the_parsers_warnings_can_be_switched_its_errors_not(root: Path) -> None:
    plant(root, '![A gate in the wall](contracts.png "The gate in 2021.")')
    assert rules_of(app.open_desk(app.load_settings(root, {}))) == ["image-credit"]
    assert rules_of(styled(root, '[rules]\nimage-credit = "off"\n')) == []
    (problem,) = rendering.examine(styled(root, '[rules]\nimage-credit = "error"\n'), ISSUE)[1]
    assert problem.severity is Severity.ERROR
    with pytest.raises(ConfigurationError, match="no rule 'image-alt'"):
        styled(root, '[rules]\nimage-alt = "off"\n')


@pytest.mark.parametrize(
    "url", ["sqlite:///var/none.db", "sqlite:///config/newsroom.toml", "postgresql://nobody@127.0.0.1:1/none", "nonsense"]
)
def test_without_a_database_nothing_is_said_of_it(desk: Desk, url: str) -> None:
    newsroom = desk.settings.newsroom.model_copy(update={"database": url})
    blind = replace(desk, settings=replace(desk.settings, newsroom=newsroom))
    assert paragraphs_sent(blind.settings, IssueId.parse(ISSUE)) == {}
    assert not (desk.settings.root / "var" / "none.db").exists()
    assert rules_of(blind) == []


def test_the_sheet_compares_with_the_usual() -> None:
    copy = read(draft(f"{SENT}\n\n## Expert Corner\n\nOne two three.\n\n## Elsewhere\n\nOne.\n\n## Until Next Time\n\nBye."))
    assert counts(copy.issue) == {"(opening)": 26, "expert-corner": 3, "Elsewhere": 1, "sign-off": 1}
    sheet = gather(copy, [{"(opening)": 20, "expert-corner": 4}, {"expert-corner": 8}, {"expert-corner": 6, "watch": 9}])
    assert sheet.usual == {"(opening)": 20, "Expert Corner": 6}
    said = printable(sheet)
    assert "Expert Corner        3   usually 6 (-50%)" in said
    assert "Elsewhere            1\n" in said
