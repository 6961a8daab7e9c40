"""Issued cards, feedback and comments.

Tables are created only if missing, since databases older than the migrations already have them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "issued_cards",
        sa.Column("card", sa.String(36), primary_key=True),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("rule", sa.String(100), nullable=False),
        sa.Column("indicator", sa.String(10), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("card", sa.String(200), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("is_known_card", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_suggestions", sa.JSON, nullable=False),
        sa.Column("reason_system", sa.String(500)),
        sa.Column("reason_code", sa.String(200)),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("card", "outcome_at"),
        if_not_exists=True,
    )
    op.create_table(
        "feedback_comments",
        sa.Column("feedback", sa.Integer, sa.ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("comment", sa.Text, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop the tables with all their data."""
    for table in ("feedback_comments", "feedback", "issued_cards"):
        op.drop_table(table)
