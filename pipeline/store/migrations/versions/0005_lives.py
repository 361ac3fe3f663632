"""What a restored database must remember of the lives before it."""

import sqlalchemy as sa
from alembic import op

from pipeline.store.types import UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("instance", sa.Column("restored_from", UTCDateTime(), nullable=True))
    op.add_column("campaign", sa.Column("earlier", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("batch", sa.Column("restored", sa.Boolean(), server_default=sa.false(), nullable=False))
