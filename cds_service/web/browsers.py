"""Browsers: the `Host` names of development, and the origins whose pages may call (CORS).

In development there is no authentication, and any page that a browser on this computer shows can reach the service. So
only loopback names are answered: a page whose own name was pointed at this computer (DNS rebinding) still sends that
name. Pages of loopback origins, such as a local CDS Hooks Sandbox, may call the services, `/review` and `/claim`,
nothing else.
"""

import re
from threading import Lock
from typing import Any

from flask import Flask, Response, request
from flask_cors import CORS

from cds_service.errors import WrongHost
from cds_service.fhir.servers import is_loopback_name, split_url
from cds_service.settings import Settings, variable
from cds_service.telemetry.logs import log
from cds_service.web import request_ids
from cds_service.web.responses import outcome

# Pages on this computer, on any port.
_LOOPBACK_ORIGIN = re.compile(
    r"https?://(([a-z0-9-]+\.)*localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?\Z", re.IGNORECASE
)
_SERVICES = re.compile(r"/(cds-services(/.*)?|review|claim)\Z")
_EVERYTHING = r"/.*"

# An origin in a form that may be logged.
_ORIGIN = re.compile(r"https?://([a-zA-Z0-9.-]{1,200}|\[[0-9a-fA-F:.]{1,45}\])(:[0-9]{1,5})?\Z")
_MOST_LOGGED = 100


def register_hosts(app: Flask, settings: Settings) -> None:
    """In development, refuse requests under any but a loopback name."""

    @app.errorhandler(WrongHost)
    def on_wrong_host(error: WrongHost) -> Response:
        request_ids.note_refusal(error.message)
        return outcome(error.status, error.code, error.message)

    if settings.mode != "development":
        return

    @app.before_request
    def require_loopback_name() -> None:
        parts = split_url(f"//{request.host}")
        if parts is None or not is_loopback_name(parts.hostname or ""):
            raise WrongHost(
                "in development mode only loopback names are answered: expected `Host` to be localhost or 127.0.0.1; "
                f"other names need {variable('mode')}=production"
            )


def register_origins(app: Flask, settings: Settings) -> None:
    """Answer CORS preflights of allowed origins, and log each origin that is refused once."""
    listed = list(settings.cors_origins)
    refused = _RefusedOrigins(settings)
    app.after_request(refused.note)  # before CORS, since Flask runs the last registered first
    resources: dict[str | re.Pattern[str], dict[str, Any]] = {_EVERYTHING: {"origins": listed}}
    if settings.mode == "development":
        resources |= {_SERVICES: {"origins": [*listed, _LOOPBACK_ORIGIN]}}
    CORS(
        app,
        resources=resources,
        methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type", "Accept"],
        supports_credentials=False,
        max_age=600,
    )


class _RefusedOrigins:
    """The origins that were refused so far, so that each is logged once."""

    def __init__(self, settings: Settings) -> None:
        self._lock = Lock()
        self._seen: set[str] = set()
        public = split_url(settings.public_base_url or "")
        self._own = {public.netloc} if public and public.netloc else set()

    def note(self, response: Response) -> Response:
        """Log a new origin whose pages may not read the response."""
        origin = request.headers.get("Origin")
        if origin is None or "Access-Control-Allow-Origin" in response.headers or self._is_own(origin):
            return response
        shown = origin.lower() if _ORIGIN.match(origin) or origin == "null" else "not an origin"
        with self._lock:
            is_new = shown not in self._seen and len(self._seen) < _MOST_LOGGED
            if is_new:
                self._seen.add(shown)
        if is_new:
            log.warning("origin refused", origin=shown, hint=_hint(shown))
        return response

    def _is_own(self, origin: str) -> bool:
        """True for this service's own pages: browsers name the origin of a POST also where it is the same."""
        parts = split_url(origin)
        return parts is not None and parts.netloc in {request.host, *self._own}


def _hint(origin: str) -> str:
    if not _ORIGIN.match(origin):
        return "no setting allows pages without an origin, such as files; serve the page over http or https"
    if _LOOPBACK_ORIGIN.match(origin):
        return (
            f"pages of this computer may call /cds-services, /review and /claim in development mode; "
            f"{variable('cors_origins')}={origin} opens the other paths"
        )
    return f"{variable('cors_origins')}={origin} lets its pages call"
