"""Whole campaigns through Resend and Amazon SES: what their capabilities mean once a call's answer is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pipeline.core.campaign import CampaignState
from pipeline.flow import campaigns, doubts, readers
from pipeline.flow.doubts import Reconciled
from pipeline.providers.registry import make_provider
from pipeline.store.batches import BatchKey
from tests.flow.conftest import NEWSLETTER, Office
from tests.providers.capture import Answerer, Capture, Request, ResendServer, SesServer, capturing

Open = Callable[..., Office]


def losing_the_first(server: Answerer) -> Answerer:
    """The server takes every call; a gateway before it loses the answer to the first."""
    calls: list[Request] = []

    def answerer(request: Request) -> tuple[int, Any]:
        calls.append(request)
        answer = server(request)
        return (502, {"message": "bad gateway"}) if len(calls) == 1 else answer

    return answerer


def office_with(open_office: Open, name: str, capture: Capture, **settings: str) -> Office:
    office = open_office()
    provider = make_provider(name, {"base_url": capture.url, **settings}, office.clock)
    return replace(office, sender=replace(office.sender, provider=provider))


def test_resend_answers_a_repeat_as_it_answered_first(open_office: Open) -> None:
    server = ResendServer("re_s3cret")
    with capturing(losing_the_first(server)) as capture:
        office = office_with(open_office, "resend", capture, api_key="re_s3cret")
        id = office.launch(230)
        assert office.deliver_ready() == 3
        assert (office.status(id).tally.in_doubt, office.status(id).tally.sent) == (100, 130)
        readers.leave_by_address(office.sender, NEWSLETTER, "reader7@example.org")  # the repeat is the same bytes all the same
        assert doubts.reconcile(office.sender) == Reconciled(settled=1)
        assert office.status(id).tally.sent == 230
        assert campaigns.close_finished(office.sender) == 1
        office.sender.provider.close()
    assert Counter(mail["To"] for mail in server.mails) == Counter({f"reader{number}@example.org": 1 for number in range(230)})
    assert capture.requests[0].body == capture.requests[-1].body
    assert office.status(id).campaign.state is CampaignState.SENT


def test_a_batch_in_doubt_at_ses_waits_for_a_person(open_office: Open) -> None:
    server = SesServer("AKIDEXAMPLE", "s3cret", "eu-central-1")
    with capturing(losing_the_first(server)) as capture:
        office = office_with(
            open_office, "ses", capture, access_key_id="AKIDEXAMPLE", secret_access_key="s3cret", region="eu-central-1"
        )  # fmt: skip
        id = office.launch(120)
        assert office.deliver_ready() == 3
        assert (office.status(id).tally.in_doubt, office.status(id).tally.sent) == (50, 70)
        assert doubts.reconcile(office.sender) == Reconciled(held=1)
        assert len(capture.requests) == 3
        campaigns.resolve(office.sender, BatchKey(id, 1), "accepted", by="test")
        assert office.status(id).tally.sent == 120
        assert campaigns.close_finished(office.sender) == 1
        office.sender.provider.close()
    assert Counter(mail["To"] for mail in server.mails) == Counter({f"reader{number}@example.org": 1 for number in range(120)})
    assert {tags["batch"].rpartition("-")[0].rpartition("-")[2] for tags in server.tags} == {"1", "2", "3"}
