"""How much one call, one client and all calls together may take. Counts are kept by each worker for itself."""

import math
from collections import Counter
from threading import Condition

from flask import Flask, Response, g

from cds_service.cdshooks.size_limits import require_within_limits
from cds_service.errors import Overloaded, TooManyCalls
from cds_service.settings import Settings
from cds_service.web import authentication, request_ids, transport
from cds_service.web.responses import outcome
from cds_service.web.token_bucket import TokenBucket

# A short burst waits for so long instead of being refused, in seconds.
_PATIENCE_SECONDS = 0.1


def sent(settings: Settings) -> bytes:
    """The body of the request, unpacked and no larger than the settings allow. Raises RequestError.

    For whoever reads it in one pass, and minds the bounds of what cannot be read so.
    """
    return transport.body(settings.max_body_bytes)


def body(settings: Settings) -> bytes:
    """The same, where nesting and lists are within bounds as well. Raises RequestError."""
    return require_within_limits(sent(settings), settings.max_entries)


# --- calls ----------------------------------------------------------------------------------------------------------


class ConcurrencyLimit:
    """The calls that are being answered, of all clients and of each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changed = Condition()
        self._all = 0
        self._of: Counter[str] = Counter()
        self._buckets: dict[str, TokenBucket] = {}

    def enter(self) -> None:
        """Count a call in. Raises Overloaded where there are too many."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._all < self._settings.max_calls, _PATIENCE_SECONDS):
                raise Overloaded("the service answers as many calls as it can; send it again")
            self._all += 1

    def enter_of(self, client: str) -> None:
        """Count a call of a client in. Raises TooManyCalls."""
        with self._changed:
            seconds = self._buckets.setdefault(client, TokenBucket(self._settings.calls_per_second)).wait()
            if seconds:
                raise TooManyCalls("this client calls too often", math.ceil(seconds))
            most = self._settings.max_calls_per_client
            if not self._changed.wait_for(lambda: self._of[client] < most, _PATIENCE_SECONDS):
                raise TooManyCalls("this client has too many calls at once")
            self._of[client] += 1

    def leave(self, client: str | None) -> None:
        """Count a call out."""
        with self._changed:
            self._all -= 1
            if client is not None:
                self._of[client] -= 1
            self._changed.notify_all()


def register(app: Flask, settings: Settings) -> ConcurrencyLimit:
    """Count calls in before anything else is done for them, and out when they are answered."""
    counts = ConcurrencyLimit(settings)

    @app.before_request
    def enter() -> None:
        if not authentication.is_free():
            counts.enter()
            g.is_counted = True

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if g.pop("is_counted", False):
            counts.leave(g.pop("counted_client", None))

    @app.errorhandler(TooManyCalls)
    def on_too_many(error: TooManyCalls) -> Response:
        request_ids.explain(error.message, client=_client())
        answer = outcome(error.status, error.code, error.message)
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    return counts


def register_clients(app: Flask, counts: ConcurrencyLimit) -> None:
    """Count the calls of each registered client, once it is known who calls."""

    @app.before_request
    def enter_client() -> None:
        caller = authentication.principal()
        if caller is not None and caller.registration is not None:
            counts.enter_of(caller.client)
            g.counted_client = caller.client


def _client() -> str | None:
    caller = authentication.principal()
    return caller.client if caller else None
