"""A limit on the work for one call, so that no body can hold a worker: seconds of CPU time of the thread that works."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cds_service.errors import TooMuchWork

_LIMIT = threading.local()


@contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """Limit the work of the block to seconds of CPU time; None: no limit. Within it, `check` raises TooMuchWork."""
    before = getattr(_LIMIT, "end", None)
    _LIMIT.end = None if seconds is None else time.thread_time() + seconds
    try:
        yield
    finally:
        _LIMIT.end = before


def check() -> None:
    """Raise TooMuchWork if the time of the block is used up. Called where work is repeated."""
    end = getattr(_LIMIT, "end", None)
    if end is not None and time.thread_time() > end:
        raise TooMuchWork("the records of this call take more time to compare than this service gives to one call")
