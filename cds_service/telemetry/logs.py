"""One log for the whole service: JSON lines on standard error, without patient data and tokens."""

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO

import msgspec
import structlog

# Libraries whose own words hold no data of a call. Of all others only the place is logged: urllib3, for one, writes
# whole addresses, and those name the patient.
_TRUSTED = ("_granian", "_granian.serve", "_granian.workers")


class JsonFormatter(logging.Formatter):
    """What libraries log through `logging`, as a JSON line of the same form."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record; without its words where they may hold data of a call."""
        words = record.getMessage() if record.name in _TRUSTED else "a library has logged something"
        level = record.levelname.lower()
        content = {"event": words, "logger": record.name, "at": f"{record.module}:{record.lineno}", "level": level}
        return str(structlog.processors.JSONRenderer()(None, "", _STAMP(None, "", content)))


_STAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)

# For `logging.config`: everything from `logging` in one place and in one form.
LIBRARIES: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def about_request(request_id: str) -> None:
    """Let the lines from here on carry the id of the request that is being answered."""
    _request_id.set(request_id)


def _with_request(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request_id = _request_id.get()
    return {"request_id": request_id, **event} if request_id else event


def _encoded(event: dict[str, Any], **_: object) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def configure(stream: TextIO = sys.stderr) -> None:
    """Send log lines to a stream, one JSON object each, with level, UTC time and the id of the request."""
    lines = structlog.BytesLogger(stream.buffer)
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            _with_request,
            structlog.processors.add_log_level,
            _STAMP,
            structlog.processors.JSONRenderer(serializer=_encoded),
        ],
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )


log: Any = structlog.get_logger()
