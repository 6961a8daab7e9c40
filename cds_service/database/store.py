"""Stores issued cards, feedback and the audit log.

No patient, encounter or user is stored. Comments are free text that may name the patient, so they have a table of
their own and can be disabled.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, select

from cds_service.cdshooks.messages import Feedback, ReasonCoding
from cds_service.database.background_writer import GATHER_SECONDS, BackgroundWriter
from cds_service.database.connections import INSERTS, Database
from cds_service.database.schema import AGING, AUDIT, COMMENTS, FEEDBACK, ISSUED_CARDS, is_of_client
from cds_service.telemetry.calls import CallSummary, IssuedCard
from cds_service.telemetry.metrics import OTHER_REASON

# How long feedback waits until its cards are stored, in seconds: by this worker, and by other workers.
_FLUSH_SECONDS = 0.3
_OTHER_WORKERS_SECONDS = 2 * GATHER_SECONDS

# Longer URIs of code systems are cut.
_LONGEST_SYSTEM = 200
_NO_URI = "not a URI"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class AuditActor:
    """The client's registered name and the id of the HTTP request, for the audit log."""

    client: str
    request: str


@dataclass(frozen=True, slots=True)
class FeedbackReceipt:
    """The result of storing feedback: the number of new items, of items for unknown cards, and the known cards.

    A card that was issued to another client is unknown.
    """

    new_items: int
    unknown_cards: int
    own_cards: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KnownReasons:
    """Our own override reasons: their code system and their codes."""

    system: str = ""
    codes: frozenset[str] = frozenset()

    def has(self, reason: ReasonCoding) -> bool:
        """True if a reason is one of ours."""
        return reason.code in self.codes and reason.system in {None, self.system}


# The card of a feedback, and the time of its outcome: what is stored once.
_Key = tuple[str, datetime]


class Store:
    """Stores issued cards, feedback and the audit log.

    Without `keep_comments` no text of a client's choice is stored: no comments, no override reasons but those in
    `reasons`, and ids that are not UUIDs as digests. `on_lost` is called with the number of lost rows.
    """

    def __init__(
        self,
        database: Database,
        keep_comments: bool = True,
        on_lost: Callable[[int], None] = lambda _: None,
        reasons: KnownReasons = KnownReasons(),
    ) -> None:
        self._database = database
        self._keep_comments = keep_comments
        self._reasons = reasons
        self._writer = BackgroundWriter(database, on_lost)

    def record_call(self, actor: AuditActor, call: CallSummary) -> None:
        """Store an answered call and its issued cards, in the background."""
        now = datetime.now(UTC)
        entry = _audit_row(actor, "call", call.service, now, call.findings) | {
            "hook_instance": _fingerprint(call.hook_instance),
            "milliseconds": call.milliseconds,
            "not_checked": sorted(set(call.not_checked)),
            "not_understood": [[kind, _storable(system), number] for kind, system, number in call.not_understood],
        }
        cards = [(ISSUED_CARDS, _card_row(card, call.service, actor, now)) for card in call.cards]
        self._writer.add([(AUDIT, entry), *cards])

    def flush(self, seconds: float = _FLUSH_SECONDS) -> None:
        """Wait until the recorded calls were stored or failed, at most `seconds`."""
        self._writer.flush(seconds)

    def save_feedback(self, actor: AuditActor, service: str, items: Sequence[Feedback]) -> FeedbackReceipt:
        """Store feedback; items with the same card and outcome time are stored once.

        Raises StoreUnavailable if nothing was stored; the client should send all of it again.
        """

        own = self._stored_cards(actor, {item.card for item in items})

        common = {"service": service, "client": actor.client, "received_at": datetime.now(UTC)}
        rows = [self._feedback_row(item) | common | {"is_known_card": item.card in own} for item in items]
        comments = self._comments(items)

        def save(connection: Connection) -> FeedbackReceipt:
            new = _insert_feedback(connection, rows, comments)
            connection.execute(AUDIT.insert(), _audit_row(actor, "feedback", service, datetime.now(UTC), ()))
            return FeedbackReceipt(new, sum(item.card not in own for item in items), frozenset(own))

        return self._database.run(save)

    def _stored_cards(self, actor: AuditActor, cards: set[str]) -> set[str]:
        """The stored cards of this client. Waits briefly, since recently issued cards may not be stored yet."""
        self.flush()
        found = self._database.read(lambda connection: _select_cards(connection, actor.client, cards))
        if found != cards:
            time.sleep(_OTHER_WORKERS_SECONDS)
            found = self._database.read(lambda connection: _select_cards(connection, actor.client, cards))
        return found

    def _feedback_row(self, item: Feedback) -> dict[str, Any]:
        reason = self._storable_reason(item.override_reason.reason if item.override_reason else None)
        return {
            "card": self._storable_id(item.card),
            "outcome": item.outcome,
            "outcome_at": item.outcome_timestamp.astimezone(UTC),
            "accepted_suggestions": [self._storable_id(each.id) for each in item.accepted_suggestions or ()],
            "reason_system": reason.system if reason else None,
            "reason_code": reason.code if reason else None,
        }

    def _comments(self, items: Sequence[Feedback]) -> dict[_Key, str]:
        """The comments to keep; of two on one card and time, the first, as of their items."""
        found: dict[_Key, str] = {}
        for item in reversed(items):
            comment = item.override_reason.user_comment if item.override_reason else None
            key = (self._storable_id(item.card), item.outcome_timestamp.astimezone(UTC))
            if comment and self._keep_comments:
                found[key] = comment
            else:
                found.pop(key, None)
        return found

    def _storable_reason(self, reason: ReasonCoding | None) -> ReasonCoding | None:
        """The reason; without comments, `other` if it is not one of ours, since its code may be free text."""
        if reason is None or self._keep_comments or self._reasons.has(reason):
            return reason
        return ReasonCoding(code=OTHER_REASON)

    def _storable_id(self, written: str) -> str:
        """The id of a card or a suggestion; without comments, a digest if it is not a UUID, as ours are."""
        is_kept = self._keep_comments or _UUID.fullmatch(written)
        return written if is_kept else hashlib.sha256(written.encode()).hexdigest()


