"""Approved editions and the files they show. Insert-only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from pipeline.core.campaign import CampaignState
from pipeline.core.edition import Edition
from pipeline.store.engine import insert_ignoring
from pipeline.store.tables import asset, campaign
from pipeline.store.tables import edition as t


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An edition with who approved it, when, and from which source."""

    id: int
    edition: Edition
    digest: str
    source_digest: str
    approved_by: str
    approved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that editions show: a picture, or the style sheet their pages were made with."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


def add(connection: Connection, edition: Edition, assets: Iterable[Asset], *, source_digest: str, approved_by: str, now: datetime) -> int:
    """Freezes an edition with its files; gives its row's id."""
    for one in assets:
        connection.execute(insert_ignoring(connection, asset), {"name": one.name, "media_type": one.media_type, "data": one.data})
    row = connection.execute(
        insert(t).returning(t.c.id),
        {
            "issue_id": edition.issue_id, "newsletter": edition.newsletter, "digest": edition.digest,
            "source_digest": source_digest, "content": edition.to_json(), "approved_by": approved_by, "approved_at": now,
        },
    ).one()  # fmt: skip
    return int(row.id)


def newest(connection: Connection, issue_id: str) -> Approval | None:
    """The approval that counts for an issue."""
    row = connection.execute(select(t).where(t.c.issue_id == issue_id).order_by(t.c.id.desc()).limit(1)).first()
    return None if row is None else _approval(row)


def by_id(connection: Connection, id: int) -> Approval:
    """The approval with that row id. Raises LookupError."""
    row = connection.execute(select(t).where(t.c.id == id)).first()
    if row is None:
        raise LookupError(f"no edition {id}")
    return _approval(row)


def sent(connection: Connection, newsletter: str, limit: int) -> list[tuple[str, str]]:
    """Issue id and article of the newsletter's newest issues that went out, or are going out; the newest first."""
    rows = connection.execute(
        select(t.c.issue_id, t.c.content)
        .join(campaign, campaign.c.edition_id == t.c.id)
        .where(t.c.newsletter == newsletter, campaign.c.started_at.is_not(None), campaign.c.state != CampaignState.CANCELLED)
        .order_by(campaign.c.started_at.desc())
        .limit(limit)
    )
    return [(row.issue_id, Edition.from_json(row.content).feed) for row in rows]


def assets(connection: Connection, names: Iterable[str]) -> list[Asset]:
    """The files of those names."""
    rows = connection.execute(select(asset).where(asset.c.name.in_(list(names)))).all()
    return [Asset(name=row.name, media_type=row.media_type, data=bytes(row.data)) for row in rows]


def present(connection: Connection, names: Iterable[str]) -> set[str]:
    """Those of the names under which a file is stored."""
    return set(connection.execute(select(asset.c.name).where(asset.c.name.in_(list(names)))).scalars())


def style_sheets(connection: Connection) -> list[Asset]:
    """Every style sheet that some edition's page was made with."""
    rows = connection.execute(select(asset).where(asset.c.media_type == "text/css")).all()
    return [Asset(name=row.name, media_type=row.media_type, data=bytes(row.data)) for row in rows]


def _approval(r: Row[Any]) -> Approval:
    return Approval(
        id=r.id, edition=Edition.from_json(r.content), digest=r.digest, source_digest=r.source_digest,
        approved_by=r.approved_by, approved_at=r.approved_at,
    )  # fmt: skip
