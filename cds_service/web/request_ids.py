"""Request ids, the client for the audit log, and the log lines of refused requests."""

import re
import uuid

from flask import Flask, Response, g, request

from cds_service.database.store import AuditActor
from cds_service.telemetry.logs import bind_request_id, log
from cds_service.telemetry.metrics import Metrics

# The client's own id is accepted only as a UUID or the 32 digits of a trace: ids are logged, and anything else might be
# a patient's number.
_ID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")

# The client in development, where no authentication is required.
DEVELOPMENT = "development"


def register(app: Flask, metrics: Metrics) -> None:
    """Give every request an id for its log lines and its response; log and count error responses."""

    @app.before_request
    def begin() -> None:
        g.request_id = request_id = accepted_id(request.headers.get("X-Request-ID", ""))
        bind_request_id(request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        if response.status_code >= 400:
            metrics.count_error(response.status_code)
            if response.status_code in {401, 403}:
                metrics.count_auth_failure(_fault(response.status_code))
            _log_refusal(response.status_code)
        return response


def accepted_id(sent: str) -> str:
    """The client's own id of a request if it may be logged, else a new one."""
    return sent if _ID.fullmatch(sent) else str(uuid.uuid4())


def note_refusal(reason: str, **client: str | None) -> None:
    """Note why the request is refused and which client sent it; for the log only, never for the response."""
    g.refusal = {"reason": reason} | {name: value for name, value in client.items() if value}


def _fault(status: int) -> str:
    """The claim or header member that failed, if the reason begins with one; a label of the metric."""
    named = re.match(r"`(\w+)`", g.get("refusal", {}).get("reason", ""))
    return "registration" if status == 403 else named[1] if named else "token"


def _log_refusal(status: int) -> None:
    known: dict[str, str] = g.get("refusal", {})
    write = log.warning if known else log.info
    write("refused", status=status, route=request.url_rule.rule if request.url_rule else None, **known)


def actor() -> AuditActor:
    """The calling client's registered name and the request's id, for the audit log; the name is in `g.principal`."""
    return AuditActor(client=getattr(g.get("principal"), "client", None) or DEVELOPMENT, request=g.request_id)
