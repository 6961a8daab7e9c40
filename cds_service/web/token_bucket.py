"""A token bucket for rate limits."""

import time
from collections.abc import Callable


class TokenBucket:
    """Allows `rate` calls a second on average, with bursts of twice as many. `clock` is monotonic, in seconds."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._capacity = max(1.0, 2 * rate)
        self._tokens = self._capacity
        self._updated = clock()

    def acquire(self) -> float:
        """Count a call in: 0 if it is allowed, else the seconds until the next one is."""
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0
