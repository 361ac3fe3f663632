"""How far what is read piece by piece has been read: a provider's list of suppressed addresses, a mailbox of bounces."""

import sqlalchemy as sa
from alembic import op

from pipeline.store.types import UTCDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bookmark",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("moved_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bookmark")),
    )