def _insert_feedback(connection: Connection, rows: list[dict[str, Any]], comments: dict[_Key, str]) -> int:
    """Insert rows that are not stored yet, with their comments; returns their number.

    In few statements, since one for each row would keep other writers waiting for seconds if a client sends thousands.
    """
    if not rows:
        return 0  # an insert of no rows is one of a row of defaults
    insert = INSERTS[connection.dialect.name](FEEDBACK).on_conflict_do_nothing()
    returned = connection.execute(insert.returning(FEEDBACK.c.id, FEEDBACK.c.card, FEEDBACK.c.outcome_at), rows).all()
    with_comment = [
        {"feedback": number, "comment": comment}
        for number, card, at in returned
        if (comment := comments.get((card, at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))))
    ]
    if with_comment:
        connection.execute(COMMENTS.insert(), with_comment)
    return len(returned)


def purge(connection: Connection, before: datetime) -> dict[str, int]:
    """Delete rows older than a time, with their comments; returns the number of deleted rows by table."""
    return {
        table.name: connection.execute(delete(table).where(age < before.astimezone(UTC))).rowcount
        for table, age in AGING.items()
    }


def _audit_row(
    actor: AuditActor, action: Literal["call", "feedback"], service: str, at: datetime, rules: Iterable[str]
) -> dict[str, Any]:
    return {
        "at": at,
        "client": actor.client,
        "action": action,
        "service": service,
        "request": actor.request,
        "hook_instance": None,
        "rules": sorted(set(rules)),
    }


def _storable(system: str) -> str:
    """The URI of a code system, cut; without NUL and surrogates, which PostgreSQL refuses.

    Words are not kept: they are no URI, and a text may be about the patient.
    """
    if len(system.split()) > 1:
        return _NO_URI
    return system[:_LONGEST_SYSTEM].replace("\0", "").encode("utf-8", "replace").decode()


def _fingerprint(hook_instance: str | None) -> str | None:
    return hook_instance and hashlib.sha256(hook_instance.lower().encode()).hexdigest()


def _card_row(card: IssuedCard, service: str, actor: AuditActor, now: datetime) -> dict[str, Any]:
    return {
        "card": card.uuid,
        "service": service,
        "rule": card.rule,
        "indicator": card.indicator,
        "issued_at": now,
        "client": actor.client,
    }


def _select_cards(connection: Connection, client: str, cards: Iterable[str]) -> set[str]:
    """The given cards that are in the database and were issued to a client."""
    own = is_of_client(ISSUED_CARDS.c.client, client)
    return set(connection.execute(select(ISSUED_CARDS.c.card).where(ISSUED_CARDS.c.card.in_(cards), own)).scalars())
