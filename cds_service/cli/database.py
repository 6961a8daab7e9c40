"""The command line: `cds-service database upgrade`, `downgrade`, `current` and `purge`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.database.connections import UPGRADE, create
from cds_service.database.store import purge as remove_older
from cds_service.errors import ServiceError
from cds_service.settings import Settings, load_settings


@click.group("database")
def database() -> None:
    """Look after the database that CDS_DATABASE_URL names."""


@database.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the tables to the form of this version, or of REVISION."""
    from cds_service.database import migrate  # noqa: PLC0415  # Alembic takes long to load, and other commands need none of it

    with _connection() as connection:
        migrate.upgrade(connection, revision)
        click.echo(f"at revision {migrate.revision_of(connection)}")


@database.command()
@click.argument("revision")
@click.confirmation_option("--yes", prompt="This removes the data that later changes made room for. Go on?")
def downgrade(revision: str) -> None:
    """Take changes back down to REVISION; `base` removes every table."""
    from cds_service.database import migrate  # noqa: PLC0415

    with _connection() as connection:
        migrate.downgrade(connection, revision)
        click.echo(f"at revision {migrate.revision_of(connection) or 'base'}")


@database.command()
def current() -> None:
    """Print the revision. Exit code 1: an upgrade is needed."""
    from cds_service.database import migrate  # noqa: PLC0415

    with _connection() as connection:
        state = migrate.state_of(connection)
        click.echo(f"{migrate.revision_of(connection) or 'base'} ({state})")
    if state == "behind":
        raise click.ClickException(f"run `{UPGRADE}`")


@database.command()
@click.option("--days", type=click.IntRange(1, 36500), help="Age in days; without it, CDS_RETENTION_DAYS.")
def purge(days: int | None) -> None:
    """Remove cards, feedback and audit entries that are older than the retention allows."""
    age = days or _settings().retention_days
    if age is None:
        raise click.ClickException("how old? Set CDS_RETENTION_DAYS, or give --days")
    with _connection() as connection:
        for table, rows in remove_older(connection, datetime.now(UTC) - timedelta(days=age)).items():
            click.echo(f"{table}: {rows} removed")


def _settings() -> Settings:
    try:
        return load_settings()
    except ServiceError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _connection() -> Iterator[Connection]:
    """One transaction for all that a command does; a fault is said in one line, without the address."""
    from alembic.util import CommandError  # noqa: PLC0415

    engine = create(_settings().database_url)
    try:
        with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, CommandError) as error:
        cause = getattr(error, "orig", None) or error
        raise click.ClickException(f"the database: {str(cause).splitlines()[0]}") from None
    finally:
        engine.dispose()
