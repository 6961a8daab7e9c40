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
    before = getattr(_LIMIT, "ends", None)
    _LIMIT.ends = None if seconds is None else (time.monotonic() + seconds, time.thread_time() + seconds)
    try:
        yield
    finally:
        _LIMIT.ends = before


def check() -> None:
    """Raise TooMuchWork if the time of the block is used up. Called where work is repeated.

    A thread uses no more CPU time than time passes, and the clock costs a hundredth of asking the system for CPU time.
    """
    ends = getattr(_LIMIT, "ends", None)
    if ends is not None and time.monotonic() > ends[0] and time.thread_time() > ends[1]:
        raise TooMuchWork("the records of this call take more time to compare than this service gives to one call")
