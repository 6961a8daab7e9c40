"""Logging as JSON lines on standard error, without patient data or tokens."""

import logging
import sys
import time
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO

import msgspec
import structlog

# Libraries whose messages have no call data. For others only the code location is logged: urllib3, for example, logs
# URLs, which identify the patient.
_TRUSTED = ("_granian", "_granian.serve", "_granian.workers")


class JsonFormatter(logging.Formatter):
    """Formats `logging` records of libraries as JSON lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The JSON line of a record, without its message unless the library is trusted."""
        message = record.getMessage() if record.name in _TRUSTED else "a library has logged something"
        level = record.levelname.lower()
        content = {"event": message, "logger": record.name, "at": f"{record.module}:{record.lineno}", "level": level}
        return str(structlog.processors.JSONRenderer()(None, "", _STAMP(None, "", content)))


_STAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)

# For `logging.config`: all library logs on one stream in one format.
LOGGING_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def bind_request_id(request_id: str) -> None:
    """Add a request id to the log lines of the current context."""
    _request_id.set(request_id)


def _with_request(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request_id = _request_id.get()
    return {"request_id": request_id, **event} if request_id else event


def _encoded(event: dict[str, Any], **_: object) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def configure(stream: TextIO = sys.stderr) -> None:
    """Write log lines to a stream as JSON objects with level, UTC time and request id."""
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


def location_of(error: Exception) -> dict[str, Any]:
    """The type and the source line of an unexpected error, whose message may repeat patient data."""
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    line = f"{traceback.tb_frame.f_code.co_filename.rsplit('/', 2)[-1]}:{traceback.tb_lineno}" if traceback else None
    return {"error": type(error).__name__, "at": line}


class Seldom:
    """Lets a log line be written at most once in so many seconds, such as one that each call would write."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._next_at = 0.0

    def allows(self) -> bool:
        """True if the line is to be written now."""
        now = time.monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + self._seconds
        return True
