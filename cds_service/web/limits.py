"""Limits of one request, one client and all clients together. Each worker counts for itself."""

import math
from collections import Counter
from threading import Condition

from flask import Flask, Response, g

from cds_service.cdshooks.size_limits import require_within_limits
from cds_service.errors import Overloaded, TooManyCalls
from cds_service.fhir.text_faults import utf8_json
from cds_service.settings import Settings
from cds_service.web import authentication, request_ids, transport
from cds_service.web.responses import outcome
from cds_service.web.token_bucket import TokenBucket

# A short burst waits this long, in seconds, instead of being refused.
_PATIENCE_SECONDS = 0.1


def raw_body(settings: Settings) -> bytes:
    """The JSON body of the request, decompressed and within the size limit, without a byte order mark.

    For decoders that check nesting and list lengths themselves. Raises RequestError, also if it is not in UTF-8.
    """
    return utf8_json(transport.body(settings.max_body_bytes))


def bounded_body(settings: Settings) -> bytes:
    """The body of the request, with nesting and list lengths within their limits too. Raises RequestError."""
    return require_within_limits(raw_body(settings), settings.max_entries)


# --- calls ----------------------------------------------------------------------------------------------------------


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


def register(app: Flask, settings: Settings) -> ConcurrencyLimit:
    """Count each call in before any other work, and out when it is answered."""
    counts = ConcurrencyLimit(settings)

    @app.before_request
    def enter() -> None:
        if not authentication.is_exempt():
            counts.enter()
            g.is_counted = True

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if g.pop("is_counted", False):
            counts.leave(g.pop("counted_client", None))

    @app.errorhandler(TooManyCalls)
    def on_too_many(error: TooManyCalls) -> Response:
        request_ids.note_refusal(error.message, client=_client())
        answer = outcome(error.status, error.code, error.message)
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    return counts


def register_clients(app: Flask, counts: ConcurrencyLimit) -> None:
    """Count the calls of each registered client, after authentication."""

    @app.before_request
    def enter_client() -> None:
        client = authentication.principal()
        if client is not None and client.registration is not None:
            counts.enter_client(client.client)
            g.counted_client = client.client


def _client() -> str | None:
    client = authentication.principal()
    return client.client if client else None
