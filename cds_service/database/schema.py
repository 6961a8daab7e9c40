"""The database tables. Every change needs a migration in `cds_service/database/migrations/versions/`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    or_,
)

METADATA = MetaData()

ISSUED_CARDS = Table(
    "issued_cards",
    METADATA,
    Column("card", String(36), primary_key=True),
    Column("service", String(100), nullable=False),
    Column("rule", String(100), nullable=False),
    Column("indicator", String(10), nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("client", String(200)),  # the client that the card was issued to; not known of rows of earlier versions
    Index("issued_cards_by_time", "issued_at"),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("card", String(200), nullable=False),
    Column("service", String(100), nullable=False),
    Column("is_known_card", Boolean, nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("outcome_at", DateTime(timezone=True), nullable=False),
    Column("accepted_suggestions", JSON, nullable=False),
    Column("reason_system", String(500)),
    Column("reason_code", String(200)),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("client", String(200)),  # the client that sent it
    UniqueConstraint("card", "outcome_at"),
    Index("feedback_by_time", "received_at"),
)

COMMENTS = Table(
    "feedback_comments",
    METADATA,
    Column("feedback", Integer, ForeignKey(FEEDBACK.c.id, ondelete="CASCADE"), primary_key=True),
    Column("comment", Text, nullable=False),
)

# One row per call: client, time and rules with findings. `hook_instance` is a SHA-256, which links the call to the
# client's log without identifying it.
AUDIT = Table(
    "audit",
    METADATA,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("client", String(200), nullable=False),
    Column("action", String(20), nullable=False),
    Column("service", String(100), nullable=False),
    Column("request", String(36), nullable=False),
    Column("hook_instance", String(64)),
    Column("rules", JSON, nullable=False),
    Column("milliseconds", Float),
    Column("not_checked", JSON),  # pairs of rule and kind of reason
    Column("not_understood", JSON),  # kind of record, code system and number of records
    Index("audit_by_time", "at"),
)

# Used tokens: the SHA-256 of issuer and `jti`, and the token's expiry in Unix time.
USED_TOKENS = Table(
    "used_tokens",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("ends_at", BigInteger, nullable=False),
    Index("used_tokens_by_time", "ends_at"),
)


def is_of_client(column: ColumnElement[str | None], client: ColumnElement[str | None] | str) -> ColumnElement[bool]:
    """The condition that a row is of a client; rows of earlier versions name none and count for any."""
    return or_(column == client, column.is_(None))


# Tables subject to retention, with the column that determines age. Comments are deleted with their feedback.
AGING = {ISSUED_CARDS: ISSUED_CARDS.c.issued_at, FEEDBACK: FEEDBACK.c.received_at, AUDIT: AUDIT.c.at}
