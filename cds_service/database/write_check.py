"""A write to every table that leaves nothing behind: it fails as a real write would."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.database.schema import AUDIT, COMMENTS, FEEDBACK, ISSUED_CARDS, USED_TOKENS

_MARK = "health-check"


def write_and_delete(connection: Connection) -> None:
    """Write a row to each table and delete it again, within the caller's transaction."""
    now, key = datetime.now(UTC), str(uuid4())
    card: dict[str, Any] = {"card": key, "service": _MARK, "rule": _MARK, "indicator": _MARK[:10], "issued_at": now}
    feedback = {
        "card": key, "service": _MARK, "is_known_card": False, "outcome": _MARK[:10], "outcome_at": now,
        "accepted_suggestions": [], "received_at": now,
    }  # fmt: skip
    call = {"at": now, "client": _MARK, "action": _MARK, "service": _MARK, "request": key, "rules": []}
    call |= {"not_checked": [], "not_understood": []}
    kept = connection.execute(FEEDBACK.insert().returning(FEEDBACK.c.id), feedback).scalar_one()
    connection.execute(COMMENTS.insert(), {"feedback": kept, "comment": _MARK})
    connection.execute(ISSUED_CARDS.insert(), card)
    logged = connection.execute(AUDIT.insert().returning(AUDIT.c.id), call).scalar_one()
    connection.execute(USED_TOKENS.insert(), {"digest": key, "ends_at": 0})
    connection.execute(COMMENTS.delete().where(COMMENTS.c.feedback == kept))
    connection.execute(FEEDBACK.delete().where(FEEDBACK.c.id == kept))
    connection.execute(ISSUED_CARDS.delete().where(ISSUED_CARDS.c.card == key))
    connection.execute(AUDIT.delete().where(AUDIT.c.id == logged))
    connection.execute(USED_TOKENS.delete().where(USED_TOKENS.c.digest == key))
