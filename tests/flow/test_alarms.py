"""Alarms: each told once, through a provider that need not be the failing one; and the dead man's, by real mailboxes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import typer.main
from sqlalchemy import select

from pipeline.cli.main import cli
from pipeline.core.campaign import CampaignCause, CampaignState
from pipeline.errors import ConfigurationError, Refusal
from pipeline.flow import alarms, campaigns, delivery, editions, occurrences, seeds
from pipeline.store import campaigns as campaign_rows
from pipeline.store.batches import BatchKey
from pipeline.store.engine import reading, transaction
from pipeline.store.tables import alarm
from tests.flow.conftest import NEWSLETTER, Office
from tests.providers.imap_servers import PASSWORD, USER, Mailserver, dovecot
from tests.providers.smtp_servers import aiosmtpd_server

Open = Callable[..., Office]
LONG_AGO = datetime(2021, 8, 1, tzinfo=UTC)
ISSUE = f"{NEWSLETTER}/2021-08-18-plain"
DESK, NIGHT = "desk@example.org", "night@example.org"


def configure(root: Path, *lines: str) -> None:
    """Adds lines to the newsroom's configuration."""
    path = root / "config" / "newsroom.toml"
    path.write_text(path.read_text("utf-8") + "\n".join(["", *lines, ""]), "utf-8")


@pytest.fixture(autouse=True)
def _a_draft_without_pictures(root: Path) -> None:
    path = root / "issues" / f"{ISSUE}.md"
    path.write_text("---\ntitle: A short issue\n---\n\nA paragraph of an issue without pictures.\n", "utf-8")


def launched(office: Office, readers: int = 3) -> int:
    office.subscribe(readers)
    editions.approve(office.sender, ISSUE, approved_by="test")
    made = campaigns.schedule(office.sender, ISSUE, at=office.clock())
    campaigns.launch_due(office.sender)
    return made.id


def told(office: Office) -> list[EmailMessage]:
    """The mails of the file box, oldest first."""
    folder = office.sender.settings.var / "outbox"
    paths = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]


def keys(office: Office) -> set[str]:
    return {one.key.rpartition("/")[0] if one.key.startswith("held/") else one.key for one in alarms.lasting(office.sender)}


def hold(office: Office, id: int, reason: str) -> None:
    with transaction(office.sender.engine) as connection:
        assert campaign_rows.move(connection, id, CampaignCause.HOLD, CampaignState.HELD, reason=reason)


def test_a_refused_key_is_told_through_another_provider_once(open_office: Open, root: Path) -> None:
    configure(root, "[alarms]", f'to = ["{DESK}", "{NIGHT}"]', 'provider = "filebox"')
    office = open_office("401=1")
    id = launched(office)
    for key in delivery.ready(office.sender, 10):
        with pytest.raises(Exception, match="Forbidden"):
            delivery.deliver(office.sender, key)
    for _ in range(3):
        alarms.go_round(office.sender)
        office.clock.pass_by(minutes=10)
    mails = told(office)
    assert sorted(mail["To"] for mail in mails) == [DESK, NIGHT]
    assert {mail["Subject"] for mail in mails} == {f"[Example Newsroom] Eurasia Briefing: campaign {id} is held"}
    body = mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert f"briefing resume {id}" in body
    assert "401" in body
    assert "reader0@" not in mails[0].as_string()
    # Resumed, and held for the same reason again: that is another alarm.
    campaigns.resume(office.sender, id)
    alarms.go_round(office.sender)
    assert keys(office) == set()
    hold(office, id, "another reason")
    alarms.go_round(office.sender)
    assert len(told(office)) == 4


