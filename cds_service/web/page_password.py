"""People who look at pages in production: the browser asks them for the password of the pages.

Programs call with signed tokens and never with the password: it opens no service.
"""

import hmac

from flask import Response, request

from cds_service.auth.registrations import Client
from cds_service.auth.tokens import Principal
from cds_service.errors import TooManyCalls
from cds_service.fhir.servers import AllowedServer
from cds_service.settings import Settings
from cds_service.web.responses import outcome
from cds_service.web.token_bucket import TokenBucket

# What people look at, with all below it.
PAGES = ("/sandbox", "/insights", "/codes", "/rules", "/fhir")

# Wrong passwords that are taken in the long run, each second, whoever tries.
_TRIES_PER_SECOND = 1.0


class PagePassword:
    """Lets people in by a password. `servers` are the FHIR servers that the sandbox may ask for them."""

    def __init__(self, password: str, servers: tuple[str, ...]) -> None:
        self._password = password.encode()
        self._wrong = TokenBucket(_TRIES_PER_SECOND)
        listed = tuple(AllowedServer(each, private=True) for each in servers)
        self._principal = Principal("people", registration=Client(id="people", issuer="people", fhir_servers=listed))

    def admit(self) -> Principal | None:
        """The caller, where the right password came along; None where none did. Raises TooManyCalls for guessing."""
        given = request.authorization
        if given is None or given.type != "basic":
            return None
        if hmac.compare_digest((given.password or "").encode(), self._password):
            return self._principal
        if seconds := self._wrong.wait():
            raise TooManyCalls("too many wrong passwords", int(seconds) + 1)
        return None


def is_page() -> bool:
    """Whether a person in a browser asks: a page, and no token."""
    is_listed = any(request.path == page or request.path.startswith((f"{page}/", f"{page}.")) for page in PAGES)
    is_signed = request.headers.get("Authorization", "")[:7].lower() == "bearer "
    return (is_listed or request.path == "/") and not is_signed


def challenge() -> Response:
    """Ask the browser to ask for the password."""
    answer = outcome(401, "login", "the password of the pages is needed")
    answer.headers["WWW-Authenticate"] = 'Basic realm="contrast-echo-cds", charset="UTF-8"'
    return answer


def people_of(settings: Settings) -> PagePassword | None:
    """Who may look in production; None where no password is set, and in development, where nobody is asked."""
    if settings.mode == "development" or settings.pages_password is None:
        return None
    return PagePassword(settings.pages_password.get_secret_value(), settings.fhir_servers)
