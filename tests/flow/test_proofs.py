"""Test sends: to the newsroom's own people, marked, complete with pictures, and nowhere in the books."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import typer.main

from pipeline.cli.main import cli
from pipeline.core.message import Batch, Outcome, Refused, RejectReason
from pipeline.core.token import NOBODY, open_leave_token
from pipeline.errors import ConfigurationError, Refusal, UsageError
from pipeline.flow import drafts, editions, proofs, readers, rendering, suppressions
from pipeline.flow.proofs import Fate
from pipeline.providers.base import Call, Provider
from pipeline.providers.sandbox.store import Mail
from tests.conftest import SetClock
from tests.flow.conftest import ISSUE, NEWSLETTER, Office

DESK, READER = "Desk@Example.org", "reader@example.org"
ILLUSTRATED = f"{NEWSLETTER}/2021-08-04-the-view-from-the-neighbors"
Open = Callable[..., Office]


def set_staff(root: Path, *addresses: str) -> None:
    """Writes the staff list into the newsroom's configuration."""
    path = root / "config" / "newsroom.toml"
    path.write_text(path.read_text("utf-8").replace('time_zone = "', f'staff = {json.dumps(addresses)}\ntime_zone = "', 1), "utf-8")


@pytest.fixture
def desk(root: Path, open_office: Open) -> Office:
    """An office whose staff list has three people."""
    set_staff(root, DESK, "proof@example.org", "intern@example.org")
    return open_office()


def inbox(office: Office) -> list[Mail]:
    """Every mail that arrived, complete."""
    found = (office.inbox.store.mail(one.id) for one in office.inbox.store.mails()[1])
    return [one for one in found if one is not None]


def books(office: Office) -> dict[str, int]:
    """How many rows each table of the database has."""
    path = office.sender.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def test_a_test_mail_is_the_draft_as_it_is_now_with_a_mark(desk: Office) -> None:
    done = proofs.send(desk.sender, ISSUE, ["desk@example.org", "proof@example.org", DESK])
    assert [one.fate for one in done.proofs] == [Fate.SENT, Fate.SENT], "the same person twice is one mail"
    edition, _ = drafts.render(desk.sender, drafts.read(desk.sender, ISSUE))
    mails = inbox(desk)
    assert len(mails) == 2
    for mail in mails:
        assert mail.subject == f"[TEST] {edition.subject}" == done.subject
        assert mail.html == edition.html
        assert mail.text == edition.text
    assert done.digest == edition.digest


def test_it_is_in_no_book_and_not_in_the_archive(desk: Office) -> None:
    desk.subscribe(3)
    before = books(desk)
    proofs.send(desk.sender, ILLUSTRATED, [DESK])
    assert books(desk) == before
    archive = desk.sender.settings.var / "archive"
    assert {path.parent.name for path in archive.rglob("*") if path.is_file()} == {"media"}, "no page, no list, no style sheet"
    id = desk.launch(3)
    assert desk.status(id).campaign.audience == 3
    desk.deliver_ready()
    assert desk.inbox.store.stats().mails == 4


def test_its_pictures_can_be_seen(desk: Office) -> None:
    proofs.send(desk.sender, ILLUSTRATED, [DESK])
    (mail,) = inbox(desk)
    names = re.findall(r'src="https://briefing\.example\.org/media/([^"]+)"', mail.html or "")
    assert names
    assert all((desk.sender.settings.var / "archive" / "media" / name).is_file() for name in names)


