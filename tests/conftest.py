"""What the tests share: an advisor in this process, and a running server of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.advice import Advisor
from cds_service.app import create_advisor
from cds_service.settings import Settings
from tests.postgresql import PostgreSQL, running_postgresql
from tests.running import ROOT, running

SAMPLES = sorted((ROOT / "sample_bundles").glob("*/*.json"))


@pytest.fixture(scope="session")
def advisor() -> Advisor:
    return create_advisor(Settings())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server process, started as `cds-service serve` starts it."""
    with running(tmp_path_factory.mktemp("server")) as service:
        yield service.address


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server that all tests share; each has a database of its own."""
    with running_postgresql() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: every test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'feedback.sqlite3'}"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.new_database()
