"""Work that nobody waits for, done for many at once in a thread of its own."""

import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize
from typing import Generic, TypeVar

T = TypeVar("T")

# How long things are gathered before they are handed on, in seconds.
GATHER_SECONDS = 0.02

# How long the end of the process waits for what is still to be handed on, in seconds.
_LAST_SECONDS = 5.0

# So many may be waiting; what comes then is not taken.
_MOST_WAITING = 10_000


class Batch(Generic[T]):
    """Gathers things and hands them on together, in the order in which they came.

    `hand_on` is called from one thread, with all that has gathered, and must not raise. What is waiting when the
    process ends is handed on then.
    """

    def __init__(self, hand_on: Callable[[Sequence[T]], None]) -> None:
        self._hand_on = hand_on
        self._waiting: list[T] = []
        self._taken = self._done = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, thing: T) -> bool:
        """Take a thing, to be handed on soon. False where too much is waiting: it is not taken then."""
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                return False
            self._waiting.append(thing)
            self._taken += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="batch", daemon=True)
                self._thread.start()
                # Not `atexit`: a worker is a child process, which does not come to it.
                Finalize(None, self.flush, (_LAST_SECONDS,), exitpriority=1)
            elif len(self._waiting) == 1:
                self._changed.notify_all()
        return True

    def flush(self, seconds: float) -> bool:
        """Wait until all that was taken so far is handed on, for so many seconds at most; whether it is."""
        with self._changed:
            wanted = self._taken
            return self._changed.wait_for(lambda: self._done >= wanted, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            time.sleep(GATHER_SECONDS)
            with self._changed:
                things, self._waiting = self._waiting, []
            try:
                self._hand_on(things)
            finally:
                with self._changed:
                    self._done += len(things)
                    self._changed.notify_all()