def test_its_link_to_leave_is_nobodys(desk: Office) -> None:
    readers.add(desk.sender, NEWSLETTER, DESK, consent="a test")
    before, stats = books(desk), readers.stats(desk.sender)
    proofs.send(desk.sender, ISSUE, [DESK])
    (mail,) = inbox(desk)
    headers = dict(mail.headers)
    token = headers["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    meaning = open_leave_token(desk.sender.leave_key, token, NEWSLETTER, desk.clock())
    assert meaning is not None
    assert meaning.subscriber_id == NOBODY
    assert readers.leave_by_token(desk.sender, NEWSLETTER, token), "it answers as any other"
    assert (books(desk), readers.stats(desk.sender)) == (before, stats)


def test_its_key_is_no_batch_key_and_never_the_same_twice(desk: Office, clock: SetClock) -> None:
    first = proofs.send(desk.sender, ISSUE, [DESK, "proof@example.org"])
    clock.pass_by(seconds=1)
    second = proofs.send(desk.sender, ISSUE, [DESK])
    receipts = [one.receipt for one in (*first.proofs, *second.proofs)]
    assert len(set(receipts)) == 3
    assert all(re.fullmatch(r"[0-9a-f]{8}-test-\d{20}-\d@mail\.example\.org", one) for one in receipts)
    assert desk.inbox.store.stats().duplicates == 0
    desk.launch(1)
    desk.deliver_ready()
    found = readers.find(desk.sender, "reader0@example.org")
    assert found is not None
    assert re.fullmatch(r"[0-9a-f]{8}-\d+-\d+-\d+@mail\.example\.org", found.issues[0][2].receipt or "")


def test_only_the_staff_gets_one_and_one_stranger_stops_all(desk: Office) -> None:
    readers.add(desk.sender, NEWSLETTER, READER, consent="a test")
    with pytest.raises(Refusal, match="address 2 is not on the staff list; nothing was sent") as error:
        proofs.send(desk.sender, ISSUE, [DESK, READER])
    assert READER not in f"{error.value.message} {error.value.hint}"
    assert 'staff = ["desk@example.org"]' in error.value.hint
    with pytest.raises(UsageError, match="this address cannot be used"):
        proofs.send(desk.sender, ISSUE, ["nobody"])
    with pytest.raises(UsageError, match="this address cannot be used") as several:
        proofs.send(desk.sender, ISSUE, [f"{DESK},proof@example.org"])
    assert several.value.hint == "Give --to once for each person."
    with pytest.raises(UsageError, match="a test mail needs an address"):
        proofs.send(desk.sender, ISSUE, [])
    assert desk.inbox.store.stats().mails == 0
    assert not (desk.sender.settings.var / "archive").exists()


def test_without_a_staff_list_nobody_gets_one(open_office: Open) -> None:
    with pytest.raises(Refusal, match="the staff list is empty"):
        proofs.send(open_office().sender, ISSUE, [DESK])


def test_the_staff_list_holds_addresses(root: Path, open_office: Open) -> None:
    set_staff(root, "desk@example.org", "not an address")
    with pytest.raises(ConfigurationError, match=r"newsroom\.toml:\d+: staff\.1: 'not an address' is not a mail address"):
        open_office()


def test_a_draft_with_errors_is_refused_and_an_unapproved_one_is_not(desk: Office) -> None:
    _, path = drafts.locate(desk.sender, ISSUE)
    editions.approve(desk.sender, ISSUE, approved_by="test")
    text = path.read_text("utf-8")
    path.write_text(text.replace("\n## ", "\nA line from after the approval.\n\n## ", 1), "utf-8")
    proofs.send(desk.sender, ISSUE, [DESK])
    assert "A line from after the approval." in (inbox(desk)[0].text or "")
    path.write_text(text + "\n<b>raw</b>\n", "utf-8")
    with pytest.raises(Refusal, match="has errors, the first:"):
        proofs.send(desk.sender, ISSUE, [DESK])
    assert desk.inbox.store.stats().mails == 1


def test_who_is_suppressed_stays_so(desk: Office) -> None:
    suppressions.add(desk.sender, DESK)
    done = proofs.send(desk.sender, ISSUE, [DESK, "proof@example.org"])
    assert [one.fate for one in done.proofs] == [Fate.SUPPRESSED, Fate.SENT]
    assert desk.inbox.store.stats().mails == 1


def test_each_address_has_an_outcome_of_its_own(desk: Office) -> None:
    class Choosy(Provider):
        name, capabilities = "choosy", desk.sender.provider.capabilities

        def compose(self, batch: Batch) -> Call:
            return desk.sender.provider.compose(batch)

        def submit(self, call: Call) -> tuple[Outcome, ...]:
            if call.batch.recipients[0].address.startswith("proof"):
                return (Refused(RejectReason.INVALID),)
            return tuple(desk.sender.provider.submit(call))

        def close(self) -> None:
            pass

    done = proofs.send(replace(desk.sender, provider=Choosy()), ISSUE, ["proof@example.org", DESK])
    assert [(one.fate, one.detail) for one in done.proofs] == [(Fate.REFUSED, "invalid"), (Fate.SENT, "")]


@pytest.mark.parametrize(("faults", "fate"), [("429=1x", Fate.NOT_SENT), ("drop-after=1x", Fate.UNKNOWN), ("refuse=1x", Fate.REFUSED)])
def test_the_moods_of_a_provider_are_told_as_they_are(root: Path, open_office: Open, faults: str, fate: Fate) -> None:
    set_staff(root, DESK)
    office = open_office(faults)
    done = proofs.send(office.sender, ISSUE, [DESK])
    assert [one.fate for one in done.proofs] == [fate]
    assert done.proofs[0].detail


def test_no_address_in_the_log_nor_in_a_traceback(desk: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "pipeline")
    done = proofs.send(desk.sender, ISSUE, [DESK])
    assert f"test send of {ISSUE}: 1 of 1 sent" in caplog.text
    assert "example.org" not in repr(done.proofs[0]).lower().replace("mail.example.org", "")
    assert "desk@" not in caplog.text.lower()


def test_the_sample_mail_says_the_same_as_before(desk: Office, tmp_path: Path) -> None:
    written = rendering.write(desk.sender, ISSUE, tmp_path)
    draft = drafts.read(desk.sender, ISSUE)
    edition, pictures = drafts.render(desk.sender, draft)
    eml = next(path for path in written.paths if path.suffix == ".eml").read_bytes()
    assert eml == rendering.sample_mail(edition, pictures, desk.sender.settings.newsroom.base_url, draft.path)
    assert b"[TEST]" not in eml


# --- the command -------------------------------------------------------------


@pytest.fixture
def run(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str]]]:
    """Runs ``briefing test-send`` with a folder as the provider; gives exit code and answer."""
    set_staff(root, "desk@example.org", "gone@example.org")
    monkeypatch.chdir(root)
    monkeypatch.setenv("BRIEFING_PROVIDER", "filebox")

    def call(*arguments: str) -> tuple[int, str]:
        code = typer.main.get_command(cli)(["test-send", ISSUE, *arguments], standalone_mode=False)
        return code or 0, "".join(capsys.readouterr())

    handlers, level = logging.root.handlers[:], logging.getLogger("pipeline").level
    yield call
    logging.root.handlers[:] = handlers  # the command's own writes to a stream that is gone
    logging.getLogger("pipeline").setLevel(level)


