"""A worker process of the production server: the application with garbage collection tuned for calls."""

import os
import sys
from pathlib import Path

from flask import Flask

from cds_service import app
from cds_service.core import garbage_collection
from cds_service.errors import ServiceError
from cds_service.server import lifetime
from cds_service.telemetry.logs import log
from cds_service.telemetry.metrics import MULTIPROCESS_FOLDER


def create_app() -> Flask:
    """The application for serving. Objects made at startup are exempt from garbage collection.

    Raises SystemExit after one log line if settings or files are at fault.
    """
    lifetime.begin()
    try:
        made = app.create_app()
    except ServiceError as error:
        log.error("a worker cannot start", reason=str(error))
        sys.exit(1)
    started_file().touch()
    garbage_collection.tune()
    return made


def started_file() -> Path:
    """A file that exists once a worker of this service has started."""
    return Path(os.environ[MULTIPROCESS_FOLDER]) / "started"
