"""How many batches a campaign's plan had, so that the one with a given reader is found without reading the others."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign", sa.Column("batches", sa.Integer(), nullable=True))
    # Batches that were made later are the ones that somebody was moved to.
    op.execute(
        "UPDATE campaign SET batches = coalesce("
        "(SELECT min(moved_to) - 1 FROM exception WHERE exception.campaign_id = campaign.id AND moved_to IS NOT NULL), "
        "(SELECT max(no) FROM batch WHERE batch.campaign_id = campaign.id)) WHERE audience IS NOT NULL"
    )
