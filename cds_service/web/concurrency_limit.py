"""Counts of the calls in progress and of the calls a second, for any server. Each worker counts for itself."""

import math
from collections import Counter
from threading import Condition

from cds_service.errors import Overloaded, TooManyCalls
from cds_service.settings import Settings
from cds_service.web.token_bucket import TokenBucket

# A short burst waits this long, in seconds, instead of being refused.
_PATIENCE_SECONDS = 0.1


class ConcurrencyLimit:
    """Counts of the calls in progress, in total and by client, against the limits of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changed = Condition()
        self._total = 0
        self._by_client: Counter[str] = Counter()
        self._buckets: dict[str, TokenBucket] = {}

    def enter(self) -> None:
        """Count a call in. Raises Overloaded at the limit."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._total < self._settings.max_calls, _PATIENCE_SECONDS):
                raise Overloaded("the service is at its limit of concurrent calls; retry")
            self._total += 1

    def enter_client(self, client: str) -> None:
        """Count a call of a client in. Raises TooManyCalls at its limit."""
        with self._changed:
            seconds = self._buckets.setdefault(client, TokenBucket(self._settings.calls_per_second)).acquire()
            if seconds:
                raise TooManyCalls("this client calls too often", math.ceil(seconds))
            most = self._settings.max_calls_per_client
            if not self._changed.wait_for(lambda: self._by_client[client] < most, _PATIENCE_SECONDS):
                raise TooManyCalls("this client has too many concurrent calls")
            self._by_client[client] += 1

    def leave(self, client: str | None) -> None:
        """Count a call out, and out of its client's calls if one was counted."""
        with self._changed:
            self._total -= 1
            if client is not None:
                self._by_client[client] -= 1
            self._changed.notify_all()
