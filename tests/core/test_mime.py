"""The composed message, read back by the standard library's parser, which shares no code with the composer."""

from __future__ import annotations

import email
import email.policy
import os
import subprocess
import sys
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.headers import ONE_CLICK, encoded_words, list_headers, mailbox, unstructured, url_value
from pipeline.core.message import Content, InlinePicture
from pipeline.core.mime import assemble, compose, fold

DATE = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
URL = "https://news.example.org/unsubscribe/" + "t0k3n" * 40
SCORE = Path(os.environ.get("BRIEFING_SHARED", Path(__file__).parents[3] / "shared")) / "tools" / "score_email.py"

LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=160)
BODY = st.text(st.characters(exclude_categories=["Cs"]), max_size=600)


def content(*, inline: tuple[InlinePicture, ...] = (), **changes: str) -> Content:
    values = {
        "from_name": "China In Eurasia",
        "from_address": "briefing@news.example.org",
        "reply_to": "desk@example.org",
        "subject": "China In Eurasia: why a railway redraws the map",
        "html": "<!DOCTYPE html><html lang='en'><body><p>Bodies travel alike &ndash; Здравствуйте</p></body></html>",
        "text": "Bodies travel alike — Здравствуйте\n",
        "list_id": "cie.news.example.org",
        "list_name": "China In Eurasia",
        "language": "en",
        "archive_url": "https://news.example.org/cie/2026-11-25-railway",
        "list_archive_url": "https://news.example.org/cie/",
    }
    return Content(**(values | changes), inline=inline)


def composed(to: str = "reader@example.com", *, inline: tuple[InlinePicture, ...] = (), **changes: str) -> bytes:
    return compose(content(inline=inline, **changes), to=to, unsubscribe_url=URL, message_id="c1-b1-g0-7@news.example.org", date=DATE)


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def decoded(value: str) -> str:
    """Unfolded (RFC 5322 section 2.2.3) and with its encoded words read."""
    return str(make_header(decode_header(value.replace("\r\n", ""))))


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_headers_and_parts() -> None:
    message = parsed(composed())
    assert message["From"] == "China In Eurasia <briefing@news.example.org>"
    assert message["To"] == "reader@example.com"
    assert message["Reply-To"] == "desk@example.org"
    assert message["Date"].datetime == DATE
    assert message["Message-ID"] == "<c1-b1-g0-7@news.example.org>"
    assert message["List-Id"] == "China In Eurasia <cie.news.example.org>"
    assert message["List-Unsubscribe-Post"] == ONE_CLICK
    assert message["Archived-At"] == "<https://news.example.org/cie/2026-11-25-railway>"
    assert message["List-Archive"] == "<https://news.example.org/cie/>"
    assert message["Content-Language"] == "en"
    assert message["MIME-Version"] == "1.0"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert {part.get_content_charset() for part in message.iter_parts()} == {"utf-8"}
    assert body(message, "plain") == "Bodies travel alike — Здравствуйте\r\n"
    assert "Здравствуйте" in body(message, "html")


PICTURE = InlinePicture(
    content_id="ferry-abc.jpg@cie.news.example.org", name="ferry-abc.jpg", media_type="image/jpeg", data=bytes(range(256)) * 9
)


def test_pictures_travel_beside_the_html_and_the_text_stays_first() -> None:
    message = parsed(composed(inline=(PICTURE,)))
    assert not message.defects
    text, related = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert related.get_content_type() == "multipart/related"
    assert related.get_param("type") == "text/html"  # RFC 2387, 3.1
    html, picture = related.iter_parts()
    assert html.get_content_type() == "text/html"
    assert picture["Content-ID"] == "<ferry-abc.jpg@cie.news.example.org>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_filename() == "ferry-abc.jpg"
    assert picture.get_payload(decode=True) == PICTURE.data
    assert body(message, "plain") == "Bodies travel alike — Здравствуйте\r\n"
    assert composed(inline=(PICTURE,)) == composed(inline=(PICTURE,))
    assert all(len(line) <= 78 for line in composed(inline=(PICTURE,)).split(b"\r\n") if b"http" not in line)


@pytest.mark.parametrize(
    "change", [{"content_id": "no-at"}, {"content_id": "a@b>\r\nX: y"}, {"name": 'a"b.jpg'}, {"media_type": "image/jpeg\r\nX: y"}]
)
def test_a_picture_whose_name_would_break_its_header_is_refused(change: dict[str, str]) -> None:
    bad = InlinePicture(**({"content_id": "a@b", "name": "a.jpg", "media_type": "image/jpeg"} | change), data=b"")
    with pytest.raises(ValueError, match="fit its header"):
        composed(inline=(bad,))


def test_the_unsubscribe_url_stands_on_one_line_as_it_is() -> None:
    assert len(URL) > 200
    assert f"\r\nList-Unsubscribe: <{URL}>\r\n".encode() in composed()


def test_same_arguments_same_bytes_and_other_bodies_other_boundary() -> None:
    assert composed() == composed()
    assert parsed(composed()).get_boundary() != parsed(composed(text="other")).get_boundary()


def test_empty_reply_to_and_archive_are_left_out() -> None:
    message = parsed(composed(reply_to="", archive_url="", list_archive_url="", list_name="", from_name=""))
    assert message["Reply-To"] is None
    assert message["Archived-At"] is None
    assert message["List-Archive"] is None
    assert message["List-Id"] == "<cie.news.example.org>"
    assert message["From"] == "briefing@news.example.org"


