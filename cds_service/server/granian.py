"""The production server: restarts failed workers, and lets calls finish on shutdown."""

import logging
import os
import signal
import threading
import time
from tempfile import TemporaryDirectory

from granian import Granian
from granian.constants import Interfaces
from sqlalchemy.exc import SQLAlchemyError

from cds_service.database import connections, migrate
from cds_service.server.malloc import release_large_blocks
from cds_service.settings import Settings
from cds_service.telemetry.logs import LOGGING_CONFIG, configure, log
from cds_service.telemetry.metrics import MULTIPROCESS_FOLDER

# Threads per worker beyond its concurrent calls, for health checks and for rejecting excess calls.
SPARE_THREADS = 4

# Connections per worker, most of them idle proxy connections. An excess connection waits up to half a minute for
# another to close.
CONNECTIONS = 1024

# Time for calls in progress to finish on shutdown, in seconds.
STOP_SECONDS = 30

# Maximum delay before a worker notices a stop signal, in seconds.
_WAKE_SECONDS = 0.5


def run(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until stopped by a signal."""
    configure()
    release_large_blocks()
    prepare_database(settings.database_url)
    os.register_at_fork(after_in_child=_reset_signal_handlers)
    with TemporaryDirectory(prefix="cds-metrics-") as shared:
        os.environ[MULTIPROCESS_FOLDER] = shared
        _serve(host, port, workers, settings.max_calls + SPARE_THREADS)


def _reset_signal_handlers() -> None:
    """Let a forked worker be terminated at any time; it inherits the main process's handlers, which only set flags.

    Workers ignore terminal interrupts, which the main process handles.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    threading.Thread(target=_wake_main_thread, daemon=True).start()


def _wake_main_thread() -> None:
    """Wake the main thread regularly, since only it runs signal handlers.

    About one in twenty stop signals arrives in another thread and would wait until the main thread wakes up.
    """
    main = threading.main_thread().ident
    while main:
        time.sleep(_WAKE_SECONDS)
        signal.pthread_kill(main, signal.SIGUSR2)


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
        log.error("database", error=type(error).__name__, hint="feedback is rejected until the database is available")
    finally:
        engine.dispose()


def _serve(host: str, port: int, workers: int, threads: int) -> None:
    # Granian warns about more threads than cores, but ours mostly wait for FHIR servers.
    logging.getLogger("_granian").addFilter(lambda record: "Python threads" not in record.getMessage())
    Granian(
        "cds_service.server.worker:create_app",
        factory=True,
        address=host,
        port=port,
        workers=workers,
        interface=Interfaces.WSGI,
        blocking_threads=threads,
        backpressure=CONNECTIONS,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_dictconfig=LOGGING_CONFIG,
        log_access=False,
    ).serve()