def test_the_command_tells_each_outcome(run: Callable[..., tuple[int, str]], root: Path) -> None:
    code, said = run("--to", "desk@example.org")
    assert (code, said.splitlines()[1]) == (0, "  desk@example.org: sent")
    assert said.startswith("[TEST] ")
    (eml,) = (root / "var" / "outbox").glob("*.eml")
    assert b"Subject: [TEST] " in eml.read_bytes()


def test_who_cannot_reach_the_provider_is_told_where_to_look(
    run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setenv("BRIEFING_PROVIDER", "sandbox")
    monkeypatch.setenv("BRIEFING_SANDBOX_BASE_URL", "http://127.0.0.1:9")
    code, said = run("--to", "desk@example.org")
    assert code == 3
    assert "not sent, try again (cannot reach 127.0.0.1" in said
    assert said.endswith("briefing doctor\n")


def test_the_commands_document(run: Callable[..., tuple[int, str]]) -> None:
    code, said = run("--to", "desk@example.org", "--to", "gone@example.org", "--json")
    document = json.loads(said)
    assert code == 0
    assert document.keys() == {"issue", "subject", "digest", "mails"}
    assert [(mail["address"], mail["outcome"]) for mail in document["mails"]] == [
        ("desk@example.org", "sent"),
        ("gone@example.org", "sent"),
    ]