@settings(max_examples=60, deadline=None)
@given(subject=LINE)
def test_any_subject_comes_back(subject: str) -> None:
    raw = composed(subject=subject)
    head = raw.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 998 and line.isascii() for line in head.split(b"\r\n"))
    assert decoded(str(email.message_from_bytes(raw)["Subject"])) == subject
    assert all(len(word) <= 75 for line in head.split(b"\r\n") for word in line.split() if word.startswith(b"=?"))


@settings(max_examples=60, deadline=None)
@given(name=LINE)
def test_any_display_name_comes_back(name: str) -> None:
    # Not policy.default: it keeps the space between two encoded words of a name, which RFC 2047 section 6.2 drops.
    found, address = parseaddr(str(email.message_from_bytes(composed(from_name=name))["From"]).replace("\r\n", ""))
    assert address == "briefing@news.example.org"
    assert decoded(found) == name


@settings(max_examples=60, deadline=None)
@given(html=BODY, text=BODY)
def test_any_body_comes_back_with_canonical_line_ends(html: str, text: str) -> None:
    raw = assemble([("Subject", "x")], text=text, html=html)
    message = parsed(raw)
    for kind, given_body in (("plain", text), ("html", html)):
        canonical = given_body.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
        assert body(message, kind) == canonical
    assert all(len(line) <= 76 or line.startswith(b"Content-") for line in raw.split(b"\r\n"))
    assert raw.isascii()
    assert raw.replace(b"\r\n", b"").count(b"\n") == raw.replace(b"\r\n", b"").count(b"\r") == 0


@pytest.mark.parametrize(("text", "encoding"), [("English text " * 50, "quoted-printable"), ("Кириллица " * 50, "base64")])
def test_the_smaller_encoding_is_taken(text: str, encoding: str) -> None:
    part = parsed(assemble([], text=text, html=None)).get_body(("plain",))
    assert part is not None
    assert part["Content-Transfer-Encoding"] == encoding


@pytest.mark.parametrize("field", ["subject", "from_name", "from_address", "reply_to", "list_id", "list_name", "language", "archive_url"])
@pytest.mark.parametrize("ending", ["\r\nBcc: x@example.com", "\nX: y", "\ry", "\x00", "\u2028y", "\x85y"])
def test_no_value_starts_a_header_of_its_own(field: str, ending: str) -> None:
    with pytest.raises(ValueError, match=r"holds|is not|dotted"):
        composed(**{field: getattr(content(), field) + ending})


@pytest.mark.parametrize(
    "to", ["", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "Name <a@b.example>", "a b@c.example", "nobody"]
)
def test_a_recipient_is_one_bare_address_and_never_quoted_in_the_error(to: str) -> None:
    with pytest.raises(ValueError, match=r"^To ") as caught:
        composed(to=to)
    assert "example" not in str(caught.value)


def test_a_non_ascii_local_part_is_written_as_rfc_6532_has_it() -> None:
    assert "To: почта@xn--e1afmkfd.example\r\n".encode() in composed(to="почта@xn--e1afmkfd.example")


@pytest.mark.parametrize(
    "url", ["http://news.example.org/u", "javascript:alert(1)", "https://", "https://a.example/x y", "https://a.example/<x>"]
)
def test_only_https_urls_are_let_through(url: str) -> None:
    with pytest.raises(ValueError, match="List-Unsubscribe"):
        url_value("List-Unsubscribe", url)


def test_plain_http_is_for_this_machine_alone() -> None:
    assert url_value("Archived-At", "http://127.0.0.1:8025/a") == "<http://127.0.0.1:8025/a>"


def test_a_path_in_another_script_is_percent_encoded() -> None:
    assert (
        url_value("Archived-At", "https://a.example/новости?x=1%20")
        == "<https://a.example/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8?x=1%20>"
    )


@pytest.mark.parametrize("message_id", ["", "x", "x@y@z z", "<x@y", "x@y>\r\n"])
def test_message_id_must_be_one(message_id: str) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        compose(content(), to="a@b.example", unsubscribe_url=URL, message_id=message_id, date=DATE)


def test_a_naive_date_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        compose(content(), to="a@b.example", unsubscribe_url=URL, message_id="x@y", date=datetime(2026, 11, 25))


def test_a_header_word_longer_than_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than a line"):
        fold("X-Long", "y" * 1200)


@pytest.mark.parametrize("text", ["=?utf-8?q?trap?=", " leading", "trailing ", "two  spaces", "x" * 200, "é"])
def test_text_that_a_parser_would_change_is_encoded(text: str) -> None:
    assert unstructured("Subject", text) == encoded_words(text)


def test_quotes_in_a_display_name() -> None:
    assert mailbox("From", 'The "Desk"', "a@b.example") == '"The \\"Desk\\"" <a@b.example>'


def test_list_headers_are_those_of_the_message() -> None:
    message = parsed(composed())
    for name, value in list_headers(content(), URL).items():
        assert message[name] == value


@pytest.mark.skipif(not SCORE.exists(), reason=f"the scoring script is not at {SCORE} (BRIEFING_SHARED)")
def test_the_outside_score_finds_no_fault(tmp_path: Path) -> None:
    page = (
        "<!DOCTYPE html><html lang='en'><body><p>The corridor has been on drawing boards for decades.</p>"
        '<p><a href="https://news.example.org/report">Read the report</a></p></body></html>'
    )
    plain = "The corridor has been on drawing boards for decades.\n\nRead the report: https://news.example.org/report\n"
    path = tmp_path / "issue.eml"
    path.write_bytes(composed(html=page, text=plain, from_name="Редакция", list_name="Китай в Евразии"))
    command = [sys.executable, str(SCORE), str(path), "--skip", "vnu,cie,ens,axe,sa,rsp", "--json", str(tmp_path / "score.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"mime": 0' in (tmp_path / "score.json").read_text(), (tmp_path / "score.json").read_text()
