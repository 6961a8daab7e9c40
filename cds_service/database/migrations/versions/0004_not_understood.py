"""An audit column: records that were not understood, by kind and code system."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("audit", sa.Column("not_understood", sa.JSON))


def downgrade() -> None:
    """Drop the column; audit entries are kept."""
    op.drop_column("audit", "not_understood")
