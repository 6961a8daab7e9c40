"""Calls, cards and feedback of several weeks, as the store writes them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from cds_service.database import connections, migrate
from cds_service.database.schema import AUDIT, FEEDBACK, ISSUED_CARDS

CLAIM_REVIEW = "contrast-echo-claim-review"
OWN = "urn:oid:1.2.36.1.2001.1005.17"  # a sender's own code system


@dataclass
class History:
    """Writes what happened, each at a time that is given in days before now."""

    connection: Connection
    now: datetime

    def call(
        self,
        days_ago: float,
        rules: Sequence[str] = (),
        service: str = CLAIM_REVIEW,
        milliseconds: float | None = 4.0,
        not_checked: Sequence[tuple[str, str]] = (),
        not_understood: Sequence[tuple[str, str, int]] | None = None,
    ) -> list[str]:
        """A call and the cards that it was answered with, one for each rule; returns their ids."""
        at = self.now - timedelta(days=days_ago)
        row = {"at": at, "client": "x", "action": "call", "service": service, "request": str(uuid.uuid4())}
        said: dict[str, Any] = {"rules": list(rules), "not_checked": not_checked, "milliseconds": milliseconds}
        self.connection.execute(AUDIT.insert(), row | said | {"not_understood": not_understood})
        return [self._card(at, rule, service) for rule in rules]

    def _card(self, at: datetime, rule: str, service: str) -> str:
        card = str(uuid.uuid4())
        row = {"card": card, "service": service, "rule": rule, "indicator": "warning", "issued_at": at}
        self.connection.execute(ISSUED_CARDS.insert(), row)
        return card

    def feedback(self, card: str, outcome: str, reason: str | None = None, minutes: float = 0) -> None:
        """Feedback on a card, so many minutes from now."""
        at = self.now + timedelta(minutes=minutes)
        row = {"card": card, "service": CLAIM_REVIEW, "is_known_card": True, "outcome": outcome, "outcome_at": at}
        rest: dict[str, Any] = {"accepted_suggestions": [], "reason_code": reason, "received_at": at}
        self.connection.execute(FEEDBACK.insert(), row | rest)


def written(url: str, now: datetime | None = None) -> None:
    """A history for a database, up to the time given or the present: twelve calls, and what became of seven cards."""
    engine = connections.create(url)
    with engine.begin() as connection:
        migrate.upgrade(connection)
        tell(History(connection, now or datetime.now(UTC)))
    engine.dispose()


def tell(history: History) -> None:
    """Two rules in two services over some weeks; one call is older than a year."""
    accepted = history.call(1, ["contrast-add-on-missing"]) + history.call(2, ["contrast-add-on-missing"])
    aside = history.call(2, ["contrast-supply-missing"], milliseconds=40)
    other = history.call(9, ["contrast-supply-missing"], "contrast-echo-order-sign")
    history.call(9, ["contrast-add-on-missing"], milliseconds=2000)
    changed_mind = history.call(30, ["contrast-add-on-missing"])
    for card in accepted:
        history.feedback(card, "accepted")
    history.feedback(aside[0], "overridden", "charged-elsewhere")
    history.feedback(other[0], "overridden", "=1+1")
    history.feedback(changed_mind[0], "accepted")
    history.feedback(changed_mind[0], "overridden", None, minutes=5)
    for _ in range(4):
        history.call(3, not_checked=[("supply-units-mismatch", "record")], not_understood=[("charge", OWN, 2)])
    doubts = [("supply-units-mismatch", "record"), ("pair-conflict", "claim")]
    unclear = [("charge", OWN, 1), ("drug", "reference", 3)]
    history.call(20, milliseconds=None, not_checked=doubts, not_understood=unclear)
    history.call(400, ["contrast-add-on-missing"])
