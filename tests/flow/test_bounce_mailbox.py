"""A campaign over SMTP whose bounces come by mail: from the signed return address to the suppression, over real servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import select

from pipeline.flow import feedback, suppressions
from pipeline.providers.registry import make_provider
from pipeline.store.engine import reading
from pipeline.store.tables import bookmark, event
from tests.flow.conftest import Office
from tests.providers.dovecot import PASSWORD, USER, dovecot
from tests.providers.smtp_servers import aiosmtpd_server
from tests.providers.test_dsn import POSTFIX, VERP

Open = Callable[..., Office]


def test_a_bounce_by_mail_suppresses_its_reader_once(open_office: Open) -> None:
    office = open_office()
    with dovecot() as box, aiosmtpd_server() as relay:
        settings = {
            "host": "127.0.0.1", "port": str(relay.port), "security": "none", "domain": "news.example.org",
            "bounces": "bounce@news.example.org", "bounce_key": "k" * 32, "imap_host": "localhost", "imap_port": str(box.tls_port),
            "imap_username": USER, "imap_password": PASSWORD, "certificates": str(box.certificate),
        }  # fmt: skip
        provider = make_provider("smtp", settings, office.clock)
        assert "the bounce mailbox opens" in provider.ask().said
        office = replace(office, sender=replace(office.sender, provider=provider))
        assert feedback.polls(office.sender)
        id = office.launch(3)
        office.deliver_ready()
        senders = {recipient: sender for sender, recipient, _ in relay.mails}
        assert len(senders) == 3
        box.deliver(POSTFIX.replace(VERP, senders["reader1@example.org"]).encode(), b"Subject: hello\n\nI am away.\n")
        assert feedback.poll(office.sender) == 1
        feedback.apply_pending(office.sender)
        assert [(one.reason, one.source, one.addresses) for one in suppressions.listed(office.sender)] == [("bounced", "smtp", 1)]
        with reading(office.sender.engine) as connection:
            ((named, batch, reader),) = connection.execute(select(event.c.campaign_id, event.c.batch_no, event.c.subscriber_id)).all()
            place = connection.execute(select(bookmark.c.place)).scalar_one()
        assert (named, batch) == (id, 1) and reader is not None
        assert bytes(place).endswith(b":2")
        assert feedback.poll(office.sender) == 0
        # A crash between the event and the bookmark: the mail is read again, and counts once.
        with office.sender.engine.begin() as connection:
            connection.execute(bookmark.delete())
        assert feedback.poll(office.sender) == 0
        provider.close()
