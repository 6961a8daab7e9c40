"""Limits of one request, one client and all clients together. Each worker counts for itself."""

from flask import Flask, Response, g

from cds_service.cdshooks.size_limits import require_within_limits
from cds_service.errors import TooManyCalls
from cds_service.fhir.text_faults import utf8_json
from cds_service.settings import Settings
from cds_service.web import authentication, request_ids, transport
from cds_service.web.concurrency_limit import ConcurrencyLimit
from cds_service.web.responses import outcome


def raw_body(settings: Settings) -> bytes:
    """The JSON body of the request, decompressed and within the size limit, without a byte order mark.

    For decoders that check nesting and list lengths themselves. Raises RequestError, also if it is not in UTF-8.
    """
    return utf8_json(transport.body(settings.max_body_bytes))


def bounded_body(settings: Settings) -> bytes:
    """The body of the request, with nesting and list lengths within their limits too. Raises RequestError."""
    return require_within_limits(raw_body(settings), settings.max_entries)


# --- calls ----------------------------------------------------------------------------------------------------------


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
