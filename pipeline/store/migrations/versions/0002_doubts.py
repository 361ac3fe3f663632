"""What a batch in doubt needs to be settled by machine: when it was first called, what it carried, how often it was looked for."""

import sqlalchemy as sa
from alembic import op

from pipeline.store.types import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("batch") as batch:
        batch.add_column(sa.Column("intended_at", UTCDateTime(), nullable=True))
        batch.add_column(sa.Column("body_digest", sa.String(length=64), nullable=True))
        batch.add_column(sa.Column("looks", sa.Integer(), server_default=sa.text("0"), nullable=False))
    doubt = sa.text("state = 'in_doubt'")
    op.create_index("ix_batch_doubt", "batch", ["state", "not_before"], sqlite_where=doubt, postgresql_where=doubt)
