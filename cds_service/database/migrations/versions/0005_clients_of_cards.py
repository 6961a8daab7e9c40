"""The client of each card and of each feedback: feedback counts for the client's own cards only."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = ("issued_cards", "feedback")


def upgrade() -> None:
    """Add the columns; rows of earlier versions have no client."""
    for table in TABLES:
        op.add_column(table, sa.Column("client", sa.String(200)))


def downgrade() -> None:
    """Drop the columns; cards and feedback are kept."""
    for table in TABLES:
        op.drop_column(table, "client")
