"""Audit log, and indexes by time for retention."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BY_TIME = {"issued_cards": "issued_at", "feedback": "received_at", "audit": "at"}


def upgrade() -> None:
    """Create the audit table, and index every table by time."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("request", sa.String(36), nullable=False),
        sa.Column("hook_instance", sa.String(64)),
        sa.Column("rules", sa.JSON, nullable=False),
    )
    for table, column in _BY_TIME.items():
        op.create_index(f"{table}_by_time", table, [column])


def downgrade() -> None:
    """Drop the audit table and the indexes; cards and feedback are kept."""
    for table in _BY_TIME:
        op.drop_index(f"{table}_by_time", table)
    op.drop_table("audit")
