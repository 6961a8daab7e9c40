"""One log for the whole service: JSON lines on standard error, without patient data and tokens."""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

# Libraries whose own words hold no data of a call. Of all others only the place is logged: urllib3, for one, writes
# whole addresses, and those name the patient.
_TRUSTED = ("_granian", "_granian.serve", "_granian.workers")


class JsonFormatter(logging.Formatter):
    """What libraries log through `logging`, as a JSON line of the same form."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record; without its words where they may hold data of a call."""
        words = record.getMessage() if record.name in _TRUSTED else "a library has logged something"
        place = f"{record.module}:{record.lineno}"
        return _line({"event": words, "logger": record.name, "at": place, "level": record.levelname.lower()}).decode()


# For `logging.config`: everything from `logging` in one place and in one form.
LIBRARIES: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}

_ENCODER = msgspec.json.Encoder(enc_hook=str)

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def about_request(request_id: str) -> None:
    """Let the lines from here on carry the id of the request that is being answered."""
    _request_id.set(request_id)


def _line(content: dict[str, Any]) -> bytes:
    """A JSON object with the UTC time behind its other members."""
    content["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return _ENCODER.encode(content)


class Log:
    """Writes lines to a stream: the id of the request, what is known of an event, its name, level and time.

    A line for each call: structlog took 6 µs for what is done here in 2.5.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def info(self, event: str, **known: Any) -> None:
        """Something that is as it should be."""
        self._write("info", event, known)

    def warning(self, event: str, **known: Any) -> None:
        """Something to look at."""
        self._write("warning", event, known)

    def error(self, event: str, **known: Any) -> None:
        """Something that has failed."""
        self._write("error", event, known)

    def _write(self, level: str, event: str, known: dict[str, Any]) -> None:
        request_id = _request_id.get()
        about = {"request_id": request_id} if request_id else {}
        lines = self.stream.buffer
        lines.write(_line({**about, **known, "event": event, "level": level}) + b"\n")
        lines.flush()


log = Log(sys.stderr)


def configure(stream: TextIO = sys.stderr) -> None:
    """Send log lines to a stream, one JSON object each, and leave out what urllib3 says of its connections."""
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    log.stream = stream
