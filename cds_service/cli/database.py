"""`cds-service database`: migrations and retention of the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.cli import BadInput, examples
from cds_service.database.connections import COMMAND_CONNECT_SECONDS, UPGRADE, create
from cds_service.database.store import purge as remove_older
from cds_service.settings import load_settings


@click.group("database", epilog=examples("database upgrade"))
def database() -> None:
    """Upgrade, downgrade and purge the database at CDS_DATABASE_URL."""


@database.command(epilog=examples("database upgrade"))
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Upgrade the schema to this version, or to REVISION."""
    from cds_service.database import migrate  # noqa: PLC0415  # Alembic is slow to load and only needed here

    with _connection() as connection:
        migrate.upgrade(connection, revision)
        click.echo(f"at revision {migrate.revision_of(connection)}")


@database.command(epilog=examples("database downgrade base --yes"))
@click.argument("revision")
@click.confirmation_option("--yes", prompt="This deletes the data of later revisions. Continue?")
def downgrade(revision: str) -> None:
    """Downgrade the schema to REVISION; `base` removes all tables."""
    from cds_service.database import migrate  # noqa: PLC0415

    with _connection() as connection:
        migrate.downgrade(connection, revision)
        click.echo(f"at revision {migrate.revision_of(connection) or 'base'}")


@database.command(epilog=examples("database current"))
def current() -> None:
    """Print the revision of the schema. Exit code 1: an upgrade is needed."""
    from cds_service.database import migrate  # noqa: PLC0415

    with _connection() as connection:
        state = migrate.state_of(connection)
        click.echo(f"{migrate.revision_of(connection) or 'base'} ({state})")
    if state == "behind":
        raise click.ClickException(f"run `{UPGRADE}`")


@database.command(epilog=examples("database purge --days 365"))
@click.option("--days", type=click.IntRange(1, 36500), help="Age in days; default CDS_RETENTION_DAYS.")
def purge(days: int | None) -> None:
    """Delete cards, feedback and audit entries older than the retention period."""
    age = days or load_settings().retention_days
    if age is None:
        raise BadInput("set CDS_RETENTION_DAYS or give --days")
    with _connection() as connection:
        for table, rows in remove_older(connection, datetime.now(UTC) - timedelta(days=age)).items():
            click.echo(f"{table}: {rows} removed")


@contextmanager
def _connection() -> Iterator[Connection]:
    """A transaction for one command; errors are reported in one line, without the database URL."""
    from alembic.util import CommandError  # noqa: PLC0415

    engine = create(load_settings().database_url, connect_seconds=COMMAND_CONNECT_SECONDS)
    try:
        with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, CommandError) as error:
        cause = getattr(error, "orig", None) or error
        raise BadInput(f"the database: {str(cause).splitlines()[0]}") from None
    finally:
        engine.dispose()
