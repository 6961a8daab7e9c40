"""A worker process of the production server: the application with garbage collection tuned for calls."""

import gc
import os
import sys
from pathlib import Path

from flask import Flask

from cds_service import app
from cds_service.errors import ServiceError
from cds_service.server import lifetime
from cds_service.telemetry.logs import log
from cds_service.telemetry.metrics import MULTIPROCESS_FOLDER

# Allocations minus deallocations before a young-generation collection. A 200 KB call makes thousands of objects without
# cycles; with Python's default of 700, or even 20,000, garbage collection took a tenth of the time.
_YOUNG_OBJECTS = 100_000


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
    tune_garbage_collection()
    return made


def tune_garbage_collection() -> None:
    """Leave out the objects made so far, and look at new ones less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def started_file() -> Path:
    """A file that exists once a worker of this service has started."""
    return Path(os.environ[MULTIPROCESS_FOLDER]) / "started"
