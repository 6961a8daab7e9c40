"""What is kept: the cards that were issued, what users did with them, and who called.

No patient, no encounter and no user is stored. A comment is free text that may name the patient, so it stands in a
table of its own and can be left out altogether.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, select

from cds_service.cdshooks.messages import Feedback
from cds_service.database.background_writer import GATHER_SECONDS, BackgroundWriter
from cds_service.database.connections import INSERTS, Database
from cds_service.database.schema import AGING, AUDIT, COMMENTS, FEEDBACK, ISSUED_CARDS
from cds_service.telemetry.calls import CallSummary, IssuedCard

# How long feedback waits for the cards that it speaks of: this worker's, and those of others, in seconds.
_SETTLE_SECONDS = 0.3
_MOMENT_SECONDS = 2 * GATHER_SECONDS


@dataclass(frozen=True, slots=True)
class AuditActor:
    """Who called: the client's registered name, and the id of the HTTP request."""

    client: str
    request: str


@dataclass(frozen=True, slots=True)
class FeedbackReceipt:
    """What became of feedback: how many items are new, and how many speak of cards that are not known here."""

    new: int
    unknown_cards: int


class Store:
    """Keeps issued cards, feedback and the audit log in a database. `lost` is told how many rows of calls were lost."""

    def __init__(
        self, database: Database, keep_comments: bool = True, lost: Callable[[int], None] = lambda _: None
    ) -> None:
        self._database = database
        self._keep_comments = keep_comments
        self._writer = BackgroundWriter(database, lost)

    def answered(self, actor: AuditActor, call: CallSummary) -> None:
        """Store an answered call and its issued cards, in the background."""
        now = datetime.now(UTC)
        entry = _entry(actor, "call", call.service, now, call.findings) | {
            "hook_instance": _fingerprint(call.hook_instance),
            "milliseconds": call.milliseconds,
            "not_checked": sorted(set(call.not_checked)),
        }
        self._writer.add([(AUDIT, entry), *((ISSUED_CARDS, _issued(card, call.service, now)) for card in call.cards)])

    def settle(self, seconds: float = _SETTLE_SECONDS) -> None:
        """Wait for what was noted of calls, as far as it can be kept, and no longer than so many seconds."""
        self._writer.settle(seconds)

    def take(self, actor: AuditActor, service: str, items: Sequence[Feedback]) -> FeedbackReceipt:
        """Keep feedback; an item that is known by card and time of outcome is kept once.

        Raises StoreUnavailable where the database cannot take it: then all of it is to be sent again.
        """

        issued = self._issued({item.card for item in items})

        def keep(connection: Connection) -> FeedbackReceipt:
            known = [item.card in issued for item in items]
            new = sum([self._take_one(connection, service, *each) for each in zip(items, known, strict=True)])
            connection.execute(AUDIT.insert(), _entry(actor, "feedback", service, datetime.now(UTC), ()))
            return FeedbackReceipt(new, known.count(False))

        return self._database.run(keep)

    def _issued(self, cards: set[str]) -> set[str]:
        """Those of the cards that were issued here. One that was issued a moment ago may still be on its way."""
        self.settle()
        found = self._database.run(lambda connection: _found(connection, cards))
        if found != cards:
            time.sleep(_MOMENT_SECONDS)
            found = self._database.run(lambda connection: _found(connection, cards))
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
        insert = INSERTS[connection.dialect.name](FEEDBACK).on_conflict_do_nothing().returning(FEEDBACK.c.id)
        key = connection.execute(insert, row).scalar()
        if key is None:
            return False  # this outcome is known already
        comment = item.override_reason.user_comment if item.override_reason else None
        if comment and self._keep_comments:
            connection.execute(COMMENTS.insert(), {"feedback": key, "comment": comment})
        return True


def purge(connection: Connection, before: datetime) -> dict[str, int]:
    """Remove what is older than a moment; returns how many rows went from each table. Comments go with feedback."""
    return {
        table.name: connection.execute(delete(table).where(age < before.astimezone(UTC))).rowcount
        for table, age in AGING.items()
    }


def _entry(
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


def _fingerprint(hook_instance: str | None) -> str | None:
    return hook_instance and hashlib.sha256(hook_instance.lower().encode()).hexdigest()


def _issued(card: IssuedCard, service: str, now: datetime) -> dict[str, Any]:
    return {
        "card": card.uuid,
        "service": service,
        "rule": card.rule,
        "indicator": card.indicator,
        "issued_at": now,
    }


def _found(connection: Connection, cards: Iterable[str]) -> set[str]:
    """Those of the cards that are kept."""
    return set(connection.execute(select(ISSUED_CARDS.c.card).where(ISSUED_CARDS.c.card.in_(cards))).scalars())
