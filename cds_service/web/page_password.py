"""The page password: users in a browser sign in with it in production (HTTP Basic).

It opens pages only; clients call the services with signed tokens.
"""

import hmac

from flask import Response, request

from cds_service.auth.registrations import Client
from cds_service.auth.surfaces import DESCRIPTIONS, SURFACES
from cds_service.auth.tokens import Principal
from cds_service.errors import TooManyCalls
from cds_service.fhir.servers import AllowedServer
from cds_service.settings import Settings
from cds_service.web.responses import outcome
from cds_service.web.token_bucket import TokenBucket

# The pages, with all paths below them.
PAGES = ("/claim", "/sandbox", *DESCRIPTIONS, *SURFACES["insights"], *SURFACES["reference"])

# Wrong passwords allowed per second, of all users together.
_WRONG_PER_SECOND = 1.0


class PagePassword:
    """Admits users by a password. `servers` are the FHIR servers that the sandbox may query for them."""

    def __init__(self, password: str, servers: tuple[str, ...]) -> None:
        self._password = password.encode()
        self._wrong = TokenBucket(_WRONG_PER_SECOND)
        listed = tuple(AllowedServer(each, private=True) for each in servers)
        self._principal = Principal("people", registration=Client(id="people", issuer="people", fhir_servers=listed))

    def admit(self) -> Principal | None:
        """The user; None if the password is missing or wrong. Raises TooManyCalls for too many wrong ones."""
        given = request.authorization
        if given is None or given.type != "basic":
            return None
        if hmac.compare_digest((given.password or "").encode(), self._password):
            return self._principal
        if seconds := self._wrong.acquire():
            raise TooManyCalls("too many wrong passwords", int(seconds) + 1)
        return None


def is_page() -> bool:
    """True if the request is for a page and carries no bearer token."""
    is_listed = any(request.path == page or request.path.startswith((f"{page}/", f"{page}.")) for page in PAGES)
    is_signed = request.headers.get("Authorization", "")[:7].lower() == "bearer "
    return (is_listed or request.path == "/") and not is_signed


def challenge() -> Response:
    """A 401 response that makes the browser ask for the password."""
    answer = outcome(401, "login", "the page password is required")
    answer.headers["WWW-Authenticate"] = 'Basic realm="contrast-echo-cds", charset="UTF-8"'
    return answer


def page_password_of(settings: Settings) -> PagePassword | None:
    """The page password of the settings; None if none is set, and in development, where none is required."""
    if settings.mode == "development" or settings.pages_password is None:
        return None
    return PagePassword(settings.pages_password.get_secret_value(), settings.fhir_servers)
