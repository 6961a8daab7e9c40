"""One log for the whole service: JSON lines on standard error, without patient data and tokens."""

import sys
from typing import Any, TextIO

import structlog


def configure(stream: TextIO = sys.stderr) -> None:
    """Send log lines to a stream, one JSON object each, with level and UTC time."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


log: Any = structlog.get_logger()
