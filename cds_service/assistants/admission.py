"""Admits requests of the HTTP server as the service admits calls: by token, with the same limits and refusals."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from cds_service.auth.tokens import Principal, TokenVerifier
from cds_service.cdshooks.messages import Issue, OperationOutcome
from cds_service.database.store import AuditActor
from cds_service.errors import (
    NotAllowed,
    NotTrusted,
    RequestError,
    TooLarge,
    TooManyCalls,
    UnknownEncoding,
    UnknownService,
    WrongHost,
    WrongMethod,
)
from cds_service.fhir.servers import is_loopback, is_loopback_name, split_url
from cds_service.languages.worded import JSON
from cds_service.settings import Settings
from cds_service.telemetry.logs import bind_request_id, log
from cds_service.web.authentication import DEVELOPMENT
from cds_service.web.concurrency_limit import ConcurrencyLimit
from cds_service.web.request_ids import accepted_id

PATH = "/mcp"
SURFACE = "mcp"
HEALTH = ("/health/live", "/health/ready")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_STATE = "admitted"
_MOST_DISCARDED = 8  # times the limit: so much of a body that is too large is read before it is refused


@dataclass(frozen=True, slots=True)
class Head:
    """The parts of a request that decide on admission."""

    method: str
    path: str
    peer: str
    headers: dict[str, str]


class Admission:
    """The ASGI application behind its gate. `verifier` None: development, where only this machine may call."""

    def __init__(self, app: App, settings: Settings, verifier: TokenVerifier | None) -> None:
        self._app = app
        self._settings = settings
        self._verifier = verifier
        self._counts = ConcurrencyLimit(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass the events of the server's life on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = _head(scope)
        if head.path in HEALTH:
            await _send(send, 200, b'{"status":"ok"}', {})
            return
        request_id = accepted_id(head.headers.get("x-request-id", ""))
        bind_request_id(request_id)
        try:
            principal = await anyio.to_thread.run_sync(self._enter, head)
        except RequestError as error:
            await self._refuse(send, error)
            return
        try:
            scope.setdefault("state", {})[_STATE] = AuditActor(client=principal.client, request=request_id)
            await self._app(scope, _replayed(await _body(receive, self._settings.max_body_bytes), receive), send)
        except TooLarge as error:
            await self._refuse(send, error)
        finally:
            self._counts.leave(principal.client if principal.registration else None)

    def _enter(self, head: Head) -> Principal:
        """The client of a request, counted in. Raises RequestError; then nothing is counted."""
        self._counts.enter()
        try:
            principal = self._admitted(head)
            if principal.registration is not None:
                self._counts.enter_client(principal.client)
        except BaseException:
            self._counts.leave(None)
            raise
        return principal

    def _admitted(self, head: Head) -> Principal:
        self._require_origin(head)
        if self._verifier is None:
            principal = _localhost(head)
        else:
            public = self._settings.public_base_url or ""
            principal = self._verifier.verify(head.headers.get("authorization"), public + head.path)
        principal.require_access(SURFACE)
        if head.path != PATH:
            raise UnknownService("no route has this address")
        if head.method != "POST":  # a stream that a GET would open has nothing to tell, and would hold a place
            raise WrongMethod("this address takes POST only")
        if head.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise UnknownEncoding("`Content-Encoding`: expected none", "Content-Encoding")
        return principal

    def _require_origin(self, head: Head) -> None:
        """Refuse pages of other origins than those of the settings. Raises NotAllowed."""
        origin = head.headers.get("origin")
        if origin is None or origin in self._settings.cors_origins:
            return
        parts = split_url(origin)
        if self._verifier is None and parts is not None and is_loopback_name(parts.hostname or ""):
            return
        raise NotAllowed("`Origin`: pages of this origin may not call")

    async def _refuse(self, send: Send, error: RequestError) -> None:
        expected = {}
        named = dict(error.named) if isinstance(error, NotTrusted) else {}
        if error.message.startswith("`aud`"):
            expected = {"expected_aud": f"{self._settings.public_base_url}{PATH}"}
        log.warning("refused", status=error.status, route=PATH, reason=error.message, **named, **expected)
        await _send(send, error.status, _outcome(error), _headers(error))


def actor_of(context: Any) -> AuditActor:
    """The client that sent a request of the protocol, by the context that the SDK hands over."""
    actor: AuditActor = context.request.scope["state"][_STATE]
    return actor


def _head(scope: Scope) -> Head:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return Head(scope["method"], scope["path"], (scope.get("client") or ("",))[0], headers)


def _localhost(head: Head) -> Principal:
    """The development client. Raises NotAllowed and WrongHost for any but this machine and its loopback names."""
    if head.peer and not is_loopback(head.peer):
        raise NotAllowed("in development mode only localhost may call")
    parts = split_url(f"//{head.headers.get('host', '')}")
    if parts is None or not is_loopback_name(parts.hostname or ""):
        raise WrongHost("in development mode only loopback names are answered: expected `Host` to be localhost")
    return DEVELOPMENT


def _outcome(error: RequestError) -> bytes:
    """The refusal as a FHIR OperationOutcome; that of a token has no reason."""
    if isinstance(error, NotTrusted):
        issue = {"severity": "error", "code": error.code}
        return JSON.encode({"resourceType": "OperationOutcome", "issue": [issue]})
    expression = (error.expression,) if error.expression else ()
    said = Issue(severity="error", code=error.code, diagnostics=error.message, expression=expression)
    return JSON.encode(OperationOutcome(issue=(said,)))


async def _body(receive: Receive, most_bytes: int) -> bytes:
    """The body of a request. Raises TooLarge, after the rest was read too, so that the client hears of it."""
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= _MOST_DISCARDED * most_bytes:
        message = await receive()
        part = message.get("body", b"")
        size, more = size + len(part), message.get("more_body", False)
        if size <= most_bytes:
            parts.append(part)
    if size > most_bytes:
        raise TooLarge("the body is larger than this service accepts")
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A function that gives a body that was read already, and then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> MutableMapping[str, Any]:
        return left.pop() if left else await receive()

    return replay


def _headers(error: RequestError) -> dict[str, str]:
    if isinstance(error, NotTrusted):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyCalls) else error.headers


async def _send(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    every = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    written = [(name.lower().encode(), value.encode()) for name, value in (every | headers).items()]
    await send({"type": "http.response.start", "status": status, "headers": written})
    await send({"type": "http.response.body", "body": body})
