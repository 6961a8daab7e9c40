"""Brings the tables of a database to the form that this version of the program expects, and back."""

from functools import cache
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

State = Literal["current", "behind", "ahead"]

# Any number that no other program on the same database locks.
_LOCK = 933_500_352


def revision_of(connection: Connection) -> str | None:
    """The last change that a database has seen, None where it has seen none."""
    return MigrationContext.configure(connection).get_current_revision()


def state_of(connection: Connection) -> State:
    """Whether a database has the tables of this version.

    `ahead`: a later version has been here. Changes only add, so that this version works on while others are replaced.
    """
    revision = revision_of(connection)
    if revision is not None and revision not in _revisions():
        return "ahead"
    return "current" if revision == _revisions()[0] else "behind"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Apply the changes that are missing; of several that try at once, one does it and the others find it done."""
    _lock(connection)
    if revision != "head" or state_of(connection) == "behind":
        command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take changes back down to a revision, with the data that they made room for; `base` removes every table."""
    _lock(connection)
    command.downgrade(_config(connection), revision)


def _lock(connection: Connection) -> None:
    """SQLite is locked by the transaction itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


@cache
def _revisions() -> tuple[str, ...]:
    """Every change that this version knows, newest first."""
    scripts = ScriptDirectory.from_config(_config(None))
    return tuple(script.revision for script in scripts.walk_revisions())


def _config(connection: Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "cds_service.database:migrations")
    config.set_main_option("path_separator", "os")
    return config