def test_the_failing_provider_is_tried_some_times_never_in_a_loop(open_office: Open, root: Path) -> None:
    configure(root, "[alarms]", f'to = ["{DESK}"]')
    office = open_office("401=1")
    id = launched(office)
    hold(office, id, "the provider refused our key")
    for _ in range(60):
        alarms.go_round(office.sender)
        office.clock.pass_by(minutes=10)
    with reading(office.sender.engine) as connection:
        row = connection.execute(select(alarm)).one()
    assert (row.tries, row.next_try_at, row.told) == (len(alarms.PAUSES), None, "")
    assert "401" in row.said
    assert DESK not in row.said
    assert row.over_at is None


def test_whoever_was_told_is_not_told_again_when_another_mail_fails(open_office: Open, root: Path) -> None:
    configure(root, "[alarms]", f'to = ["{DESK}", "{NIGHT}"]', 'provider = "smtp"')
    with aiosmtpd_server() as server:
        server.answers[NIGHT] = "451 4.7.1 greylisted"
        office = open_office(
            BRIEFING_SMTP_HOST="127.0.0.1", BRIEFING_SMTP_PORT=str(server.port), BRIEFING_SMTP_SECURITY="none",
            BRIEFING_SMTP_DOMAIN="news.example.org",
        )  # fmt: skip
        hold(office, launched(office), "a reason")
        alarms.go_round(office.sender)
        assert [to for _, to, _ in server.mails] == [DESK]
        server.answers.clear()
        office.clock.pass_by(minutes=2)
        alarms.go_round(office.sender)
        alarms.go_round(office.sender)
        assert [to for _, to, _ in server.mails] == [DESK, NIGHT]


