"""What is kept: the cards that were issued, by rule and time, and what users did with them.

No patient, no encounter and no user is stored. A comment is free text that may name the patient, so it stands in a
table of its own and can be left out altogether.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from cds_service.batch import GATHER_SECONDS, Batch
from cds_service.errors import StoreUnavailable
from cds_service.logs import log
from cds_service.protocol import Card, Feedback

# How long one transaction waits for another worker's, in milliseconds.
_BUSY_MILLISECONDS = 2000

# How long the other workers may take until they have kept the cards that they issued, in seconds.
_MOMENT_SECONDS = 5 * GATHER_SECONDS

_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

METADATA = MetaData()

ISSUED_CARDS = Table(
    "issued_cards",
    METADATA,
    Column("card", String(36), primary_key=True),
    Column("service", String(100), nullable=False),
    Column("rule", String(100), nullable=False),
    Column("indicator", String(10), nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
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
    UniqueConstraint("card", "outcome_at"),
)

COMMENTS = Table(
    "feedback_comments",
    METADATA,
    Column("feedback", Integer, ForeignKey(FEEDBACK.c.id, ondelete="CASCADE"), primary_key=True),
    Column("comment", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of feedback: how many items are new, and how many speak of cards that are not known here."""

    new: int
    unknown_cards: int


class Store:
    """Keeps issued cards and feedback in a database."""

    def __init__(self, url: str, keep_comments: bool = True) -> None:
        self._engine = _engine(url)
        self._keep_comments = keep_comments
        self._is_ready = False
        self._issued = Batch[dict[str, Any]](self._keep_issued)

    def issued(self, service: str, cards: Sequence[Card]) -> None:
        """Keep which cards were issued, soon and for many calls at once: the answer does not wait for the database."""
        now = datetime.now(UTC)
        for card in cards:
            row = {
                "card": card.uuid,
                "service": service,
                "rule": card.source.topic.code if card.source.topic else "",
                "indicator": card.indicator,
                "issued_at": now,
            }
            if not self._issued.add(row):
                log.error("issued cards not kept", error="the database is too slow", cards=1)

    def _keep_issued(self, rows: Sequence[dict[str, Any]]) -> None:
        try:
            with self._begin() as connection:
                connection.execute(ISSUED_CARDS.insert(), list(rows))
        except SQLAlchemyError as error:
            log.error("issued cards not kept", error=type(error).__name__, cards=len(rows))

    def take(self, service: str, items: Iterable[Feedback]) -> Kept:
        """Keep feedback; an item that is known by card and time of outcome is kept once.

        Raises StoreUnavailable where the database cannot take it: then nothing of it is kept.
        """
        new = unknown = 0
        every = tuple(items)
        try:
            known_cards = self._known({item.card for item in every})
            with self._begin() as connection:
                for item in every:
                    known = item.card in known_cards
                    unknown += not known
                    new += self._take_one(connection, service, item, known)
        except SQLAlchemyError as error:
            log.error("feedback not kept", error=type(error).__name__)
            raise StoreUnavailable("feedback cannot be stored at the moment; send it again") from None
        return Kept(new, unknown)

    def _known(self, cards: set[str]) -> set[str]:
        """Those of the cards that were issued here. One that was issued a moment ago may still be on its way."""
        self._issued.flush(_MOMENT_SECONDS)
        with self._begin() as connection:
            found = _found(connection, cards)
        if found != cards:
            time.sleep(_MOMENT_SECONDS)
            with self._begin() as connection:
                found = _found(connection, cards)
        return found

    def _take_one(self, connection: Connection, service: str, item: Feedback, known: bool) -> bool:
        reason = item.override_reason.reason if item.override_reason else None
        row = {
            "card": item.card,
            "service": service,
            "is_known_card": known,
            "outcome": item.outcome,
            "outcome_at": item.outcome_timestamp.astimezone(UTC),
            "accepted_suggestions": [each.id for each in item.accepted_suggestions or ()],
            "reason_system": reason.system if reason else None,
            "reason_code": reason.code if reason else None,
            "received_at": datetime.now(UTC),
        }
        insert = _INSERTS[self._engine.dialect.name](FEEDBACK).on_conflict_do_nothing().returning(FEEDBACK.c.id)
        key = connection.execute(insert, row).scalar()
        if key is None:
            return False  # this outcome is known already
        comment = item.override_reason.user_comment if item.override_reason else None
        if comment and self._keep_comments:
            connection.execute(COMMENTS.insert(), {"feedback": key, "comment": comment})
        return True

    def _begin(self) -> AbstractContextManager[Connection]:
        """A transaction; the tables are made when they are first needed, so that advice starts without a database."""
        if not self._is_ready:
            with self._engine.begin() as connection:
                for table in METADATA.sorted_tables:
                    connection.execute(CreateTable(table, if_not_exists=True))
            self._is_ready = True
        return self._engine.begin()


def _found(connection: Connection, cards: Iterable[str]) -> set[str]:
    """Those of the cards that are kept."""
    return set(connection.execute(select(ISSUED_CARDS.c.card).where(ISSUED_CARDS.c.card.in_(cards))).scalars())


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Several workers wait for one another, readers do not block the writer, and what is committed is on disk."""
    connection.isolation_level = None  # transactions begin below, and not where the driver thinks fit
    for pragma in (f"busy_timeout={_BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a transaction that starts by reading could not wait for it later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
