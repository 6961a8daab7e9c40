"""How often something may happen."""

import time
from collections.abc import Callable


class TokenBucket:
    """Takes `rate` calls a second in the long run, and twice as many at once. `clock` gives seconds that only grow."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._most = max(1.0, 2 * rate)
        self._left = self._most
        self._at = clock()

    def wait(self) -> float:
        """Take a call: 0, or how many seconds to wait for the next where none is left."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0
