"""News from providers, what they signed, how far they were asked; and who said that an address must not be mailed."""

import sqlalchemy as sa
from alembic import op

from pipeline.store.types import UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TYPES = ("sent", "rejected", "failed", "bounced", "deferred", "delivered", "complained", "unsubscribed", "other")


def upgrade() -> None:
    with op.batch_alter_table("suppression") as suppression:
        suppression.add_column(sa.Column("source", sa.String(length=40), server_default=sa.text("''"), nullable=False))
    empty = sa.text("''")
    op.create_table(
        "event",
        sa.Column("id", _ID, nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("campaign_id", _ID),
        sa.Column("batch_no", sa.Integer()),
        sa.Column("subscriber_id", _ID),
        sa.Column("address_index", sa.LargeBinary()),
        sa.Column("receipt", sa.Text(), server_default=empty, nullable=False),
        sa.Column("reason", sa.String(length=16), server_default=empty, nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.Text(), server_default=empty, nullable=False),
        sa.Column("applied_at", UTCDateTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("provider", "event_id", name=op.f("uq_event_provider_event_id")),
        sa.CheckConstraint(f"type IN ({', '.join(map(repr, _TYPES))})", name=op.f("ck_event_type")),
    )
    waiting = sa.text("applied_at IS NULL")
    op.create_index("ix_event_waiting", "event", ["id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_index("ix_event_message", "event", ["campaign_id", "subscriber_id", "type"])
    op.create_index("ix_event_reader", "event", ["subscriber_id", "type"])
    op.create_table(
        "nonce",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "value", name=op.f("pk_nonce")),
    )
    op.create_table(
        "poll",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("done_until", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_poll")),
    )
