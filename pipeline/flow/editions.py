"""Approval: freeze the edition that was seen. What is approved is what is sent and archived, byte for byte."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.core.campaign import CampaignState
from pipeline.errors import Refusal
from pipeline.flow import drafts
from pipeline.flow.context import Station
from pipeline.flow.drafts import Draft
from pipeline.render.pictures import make_renditions
from pipeline.render.web import site_css
from pipeline.store import campaigns, editions
from pipeline.store.editions import Approval, Asset
from pipeline.store.engine import reading, transaction


def approve(station: Station, reference: str, *, approved_by: str) -> tuple[Approval, Draft]:
    """Renders a sound draft and freezes it. Approving the same content again changes nothing; a campaign that is scheduled
    but has not started takes the new edition. Raises Refusal."""
    draft = drafts.read(station, reference)
    edition, pictures = drafts.render(station, draft)
    css_name, css = site_css(station.environment, station.settings.newsletter(draft.id.newsletter).brand)
    files = [Asset(name=one.name, media_type=one.media_type, data=one.data) for one in pictures]
    files.append(Asset(name=css_name, media_type="text/css", data=css))
    files += _renditions(station, draft, edition.renditions)
    with transaction(station.engine) as connection:
        before = editions.newest(connection, str(draft.id))
        if before is not None and before.digest == edition.digest and before.source_digest == draft.source_digest:
            return before, draft
        running = campaigns.listed(connection, issue_id=str(draft.id))
        if any(one.audience is not None and one.state is not CampaignState.CANCELLED for one in running):
            raise Refusal(
                f"{draft.id} has been sent, or is being sent, as approved; a new approval would change nothing for its readers",
                hint="Correct it in the next issue, or write a new one.",
            )
        id = editions.add(connection, edition, files, source_digest=draft.source_digest, approved_by=approved_by, now=station.clock())
        for one in running:
            campaigns.point_to(connection, one.id, id)
        return editions.by_id(connection, id), draft


def _renditions(station: Station, draft: Draft, names: Collection[str]) -> list[Asset]:
    """The web page's files that no earlier approval has made: what a name was once given stays, and encoding is slow."""
    with reading(station.engine) as connection:
        missing = set(names) - editions.present(connection, names)
    made: dict[str, Asset] = {}
    for name, picture in draft.pictures.items():
        for one, data in make_renditions(draft.sources[name], picture, missing - made.keys()):
            made[one.name] = Asset(name=one.name, media_type=one.media_type, data=data)
    return list(made.values())


def current(station: Station, reference: str) -> tuple[Approval, Draft]:
    """The approval that may be scheduled: one exists, and the draft has not changed since. Raises Refusal."""
    draft = drafts.read(station, reference)
    with reading(station.engine) as connection:
        approval = editions.newest(connection, str(draft.id))
    if approval is None:
        raise Refusal(f"{draft.id} has not been approved", hint=f"Approve it with: briefing approve {draft.id}")
    if approval.source_digest != draft.source_digest:
        raise Refusal(
            f"{draft.id} was changed after its approval at {approval.approved_at:%Y-%m-%d %H:%M} UTC",
            hint=f"Look at it again, then: briefing approve {draft.id}",
        )
    return approval, draft
