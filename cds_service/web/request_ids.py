"""What every request carries through the service: an id, and who calls."""

import re
import uuid

from flask import Flask, Response, g, request

from cds_service.database.store import AuditActor
from cds_service.telemetry.logs import bind_request_id, log
from cds_service.telemetry.metrics import Metrics

# An id is taken from the caller only where it cannot be anything else: a UUID, or the 32 digits of a trace. Anything
# freer might be a patient's number, and would be logged.
_ID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")

# The caller where nobody has to say who they are.
DEVELOPMENT = "development"


def register(app: Flask, metrics: Metrics) -> None:
    """Give every request an id that its log lines and its answer carry; log and count answers that are errors."""

    @app.before_request
    def begin() -> None:
        sent = request.headers.get("X-Request-ID", "")
        request_id = sent if _ID.fullmatch(sent) else str(uuid.uuid4())
        g.request_id = request_id
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


def explain(reason: str, **who: str | None) -> None:
    """Say why the call is refused, and who made it as far as is known; for the log alone."""
    g.refusal = {"reason": reason} | {name: value for name, value in who.items() if value}


def _fault(status: int) -> str:
    """The claim or header member for which a call was turned away, where the reason begins with one."""
    named = re.match(r"`(\w+)`", g.get("refusal", {}).get("reason", ""))
    return "registration" if status == 403 else named[1] if named else "token"


def _log_refusal(status: int) -> None:
    known: dict[str, str] = g.get("refusal", {})
    write = log.warning if known else log.info
    write("refused", status=status, route=request.url_rule.rule if request.url_rule else None, **known)


def actor() -> AuditActor:
    """The calling client's registered name and the request's id, for the audit log; the name is in `g.principal`."""
    return AuditActor(client=getattr(g.get("principal"), "client", None) or DEVELOPMENT, request=g.request_id)
