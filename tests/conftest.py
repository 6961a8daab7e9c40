"""Shared fixtures: an advisor in this process, a running server, and a FHIR server."""

import atexit
import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from cds_service.core import garbage_collection
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.browser.chromium import CHROMIUM, launched
from tests.support import mcd_articles
from tests.support.ehr import FHIR_TOKEN, load_corpus
from tests.support.environment import is_setting
from tests.support.examples import CHOICES, divided, is_left_out
from tests.support.fhir_server.server import FhirServer, running_server
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.running import ROOT, Service, running

# No setting of whoever runs the tests reaches them. Who may call is shown by tests of its own; all others call from
# this machine. Services that the tests start keep what they compile: there are hundreds of them.
for name in filter(is_setting, list(os.environ)):
    del os.environ[name]
os.environ["CDS_MODE"] = "development"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes tells of the machine, not of the code.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

SAMPLES = sorted((ROOT / "sample_bundles").glob("*/*.json"))
assert SAMPLES
# The samples of these rules flag only at a site that has loaded CMS's tables: about.yaml says so.
BY_LOADED_TABLES = {"diagnosis-not-listed"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", choices=CHOICES, default="all", help="the tests that `make test` runs, or the rest")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if is_left_out(collection_path, config.getoption("examples")) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:], left_out = divided(items, config.getoption("examples"))
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    """The garbage collector leaves out what stays until the end: thousands of tests and all modules.

    While these are collected nothing can be freed, and looking for it took a third of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        garbage_collection.tune()
        atexit.register(gc.unfreeze)  # a library in C says what it finds alive at the end


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last lines of a run, said by the process that others may have worked for."""
    if hasattr(config, "workerinput"):
        return
    if CHROMIUM is None:
        sys.stdout.write("\ntests in a browser were left out: install `chromium-headless-shell` or `chromium`\n")
    if not any(map(shutil.which, ("docker", "podman", "buildah"))):
        sys.stdout.write(
            "\nthe image cannot be built here: install docker, podman or buildah, then `make test-image`\n"
        )


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """A test that sets up the log, as the application does, leaves no closed stream to the threads of the next one."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of loaded tables with the articles of contractors, and beside it the file of a site of one of them."""
    return mcd_articles.loaded(tmp_path_factory.mktemp("articles"))


@pytest.fixture(scope="session")
def advisor(articles: Path) -> Advisor:
    return create_advisor(Settings(tables_dir=articles, site_file=articles.parent / "site.yaml"))


@pytest.fixture(scope="session")
def plain_advisor() -> Advisor:
    """An advisor of a site that has set up nothing: without loaded tables and without a site file."""
    return create_advisor(Settings())


@pytest.fixture(scope="session")
def service_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server process, started as `cds-service serve` starts it."""
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="session")
def server_with_articles(tmp_path_factory: pytest.TempPathFactory, articles: Path) -> Iterator[str]:
    """The address of a server with the articles of contractors, at a site of one of them."""
    tables = {"CDS_TABLES_DIR": str(articles), "CDS_SITE_FILE": str(articles.parent / "site.yaml")}
    with running(tmp_path_factory.mktemp("articles-server"), 1, **tables) as started:
        yield started.address


@pytest.fixture(scope="session")
def server(service_process: Service) -> str:
    """The address of the server process."""
    return service_process.address


@pytest.fixture(scope="session")
def server_log(service_process: Service) -> Path:
    """The file that takes what the server process writes to its outputs."""
    return service_process.log


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, one for all tests: its library allows no second in a process."""
    with sync_playwright() as playwright:
        started = launched(playwright)
        yield started
        started.close()


@pytest.fixture(scope="session")
def fhir() -> Iterator[FhirServer]:
    """A FHIR R4 server that refuses whoever lacks the token; samples are loaded under ids of their own."""
    with running_server(bearer_token=FHIR_TOKEN) as started:
        load_corpus(started)
        yield started


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
