"""Used tokens, and two audit columns: call duration and undecided questions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the token table and add the audit columns."""
    op.create_table(
        "used_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
    )
    op.create_index("used_tokens_by_time", "used_tokens", ["ends_at"])
    op.add_column("audit", sa.Column("milliseconds", sa.Float))
    op.add_column("audit", sa.Column("not_checked", sa.JSON))


def downgrade() -> None:
    """Drop both; audit entries are kept."""
    op.drop_column("audit", "not_checked")
    op.drop_column("audit", "milliseconds")
    op.drop_table("used_tokens")
