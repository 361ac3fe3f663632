"""When a send starts and of what: late, changed, empty, scheduled twice; and that its page stands before its mail leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline import app
from pipeline.core.campaign import CampaignState
from pipeline.errors import BriefingError, DiskFault, Refusal
from pipeline.flow import campaigns, delivery, editions
from tests.flow.conftest import ISSUE, NEWSLETTER, Office

Open = Callable[..., Office]


def prepared(office: Office, **schedule: object) -> int:
    """An approved issue, scheduled in an hour."""
    office.subscribe(5)
    editions.approve(office.sender, ISSUE, approved_by="test")
    return campaigns.schedule(office.sender, ISSUE, at=office.clock() + timedelta(hours=1), **schedule).id  # type: ignore[arg-type]


def test_it_starts_when_due_not_before(open_office: Open) -> None:
    office = open_office()
    id = prepared(office)
    assert campaigns.launch_due(office.sender) == 0
    office.clock.pass_by(hours=1)
    assert campaigns.launch_due(office.sender) == 1
    assert office.status(id).campaign.state is CampaignState.SENDING


@pytest.mark.parametrize(
    ("policy", "hours", "state"),
    [
        ("hold", 2.9, CampaignState.SENDING),
        ("hold", 3.1, CampaignState.HELD),
        ("send", 90, CampaignState.SENDING),
        ("drop", 90, CampaignState.CANCELLED),
    ],
)
def test_late_by_policy(open_office: Open, policy: str, hours: float, state: CampaignState) -> None:
    office = open_office()
    id = prepared(office, if_late=policy)
    office.clock.pass_by(hours=hours)
    campaigns.launch_due(office.sender)
    status = office.status(id)
    assert status.campaign.state is state
    if state is CampaignState.HELD:
        assert "no worker was running" in status.campaign.reason
        assert campaigns.resume(office.sender, id).state is CampaignState.SENDING


def test_a_change_after_the_approval_holds_the_send(open_office: Open, root: Path) -> None:
    office = open_office()
    id = prepared(office)
    draft = root / "issues" / ISSUE / "index.md"
    draft.write_text(draft.read_text("utf-8").replace("Beijing", "The capital", 1), "utf-8")
    with pytest.raises(Refusal, match="changed after its approval"):
        editions.current(office.sender, ISSUE)
    office.clock.pass_by(hours=1)
    campaigns.launch_due(office.sender)
    assert "changed after the approval" in office.status(id).campaign.reason
    with pytest.raises(Refusal, match="changed after the approval"):
        campaigns.resume(office.sender, id)
    approval, _ = editions.approve(office.sender, ISSUE, approved_by="the night editor")
    assert campaigns.resume(office.sender, id).edition_id == approval.id
    assert office.deliver_ready() == 1


def test_a_changed_picture_voids_the_approval_too(open_office: Open, root: Path) -> None:
    office = open_office()
    prepared(office)
    (root / "issues" / ISSUE / "contracts.png").write_bytes((root / "config" / "authors" / "desk.png").read_bytes())
    with pytest.raises(Refusal, match="changed after its approval"):
        editions.current(office.sender, ISSUE)


def test_nobody_subscribed_holds_the_send(open_office: Open) -> None:
    office = open_office()
    editions.approve(office.sender, ISSUE, approved_by="test")
    id = campaigns.schedule(office.sender, ISSUE, at=office.clock()).id
    campaigns.launch_due(office.sender)
    assert office.status(id).campaign.state is CampaignState.HELD
    assert "nobody is subscribed" in office.status(id).campaign.reason
    office.subscribe(3)
    assert campaigns.resume(office.sender, id).audience == 3


def test_an_issue_is_scheduled_once_and_only_when_approved(open_office: Open) -> None:
    office = open_office()
    with pytest.raises(Refusal, match="not been approved"):
        campaigns.schedule(office.sender, ISSUE, at=office.clock())
    prepared(office)
    with pytest.raises(Refusal, match="has a campaign already"):
        campaigns.schedule(office.sender, ISSUE, at=office.clock())


def test_the_past_is_refused(open_office: Open) -> None:
    office = open_office()
    editions.approve(office.sender, ISSUE, approved_by="test")
    with pytest.raises(Refusal, match="is past"):
        campaigns.schedule(office.sender, ISSUE, at=office.clock() - timedelta(minutes=1))


def test_what_was_sent_is_what_the_archive_shows(open_office: Open) -> None:
    office = open_office()
    office.launch(3)
    archive = office.sender.settings.var / "archive"
    approval, _ = editions.current(office.sender, ISSUE)
    assert (archive / ISSUE / "index.html").read_text("utf-8") == approval.edition.web
    for one in approval.edition.pictures:
        assert (archive / "media" / one.name).is_file()
    sheet = re.search(r'href="../../(style-[0-9a-f]+\.css)"', approval.edition.web)
    assert sheet is not None
    assert (archive / sheet[1]).is_file()
    assert approval.edition.title in (archive / NEWSLETTER / "index.html").read_text("utf-8")
    assert approval.edition.archive_url in (archive / NEWSLETTER / "feed.xml").read_text("utf-8")


def test_the_page_stands_before_the_first_mail_leaves(open_office: Open) -> None:
    office = open_office()
    office.subscribe(3)
    editions.approve(office.sender, ISSUE, approved_by="test")
    id = campaigns.schedule(office.sender, ISSUE, at=office.clock()).id
    blocked = office.sender.settings.var / "archive"
    blocked.write_text("in the way", "utf-8")
    campaigns.launch_due(office.sender)
    assert office.status(id).tally.waiting == 3
    assert delivery.ready(office.sender, 10) == []
    with pytest.raises(DiskFault):
        campaigns.publish_pending(office.sender)
    blocked.unlink()
    campaigns.publish_pending(office.sender)
    assert office.deliver_ready() == 1


def test_killed_while_publishing_the_mail_waits_for_the_page(open_office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies before the page is whole; what comes next writes it, and only then the mail may leave."""

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    office = open_office()
    office.subscribe(3)
    editions.approve(office.sender, ISSUE, approved_by="test")
    campaigns.schedule(office.sender, ISSUE, at=office.clock())
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("pipeline.flow.archive.write_file", die)
        campaigns.launch_due(office.sender)
    page = office.sender.settings.var / "archive" / ISSUE / "index.html"
    assert not page.exists()
    assert delivery.ready(office.sender, 10) == []
    campaigns.publish_pending(office.sender)
    assert page.exists()
    assert office.deliver_ready() == 1


def test_a_restored_key_is_needed(root: Path, open_office: Open) -> None:
    office = open_office()
    office.subscribe(1)
    (root / "keys" / "index.key").unlink()
    with pytest.raises(BriefingError, match=r"index\.key is missing"):
        app.open_station(office.sender.settings, office.clock)
