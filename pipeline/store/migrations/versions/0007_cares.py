"""Readers' numbers that no life of the database gives twice, and how long a provider has said nothing but "later"."""

import sqlalchemy as sa
from alembic import op

from pipeline.store.types import UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("instance", sa.Column("last_reader", number, server_default=sa.text("0"), nullable=False))
    # A backup that is being put back is upgraded first: store.campaigns.begin_life then goes on from here.
    op.execute("UPDATE instance SET last_reader = (SELECT coalesce(max(id), 0) FROM subscriber)")
    op.add_column("campaign", sa.Column("later_since", UTCDateTime(), nullable=True))
    op.add_column("campaign", sa.Column("laters", sa.Integer(), server_default=sa.text("0"), nullable=False))
