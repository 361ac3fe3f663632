"""The folder as a mailbox: whole files, the same names on a repeat, and an honest word about a failing disk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.core.message import Accepted, Batch, Content, Recipient, TryLater
from pipeline.errors import DiskFault
from pipeline.providers.filebox import Filebox

CONTENT = Content(
    from_name="Desk",
    from_address="briefing@news.example.org",
    reply_to="",
    subject="A subject",
    html="<p>Hello</p>",
    text="Hello\n",
    list_id="cie.news.example.org",
    list_name="",
    language="en",
    archive_url="",
)


def batch(count: int) -> Batch:
    recipients = (
        Recipient(subscriber_id=i, address=f"reader{i}@example.com", unsubscribe_url=f"https://news.example.org/u/{i}")
        for i in range(1, count + 1)
    )
    return Batch(key="c1-b1-g0", campaign="1", content=CONTENT, recipients=tuple(recipients))


def filebox(directory: Path) -> Filebox:
    return Filebox(directory=directory, domain="news.example.org", now=lambda: datetime(2026, 11, 25, 6, 0, tzinfo=UTC))


def test_one_file_a_message_and_nothing_else(tmp_path: Path) -> None:
    outcomes = filebox(tmp_path / "deep" / "box").send(batch(3))
    names = sorted(path.name for path in (tmp_path / "deep" / "box").iterdir())
    assert names == [f"c1-b1-g0-{i}.eml" for i in (1, 2, 3)]
    assert list(outcomes) == [Accepted(f"c1-b1-g0-{i}@news.example.org") for i in (1, 2, 3)]


def test_a_repeat_writes_the_same_bytes_again(tmp_path: Path) -> None:
    filebox(tmp_path).send(batch(1))
    before = (tmp_path / "c1-b1-g0-1.eml").read_bytes()
    filebox(tmp_path).send(batch(1))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_nothing_written_is_a_fault_that_names_the_folder_and_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskFault, match="file") as caught:
        filebox(tmp_path / "file").send(batch(2))
    assert "provider.filebox.directory" in caught.value.hint
    assert "example.com" not in str(caught.value)


def test_what_was_written_before_the_disk_failed_is_kept_count_of(tmp_path: Path) -> None:
    (tmp_path / "c1-b1-g0-3.eml").mkdir()  # stands for the disk: the third write fails, for root too
    outcomes = filebox(tmp_path).send(batch(4))
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, TryLater, TryLater]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_mailbox_of_our_own_only_we_can_read(tmp_path: Path) -> None:
    filebox(tmp_path).send(batch(1))
    assert (tmp_path / "c1-b1-g0-1.eml").stat().st_mode & 0o077 == 0
