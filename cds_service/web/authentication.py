"""At the door: who calls, and whether they may. Everything but `/health` and the looks of pages is behind it."""

from functools import lru_cache
from typing import cast

from flask import Flask, Response, g, request

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
    visitors: page_password.PagePassword | None = None,
) -> None:
    """Let in who proves to be a registered client; without a guard, who calls from this machine.

    `public_base` is the address under which clients reach the service, whatever a proxy makes of it. `visitors` are
    people, who may look at pages.
    """

    @app.before_request
    def admit() -> Response | None:
        if is_free() or _is_open(open_paths):
            return None
        if visitors and page_password.is_page():
            person = visitors.admit()
            if person is None:
                return page_password.challenge()
            g.principal = person
            return None
        who = _neighbour() if guard is None else guard.verify(_authorization(), public_base + request.path)
        g.principal = who
        who.require_access((request.view_args or {}).get("service_id"))
        return None

    @app.errorhandler(NotTrusted)
    def on_not_trusted(error: NotTrusted) -> Response:
        request_ids.explain(error.message, **{name: value[:200] for name, value in error.claims.items()})
        issue = {"severity": "error", "code": error.code}
        answer = as_json({"resourceType": "OperationOutcome", "issue": [issue]}, 401, "application/fhir+json")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    @app.errorhandler(NotAllowed)
    def on_not_allowed(error: NotAllowed) -> Response:
        who = {"client": g.principal.client, "tenant": g.principal.tenant} if "principal" in g else {}
        request_ids.explain(error.message, **who)
        return outcome(error.status, error.code, error.message)


def principal() -> Principal | None:
    """Who makes the call that is being answered; None where nobody had to say."""
    return cast("Principal | None", g.get("principal"))


def is_free() -> bool:
    """Whether a call needs no token and counts for nothing: health, the looks of pages, and what browsers ask before a
    call (CORS).
    """
    is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return is_preflight or request.path.startswith(("/health/", "/static/"))


def _is_open(paths: tuple[str, ...]) -> bool:
    if not paths or request.method not in {"GET", "HEAD"}:
        return False
    return any(request.path == path or request.path.startswith(f"{path}/") for path in paths)


def _neighbour() -> Principal:
    """Who calls in development: anyone, from this machine alone, however the server was started."""
    if request.remote_addr and not _is_this_machine(request.remote_addr):
        raise NotAllowed("in development mode only this machine may call")
    return DEVELOPMENT


# Nearly all calls come from one address, and reading it takes as long as all else that is asked at the door.
_is_this_machine = lru_cache(maxsize=64)(is_loopback)


def _authorization() -> str | None:
    return request.headers.get("Authorization")
