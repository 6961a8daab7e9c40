"""Upgrades and downgrades the database schema with Alembic."""

from functools import cache
from threading import Lock
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

State = Literal["current", "behind", "ahead"]

# An arbitrary key for PostgreSQL's advisory lock.
_LOCK = 933_500_352

# Alembic keeps the migration that runs in a global of its module, and a process may hold several databases. Taken after
# the database's own lock, so that no two wait for each other.
_ALEMBIC = Lock()


def revision_of(connection: Connection) -> str | None:
    """The schema revision of a database, None if it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def state_of(connection: Connection) -> State:
    """The schema state of a database, compared with this version.

    `ahead`: upgraded by a later version. Migrations only add, so this version still works during a rolling update.
    """
    revision = revision_of(connection)
    if revision is not None and revision not in _revisions():
        return "ahead"
    return "current" if revision == _revisions()[0] else "behind"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Apply missing migrations; a lock makes concurrent upgrades wait and then do nothing."""
    _lock(connection)
    if revision != "head" or state_of(connection) == "behind":
        with _ALEMBIC:
            command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Revert migrations to a revision, deleting their data; `base` removes every table."""
    _lock(connection)
    with _ALEMBIC:
        command.downgrade(_config(connection), revision)


def _lock(connection: Connection) -> None:
    """Take PostgreSQL's advisory lock without timeouts; SQLite is locked by the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


@cache
def _revisions() -> tuple[str, ...]:
    """All revisions known to this version, newest first."""
    scripts = ScriptDirectory.from_config(_config(None))
    return tuple(script.revision for script in scripts.walk_revisions())


def _config(connection: Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "cds_service.database:migrations")
    config.set_main_option("path_separator", "os")
    return config
