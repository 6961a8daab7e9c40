"""Authentication of every request: client tokens, the page password, or localhost in development."""

from functools import lru_cache
from typing import cast

from flask import Flask, Response, g, request

from cds_service.auth.surfaces import surface_of
from cds_service.auth.tokens import Principal, TokenVerifier
from cds_service.errors import NotAllowed, NotTrusted
from cds_service.fhir.servers import is_loopback
from cds_service.web import page_password, request_ids
from cds_service.web.responses import as_json, outcome

DEVELOPMENT = Principal("development")


def register(
    app: Flask,
    guard: TokenVerifier | None,
    public_base: str,
    open_paths: tuple[str, ...] = (),
    password: page_password.PagePassword | None = None,
    services: frozenset[str] = frozenset(),
) -> None:
    """Admit registered clients by their token; without a guard, admit localhost only.

    `public_base` is the address under which clients reach the service, behind any proxy; tokens name it as audience.
    `password` admits users to the pages. GET requests of `open_paths` need neither. `services` are the ids of all
    services.
    """

    @app.before_request
    def admit() -> Response | None:
        if is_exempt() or _is_open(open_paths):
            return None
        if password and page_password.is_page():
            user = password.admit()
            if user is None:
                return page_password.challenge()
            g.principal = user
            return None
        client = _localhost_client() if guard is None else guard.verify(_authorization(), public_base + request.path)
        g.principal = client
        client.require_access(_name_called())
        return None

    @app.errorhandler(NotTrusted)
    def on_not_trusted(error: NotTrusted) -> Response:
        expected = {"expected_aud": _route_url(public_base, services)} if error.message.startswith("`aud`") else {}
        request_ids.note_refusal(error.message, **error.named, **expected)
        issue = {"severity": "error", "code": error.code}
        answer = as_json({"resourceType": "OperationOutcome", "issue": [issue]}, 401, "application/fhir+json")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    @app.errorhandler(NotAllowed)
    def on_not_allowed(error: NotAllowed) -> Response:
        client = {"client": g.principal.client, "tenant": g.principal.tenant} if "principal" in g else {}
        request_ids.note_refusal(error.message, **client)
        return outcome(error.status, error.code, error.message)


def principal() -> Principal | None:
    """The authenticated client of the current request; None on paths that need no authentication."""
    return cast("Principal | None", g.get("principal"))


def is_exempt() -> bool:
    """True if the request needs no token and counts toward no limit: health, static files, CORS preflights."""
    is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return is_preflight or request.path.startswith(("/health/", "/static/"))


def _name_called() -> str | None:
    """The service or surface of the route, as registrations name it; None if every client may call it."""
    if request.url_rule is None:
        return None  # a 404
    service: str | None = (request.view_args or {}).get("service_id")
    return service or surface_of(request.path)


def _route_url(public_base: str, services: frozenset[str]) -> str:
    """The URL that tokens for this route name, for the log; only ids of services fill the free parts of its path."""
    rule = request.url_rule.rule if request.url_rule else "/…"
    service = (request.view_args or {}).get("service_id")
    return public_base + (rule.replace("<service_id>", service) if service in services else rule)


def _is_open(paths: tuple[str, ...]) -> bool:
    if not paths or request.method not in {"GET", "HEAD"}:
        return False
    return any(request.path == path or request.path.startswith(f"{path}/") for path in paths)


def _localhost_client() -> Principal:
    """The development client. Raises NotAllowed for any address but localhost, however the server was started."""
    if request.remote_addr and not _is_localhost(request.remote_addr):
        raise NotAllowed("in development mode only localhost may call")
    return DEVELOPMENT


# Cached: nearly all calls come from one address, and parsing it takes as long as the rest of authentication.
_is_localhost = lru_cache(maxsize=64)(is_loopback)


def _authorization() -> str | None:
    return request.headers.get("Authorization")
