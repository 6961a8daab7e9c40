"""The production server: replaces failed workers, and lets calls finish on shutdown."""

import logging
import os
import signal
from functools import partial
from tempfile import TemporaryDirectory
from typing import NamedTuple

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from sqlalchemy.exc import SQLAlchemyError

from cds_service.core import garbage_collection
from cds_service.database import connections, migrate
from cds_service.database.outage import error_name
from cds_service.server import lifetime, worker
from cds_service.server.connection_limit import connection_limit
from cds_service.server.malloc import release_large_blocks
from cds_service.server.supervisor import Supervisor
from cds_service.settings import Settings
from cds_service.telemetry.logs import LOGGING_CONFIG, configure, log
from cds_service.telemetry.metrics import MULTIPROCESS_FOLDER

# Threads per worker beyond its concurrent calls, for health checks and for rejecting excess calls.
SPARE_THREADS = 4

# Time for the headers of a request, in seconds, from the connection or the answer before: after that the connection is
# closed, so it is also the time that an idle connection is kept.
HEADER_SECONDS = 5

# Signals that would end only the main process, and mean nothing here.
_IGNORED = (signal.SIGUSR1, signal.SIGUSR2)


def run(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until stopped by a signal. Raises SystemExit(1) if no worker could start."""
    threads = settings.max_calls + SPARE_THREADS
    _run(settings, host, port, workers, Program("cds_service.server.worker:create_app", Interfaces.WSGI, threads))


def run_for_assistants(settings: Settings, host: str, port: int) -> None:
    """Serve tools for assistants until stopped by a signal. Raises SystemExit(1) if the worker could not start."""
    _run(settings, host, port, 1, Program("cds_service.server.assistants:create_mcp_app", Interfaces.ASGI, 1))


class Program(NamedTuple):
    """The application of the workers: where it is made, its interface, and its threads."""

    target: str
    interface: Interfaces
    threads: int


def _run(settings: Settings, host: str, port: int, workers: int, program: Program) -> None:
    configure()
    release_large_blocks()
    prepare_database(settings.database_url)
    for each in _IGNORED:
        signal.signal(each, signal.SIG_IGN)
    os.register_at_fork(after_in_child=partial(lifetime.begin, os.getpid()))
    garbage_collection.freeze()  # for the workers, who start in half the time
    with TemporaryDirectory(prefix="cds-metrics-") as shared:
        os.environ[MULTIPROCESS_FOLDER] = shared
        _serve(host, port, workers, program)


def prepare_database(url: str) -> None:
    """Upgrade a SQLite schema; warn if a PostgreSQL schema is outdated. A database failure does not prevent startup."""
    engine = connections.create(url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                migrate.upgrade(connection)
            elif migrate.state_of(connection) == "behind":
                log.warning("database outdated", hint=f"run `{connections.UPGRADE}`")
    except SQLAlchemyError as error:
        log.error("database", error=error_name(error), hint="feedback is rejected until the database is available")
    finally:
        engine.dispose()


def _serve(host: str, port: int, workers: int, program: Program) -> None:
    # Granian warns about more threads than cores, but ours mostly wait for FHIR servers.
    logging.getLogger("_granian").addFilter(lambda record: "Python threads" not in record.getMessage())
    Supervisor(
        worker.started_file(),
        target=program.target,
        factory=True,
        address=host,
        port=port,
        workers=workers,
        interface=program.interface,
        blocking_threads=program.threads,
        backpressure=connection_limit(),
        http=HTTPModes.http1,  # otherwise a connection that sends nothing is never closed
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
        websockets=False,
        workers_kill_timeout=lifetime.STOP_SECONDS,
        log_dictconfig=LOGGING_CONFIG,
        log_access=False,
    ).serve()