def test_killed_in_the_middle_of_a_try_it_goes_on_where_it_stood(open_office: Open, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> str:
        raise Killed

    configure(root, "[alarms]", f'to = ["{DESK}"]', 'provider = "filebox"')
    office = open_office()
    hold(office, launched(office), "a reason")
    with monkeypatch.context() as patch:
        patch.setattr(alarms, "_mail_one", die)
        with pytest.raises(Killed):
            alarms.go_round(office.sender)
    alarms.go_round(office.sender)
    assert told(office) == []  # the next try has its time
    office.clock.pass_by(minutes=1)
    alarms.go_round(office.sender)
    assert len(told(office)) == 1


def test_doubts_that_do_not_end_by_themselves(open_office: Open) -> None:
    office = open_office("drop-after=1x", BRIEFING_SANDBOX_CLASS="neither")
    id = launched(office)
    office.deliver_ready()
    assert office.status(id).tally.in_doubt == 3
    alarms.refresh(office.sender)
    assert keys(office) == set()
    office.clock.pass_by(minutes=16)
    campaigns.tend(office.sender)
    alarms.refresh(office.sender)
    assert keys(office) == {f"doubt/{id}"}
    assert "Of 3 readers" in alarms.lasting(office.sender)[0].body
    campaigns.resolve(office.sender, BatchKey(id, 1), "accepted", by="test")
    alarms.refresh(office.sender)
    assert keys(office) == set()


def test_a_missed_slot_until_somebody_says_they_know(open_office: Open) -> None:
    office = open_office()
    occurrences.keep(office.sender)
    office.clock.pass_by(hours=1)
    occurrences.keep(office.sender)
    for _ in range(2):
        alarms.refresh(office.sender)
        assert keys(office) == {f"missed/{NEWSLETTER}/2021-08-18"}
    assert f"briefing skip {NEWSLETTER} 2021-08-18" in alarms.lasting(office.sender)[0].body
    occurrences.skip(office.sender, NEWSLETTER, date(2021, 8, 18))
    alarms.refresh(office.sender)
    assert keys(office) == set()
    assert len(alarms.listed(office.sender)) == 1


def test_nobody_at_work(open_office: Open) -> None:
    """What ``alarms check`` sees from beside a worker that is dead: before the launch, and after it."""
    office = open_office()
    office.subscribe(3)
    editions.approve(office.sender, ISSUE, approved_by="test")
    id = campaigns.schedule(office.sender, ISSUE, at=office.clock()).id
    office.clock.pass_by(minutes=14)
    assert alarms.go_round(office.sender) == []
    office.clock.pass_by(minutes=1)
    (one,) = alarms.go_round(office.sender)
    assert one.title == f"Eurasia Briefing: campaign {id} has not started"
    campaigns.launch_due(office.sender)
    campaigns.tend(office.sender)
    assert alarms.go_round(office.sender) == []
    office.clock.pass_by(minutes=15)
    (one,) = alarms.go_round(office.sender)
    assert one.title == f"Eurasia Briefing: campaign {id} is left alone"
    campaigns.tend(office.sender)
    assert alarms.go_round(office.sender) == []


# --- seed mailboxes ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailserver]:
    with dovecot(tmp_path_factory.mktemp("dovecot")) as one:
        yield one


@contextmanager
def seeded(root: Path, open_office: Open, server: Mailserver, folder: str, *, port: int = 0) -> Iterator[Office]:
    server.put(b"Subject: the first\r\n\r\nso that the folder is there\r\n", LONG_AGO, folder)
    configure(
        root, "[alarms]", f'to = ["{DESK}"]', 'provider = "filebox"', "[alarms.seeds.near]", 'host = "127.0.0.1"',
        f"port = {port or server.port}", f'user = "{USER}"', 'security = "none"', f'folder = "{folder}"',
    )  # fmt: skip
    yield open_office(BRIEFING_ALARMS_SEEDS_NEAR_PASSWORD=PASSWORD)


def carry(office: Office, server: Mailserver, folder: str, *, late: float = 0) -> None:
    """Does what the internet would: takes the mail out of the sandbox and puts it into the mailbox."""
    newest = office.inbox.store.mails()[1][0]
    mail = office.inbox.store.mail(newest.id)
    assert mail is not None
    head = "".join(f"{name}: {value}\r\n" for name, value in mail.headers)
    server.put(f"{head}\r\n{mail.text}\r\n".encode(), office.clock() + timedelta(minutes=late), folder)


def test_mail_that_arrives_is_seen_and_no_alarm(open_office: Open, root: Path, server: Mailserver) -> None:
    with seeded(root, open_office, server, "arrives") as office:
        id = launched(office)
        campaigns.tend(office.sender)
        office.deliver_ready()
        assert alarms.go_round(office.sender) == []
        assert office.status(id).arrived == ("near not yet",)
        office.clock.pass_by(minutes=1)
        carry(office, server, "arrives")
        alarms.go_round(office.sender)
        assert office.status(id).arrived == ("near 04:31 UTC",)
        campaigns.close_finished(office.sender)
        office.clock.pass_by(hours=2)
        assert alarms.go_round(office.sender) == []
        assert told(office) == []


def test_mail_that_does_not_arrive_is_an_alarm_until_it_does(open_office: Open, root: Path, server: Mailserver) -> None:
    with seeded(root, open_office, server, "late") as office:
        id = launched(office)
        office.deliver_ready()
        campaigns.close_finished(office.sender)
        office.clock.pass_by(minutes=14)
        assert alarms.go_round(office.sender) == []
        office.clock.pass_by(minutes=1)
        (one,) = alarms.go_round(office.sender)
        assert one.title == f"Eurasia Briefing: campaign {id} has not arrived"
        assert "near: the mail is not there" in one.body
        (mail,) = told(office)
        assert "has not arrived" in mail["Subject"]
        carry(office, server, "late")
        office.clock.pass_by(minutes=1)
        assert alarms.go_round(office.sender) == []
        assert len(told(office)) == 1


def test_a_test_mail_of_the_same_issue_is_no_arrival(open_office: Open, root: Path, server: Mailserver) -> None:
    with seeded(root, open_office, server, "tested") as office:
        id = launched(office)
        office.deliver_ready()
        carry(office, server, "tested", late=-30)  # the same headers, before the launch
        office.clock.pass_by(minutes=15)
        campaigns.close_finished(office.sender)
        assert [one.key for one in alarms.go_round(office.sender)] == [f"unseen/{id}"]


def test_a_mailbox_that_cannot_be_read_is_said(open_office: Open, root: Path, server: Mailserver) -> None:
    with seeded(root, open_office, server, "away", port=1) as office:
        launched(office)
        office.deliver_ready()
        campaigns.close_finished(office.sender)
        office.clock.pass_by(minutes=15)
        (one,) = alarms.go_round(office.sender)
        assert "near: 127.0.0.1 did not greet us" in one.body


def test_without_the_database_the_cadence_and_the_mailbox_tell(open_office: Open, root: Path, server: Mailserver) -> None:
    with seeded(root, open_office, server, "cadence") as office:
        launched(office)
        office.clock.pass_by(minutes=44)
        assert seeds.overdue_by_cadence(office.sender) == []  # 07:14: there is a minute left
        office.clock.pass_by(minutes=1)
        (said,) = seeds.overdue_by_cadence(office.sender)
        assert said == "Eurasia Briefing: nothing of the slot of 2021-08-18 07:00 (Europe/Prague) is in near"
        office.deliver_ready()
        carry(office, server, "cadence")
        assert seeds.overdue_by_cadence(office.sender) == []


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.getLogger("pipeline").level
    yield
    logging.root.handlers[:] = handlers
    logging.getLogger("pipeline").setLevel(level)


@pytest.mark.usefixtures("_logging_as_before")
def test_the_commands(
    open_office: Open, root: Path, server: Mailserver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with seeded(root, open_office, server, "commands"):
        monkeypatch.chdir(root)
        monkeypatch.setenv("BRIEFING_ALARMS_SEEDS_NEAR_PASSWORD", PASSWORD)

        def run(*arguments: str) -> tuple[int, Any]:
            capsys.readouterr()
            code = typer.main.get_command(cli)([*arguments, "--json"], standalone_mode=False)
            return code or 0, json.loads(capsys.readouterr().out)

        assert run("alarms", "test") == (0, {"people": 1, "told": 1, "faults": [], "seeds": {"near": ""}})
        assert run("alarms", "list") == (0, [])
        assert run("alarms", "check") == (0, {"overdue": []})
        monkeypatch.setenv("BRIEFING_ALARMS_SEEDS_NEAR_PASSWORD", "wrong")
        code, answer = run("alarms", "test")
        assert code == 1
        assert answer["seeds"]["near"].startswith("127.0.0.1 refused the login to the mailbox")


def test_nobody_to_tell_is_said(open_office: Open) -> None:
    with pytest.raises(Refusal, match="nobody is told of alarms"):
        alarms.try_out(open_office().sender)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["[alarms]", 'provider = "pigeon"'], r"newsroom.toml:\d+: alarms.provider is 'pigeon'"),
        (["[alarms.seeds.near]", 'host = "imap.example.org"', 'user = "x"', 'password = "y"'], "is a secret and may not stand in a file"),
        (["[alarms.seeds.near]", 'host = "imap.example.org"', 'user = "x"', 'security = "none"'], "for a server on this machine only"),
        (["[alarms.seeds.near]", 'host = "imap.example.org"'], "alarms.seeds.near.user is missing"),
    ],
)
def test_settings_that_cannot_be(open_office: Open, root: Path, lines: list[str], message: str) -> None:
    configure(root, *lines)
    with pytest.raises(ConfigurationError, match=message):
        open_office()


def test_a_mailbox_without_a_password_is_no_reason_to_stop(open_office: Open, root: Path) -> None:
    configure(root, "[alarms.seeds.near]", 'host = "127.0.0.1"', 'user = "x"')
    with pytest.raises(ConfigurationError, match="has no password") as error:
        seeds.open_mailbox(open_office().sender, "near")
    assert "BRIEFING_ALARMS_SEEDS_NEAR_PASSWORD" in error.value.hint
