"""Occurrences of cadences, interrupted and spread campaigns, alarms and seed mailboxes."""

import sqlalchemy as sa
from alembic import op

from pipeline.store.types import UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("campaign", sa.Column("fold", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("campaign", sa.Column("over_s", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("campaign", sa.Column("stale_at", UTCDateTime(), nullable=True))
    op.create_table(
        "occurrence",
        sa.Column("newsletter", sa.String(80), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("at", sa.String(5), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("tzdata", sa.String(16), nullable=False),
        sa.Column("fit", sa.String(8), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("campaign_id", _ID, sa.ForeignKey("campaign.id", name="fk_occurrence_campaign_id"), nullable=True),
        sa.PrimaryKeyConstraint("newsletter", "day", name="pk_occurrence"),
        sa.UniqueConstraint("campaign_id", name="uq_occurrence_campaign_id"),
        sa.CheckConstraint("state IN ('proposed', 'taken', 'missed', 'skipped', 'retired')", name=op.f("ck_occurrence_state")),
    )
    op.create_table(
        "alarm",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("raised_at", UTCDateTime(), nullable=False),
        sa.Column("over_at", UTCDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", UTCDateTime(), nullable=True),
        sa.Column("told", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("said", sa.Text(), server_default=sa.text("''"), nullable=False),
    )
    open_only = sa.text("over_at IS NULL")
    op.create_index("uq_alarm_open", "alarm", ["key"], unique=True, sqlite_where=open_only, postgresql_where=open_only)
    op.create_table(
        "arrival",
        sa.Column("campaign_id", _ID, sa.ForeignKey("campaign.id", name="fk_arrival_campaign_id"), nullable=False),
        sa.Column("seed", sa.String(80), nullable=False),
        sa.Column("looked_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=True),
        sa.Column("said", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "seed", name="pk_arrival"),
    )
