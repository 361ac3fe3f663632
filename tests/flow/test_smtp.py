"""A campaign over SMTP: batches of 50, one lost answer is one reader in doubt, a bounce finds its batch and reader."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage

from pipeline.core.campaign import CampaignState
from pipeline.flow import campaigns, doubts
from pipeline.flow.doubts import Reconciled
from pipeline.providers.bounces import Bounces
from pipeline.providers.dsn import read_dsn
from tests.flow.conftest import Office
from tests.providers.smtp_servers import CUT, aiosmtpd_server, scripted

Open = Callable[..., Office]


def over_smtp(open_office: Open, port: int, **more: str) -> Office:
    settings = {
        "BRIEFING_PROVIDER": "smtp", "BRIEFING_SMTP_HOST": "127.0.0.1", "BRIEFING_SMTP_PORT": str(port), "BRIEFING_SMTP_SECURITY": "none",
        "BRIEFING_SMTP_DOMAIN": "news.example.org",
    }  # fmt: skip
    return open_office(**settings, **more)


def deliver_all(office: Office) -> None:
    for _ in range(30):
        office.clock.pass_by(minutes=2)
        if not office.deliver_ready():
            return


def test_one_lost_answer_is_one_reader_in_doubt(open_office: Open) -> None:
    with scripted({"dot:60": CUT}, {"RCPT:3": "451 4.7.1 greylisted"}, {}) as server:
        office = over_smtp(open_office, server.port)
        id = office.launch(120)
        deliver_all(office)
        tally = office.status(id).tally
        assert (tally.sent, tally.in_doubt) == (119, 1)
        office.clock.pass_by(hours=1)
        assert doubts.reconcile(office.sender) == Reconciled()  # nobody can be asked, and nothing is sent again
        assert office.status(id).tally.in_doubt == 1
        assert len(server.taken) == 119
        assert len({one.partition(b"\r\nTo: ")[2].partition(b"\r\n")[0] for one in server.taken}) == 119


def test_a_server_that_relays_for_nobody_holds_the_campaign(open_office: Open) -> None:
    with scripted({"RCPT": "554 5.7.1 Relay access denied"}) as server:
        office = over_smtp(open_office, server.port)
        id = office.launch(120)
        deliver_all(office)
        status = office.status(id)
    assert status.campaign.state is CampaignState.HELD
    assert "Relay access denied" in status.campaign.reason
    assert status.tally.sent == 0
    assert status.tally.refused < 20


def test_a_bounce_finds_its_batch_and_reader(open_office: Open) -> None:
    with aiosmtpd_server() as inbox:
        key = "k" * 32
        office = over_smtp(open_office, inbox.port, BRIEFING_SMTP_BOUNCES="bounce@news.example.org", BRIEFING_SMTP_BOUNCE_KEY=key)
        id = office.launch(60)
        deliver_all(office)
    assert office.status(id).tally.sent == 60
    assert campaigns.close_finished(office.sender) == 1
    envelope_sender, address, message = inbox.mails[7]
    report = EmailMessage()
    report["To"], report["X-Failed-Recipients"] = envelope_sender, address
    report.set_content("550 5.1.1 no such user")
    (event,) = read_dsn(report.as_bytes(), bounces=Bounces("bounce@news.example.org", key), now=office.clock())
    assert f"{event.batch_key}-{event.subscriber_id}@news.example.org".encode() in message
    assert event.address == ""
