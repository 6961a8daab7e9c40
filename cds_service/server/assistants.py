"""A worker process that serves tools for assistants over HTTP."""

import sys
from typing import Any

from cds_service import app
from cds_service.assistants.admission import Admission, actor_of
from cds_service.assistants.http import create_http_app
from cds_service.assistants.server import create_server
from cds_service.database.connections import Database
from cds_service.errors import ServiceError
from cds_service.server import lifetime
from cds_service.server.worker import started_file
from cds_service.settings import load_settings
from cds_service.telemetry.calls import CallSummary
from cds_service.telemetry.logs import configure, log
from cds_service.wiring import create_toolbox


def create_mcp_app() -> Admission:
    """The ASGI application for serving. Raises SystemExit after one log line if settings or files are at fault."""
    lifetime.begin()
    try:
        made = _create()
    except ServiceError as error:
        log.error("a worker cannot start", reason=str(error))
        sys.exit(1)
    started_file().touch()
    return made


def _create() -> Admission:
    configure()
    settings = load_settings()
    toolbox = create_toolbox(settings)
    database = Database(settings.database_url, settings.database_connections)
    recorder = app.create_recorder(settings, toolbox.advisor, database)

    def record(context: Any, call: CallSummary) -> None:
        recorder.record_call(actor_of(context), call)

    verifier = app.create_verifier(settings)
    if verifier:
        verifier.fetch_keys()
    return create_http_app(create_server(toolbox, settings, record), settings, verifier)
