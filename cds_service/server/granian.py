"""The production server: workers that are replaced when they die, and that finish their calls when they are stopped."""

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
from cds_service.server.malloc import give_back_large_blocks
from cds_service.settings import Settings
from cds_service.telemetry.logs import LIBRARIES, configure, log
from cds_service.telemetry.metrics import SHARED

# Threads of a worker beyond the calls that it answers at once: for its health, and to say that it has no room.
SPARE_THREADS = 4

# Connections that a worker holds, most of them idle: a proxy keeps some open, and each one too many would wait for half
# a minute until another is closed.
CONNECTIONS = 1024

# How long calls that have begun may take to finish when the server is stopped, in seconds.
STOP_SECONDS = 30

# How long a worker may overhear that it is to stop, in seconds.
_AWAKE_SECONDS = 0.5


def run(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until interrupted or told to end."""
    configure()
    give_back_large_blocks()
    prepare(settings.database_url)
    os.register_at_fork(after_in_child=_can_be_stopped)
    with TemporaryDirectory(prefix="cds-metrics-") as shared:
        os.environ[SHARED] = shared
        _serve(host, port, workers, settings.max_calls + SPARE_THREADS)


def _can_be_stopped() -> None:
    """Let a worker be stopped at any moment. It is a copy of this process, whose own handlers only take notes.

    An interrupt from the terminal reaches everybody; the workers leave it to the process that started them.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    threading.Thread(target=_keep_awake, daemon=True).start()


def _keep_awake() -> None:
    """Wake the main thread now and then, since only it acts on signals.

    Of some twenty signals to stop, one is caught by another thread while the main thread waits, and is not heard.
    """
    main = threading.main_thread().ident
    while main:
        time.sleep(_AWAKE_SECONDS)
        signal.pthread_kill(main, signal.SIGUSR2)


def prepare(url: str) -> None:
    """Upgrade SQLite, and say it where PostgreSQL has to be. Without a database the service starts all the same."""
    engine = connections.create(url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                migrate.upgrade(connection)
            elif migrate.state_of(connection) == "behind":
                log.warning("database outdated", hint=f"run `{connections.UPGRADE}`")
    except SQLAlchemyError as error:
        log.error("database", error=type(error).__name__, hint="feedback is refused until it is back")
    finally:
        engine.dispose()


def _serve(host: str, port: int, workers: int, threads: int) -> None:
    # Granian warns of more threads than cores; ours wait for FHIR servers most of the time.
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
        log_dictconfig=LIBRARIES,
        log_access=False,
    ).serve()
