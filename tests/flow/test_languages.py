"""Editions in several languages: linked both ways, whatever is approved or sent first; the demo sends an original."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.cli.stage import NEWSLETTER as DEMO_NEWSLETTER
from pipeline.core.campaign import CampaignState
from pipeline.flow import archive, campaigns, drafts, editions
from tests.flow.conftest import ISSUE, NEWSLETTER, Office

Open = Callable[..., Office]
RUSSIAN, UYGHUR = f"{ISSUE}-ru", f"{ISSUE}-ug"


def publish(office: Office, issue: str) -> None:
    """Approves, schedules for now, and sends."""
    editions.approve(office.sender, issue, approved_by="test")
    made = campaigns.schedule(office.sender, issue, at=office.clock())
    campaigns.launch_due(office.sender)
    campaigns.publish_pending(office.sender)
    office.deliver_ready()
    campaigns.close_finished(office.sender)
    assert office.status(made.id).campaign.state is CampaignState.SENT


def page(office: Office, path: str) -> str:
    """A page of the archive."""
    return (archive.place(office.sender) / path / "index.html").read_text("utf-8")


def test_the_samples_are_sound_and_know_each_other(open_office: Open) -> None:
    office = open_office()
    ids = (ISSUE, RUSSIAN, UYGHUR)
    for id in ids:
        draft = drafts.read(office.sender, id)
        assert draft.problems == ()
        assert draft.issue is not None
        assert [str(one.id) for one in drafts.siblings(office.sender, draft.issue)] == [other for other in ids if other != id]


def test_a_link_to_an_edition_that_is_not_out_leads_to_a_page_that_says_so(open_office: Open) -> None:
    office = open_office()
    office.subscribe(3)
    publish(office, ISSUE)
    assert "Этот выпуск ещё не вышел" in page(office, RUSSIAN)
    assert f"../../{ISSUE}/index.html" in page(office, RUSSIAN)
    assert 'lang="ug" dir="rtl"' in page(office, UYGHUR)
    assert "noindex" in page(office, UYGHUR)
    lists = page(office, NEWSLETTER)
    assert RUSSIAN not in lists
    assert "Also in:" not in lists
    publish(office, RUSSIAN)
    approved, _ = editions.current(office.sender, RUSSIAN)
    assert page(office, RUSSIAN) == approved.edition.web
    assert approved.edition.translation_of == ISSUE
    assert f"../../{ISSUE}/index.html" in page(office, RUSSIAN)
    assert f"../../{RUSSIAN}/index.html" in page(office, ISSUE)
    assert page(office, NEWSLETTER).count("Also in:") == 2, "both ways"
    archive.build(office.sender)
    assert page(office, RUSSIAN) == approved.edition.web, "built anew, a place held takes no page's place"


def test_a_page_approved_before_its_translation_stays_and_the_lists_link_both_ways(open_office: Open, root: Path) -> None:
    office = open_office()
    office.subscribe(3)
    path = root / "issues" / RUSSIAN / "index.md"
    russian = path.read_text("utf-8")
    path.write_text(russian.replace("translation_of:", "# translation_of:"), "utf-8")
    publish(office, ISSUE)
    frozen = page(office, ISSUE)
    assert RUSSIAN not in frozen
    path.write_text(russian, "utf-8")
    editions.current(office.sender, ISSUE)
    publish(office, RUSSIAN)
    assert page(office, ISSUE) == frozen
    lists = page(office, NEWSLETTER)
    assert f'href="../{RUSSIAN}/index.html">Русский</a>' in lists
    assert f'href="../{ISSUE}/index.html">English</a>' in lists
    sitemap = (archive.place(office.sender) / "sitemap.xml").read_text("utf-8")
    assert sitemap.count('hreflang="ru"') == sitemap.count('hreflang="en"') == 2


def test_a_translation_of_nothing_is_noticed(open_office: Open, root: Path) -> None:
    path = root / "issues" / RUSSIAN / "index.md"
    path.write_text(path.read_text("utf-8").replace("of: 2021-08-18-after-kabul", "of: 2021-08-18-after-kabbul"), "utf-8")
    assert [one.rule for one in drafts.read(open_office().sender, RUSSIAN).problems] == ["translation-unknown"]


def test_an_unsound_translation_is_not_linked(open_office: Open, root: Path) -> None:
    office = open_office()
    path = root / "issues" / UYGHUR / "index.md"
    path.write_text(path.read_text("utf-8") + "\n<b>raw</b>\n", "utf-8")
    issue = drafts.read(office.sender, ISSUE).issue
    assert issue is not None
    assert [one.language for one in drafts.siblings(office.sender, issue)] == ["ru"]


def test_the_demo_sends_the_newest_original(open_office: Open) -> None:
    office = open_office()
    assert str(drafts.newest_original(office.sender, DEMO_NEWSLETTER)) == ISSUE
    assert str(drafts.listed(office.sender, DEMO_NEWSLETTER)[0][0]) != ISSUE
