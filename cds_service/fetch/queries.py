"""One query to a FHIR server: where it may go, its pages, and what is tried again.

The access token goes to the server that the call names and to no other address; it is not kept and not logged.
"""

import time
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from cds_service.cdshooks.prefetch import next_page

# One call takes no more than this from a FHIR server, over all pages of one query.
MOST_BYTES = 10 * 1024 * 1024
MOST_PAGES = 50

_CHUNK_BYTES = 64 * 1024

# Faults that pass: such a query is asked again, after so many seconds.
_TRANSIENT = frozenset({429, 502, 503, 504})
_PAUSES = (0.1, 0.3)


class _Unavailable(Exception):
    """A query that cannot be answered; the text says why, without the query's own words."""


class _Transient(_Unavailable):
    """The same, for now. `pause` is how long the server wants to be left alone, in seconds."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Access:
    """The FHIR server of a call, and the token for it. `public_only`: its name may not lead to a private address."""

    server: str
    token: str | None = field(default=None, repr=False)
    public_only: bool = False

    @property
    def base(self) -> str:
        """The server's base address with a slash behind it."""
        return self.server.rstrip("/") + "/"

    def covers(self, address: str) -> bool:
        """Whether an address is the server's base or below it, so that the token may go there."""
        (*here, path), (*there, wanted) = _parts(self.base), _parts(_joined(self.base, address))
        below = wanted.startswith(path) and ".." not in wanted.split("/")
        return bool(address and path) and here == there and (below or wanted == path.rstrip("/"))


def _parts(address: str) -> tuple[str, str, str]:
    """Scheme, host with port, and path, as they would be sent; empty where nothing can be sent."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(address, None)
        parts = urlsplit(prepared.url or "")
    except ValueError:
        return "", "", ""
    usual_port = ":443" if parts.scheme == "https" else ":80"
    return parts.scheme, parts.netloc.removesuffix(usual_port), unquote(parts.path)


def _joined(address: str, following: str) -> str:
    """Where an address leads that is found at another; empty where it is none."""
    try:
        return urljoin(address, following)
    except ValueError:
        return ""


@dataclass(slots=True, eq=False)
class Query:
    """A query while it is answered: what came so far, and why no more is to come where it failed.

    `address` is the first page's, relative to the server or absolute. `by_id`: one resource is asked for, by its id;
    `nothing_there` is then true where the server says that it has no such resource.
    """

    access: Access
    address: str
    deadline: float
    by_id: bool = False
    pages: list[bytes] = field(default_factory=list)
    nothing_there: bool = False
    fault: str | None = None

    def run(self, session: requests.Session) -> None:
        """Read all pages, following `next` on the same server. Does not raise."""
        try:
            self._read(session)
        except _Unavailable as error:
            self.fault = str(error)

    def _read(self, session: requests.Session) -> None:
        following: str | None = self.address
        address = self.access.base
        while following is not None:
            address = _joined(address, following) if following else ""
            if not self.access.covers(address):
                raise _Unavailable("the next page is not on the FHIR server")
            if len(self.pages) == MOST_PAGES:
                raise _Unavailable(f"the FHIR server has more than {MOST_PAGES} pages")
            body = self._patiently(session, address)
            if body is None:
                return
            self.pages.append(body)
            following = next_page(body)

    def _patiently(self, session: requests.Session, address: str) -> bytes | None:
        """The body of one page, asked for again where a fault may pass and there is time."""
        for pause in _PAUSES:
            try:
                return self._get(session, address)
            except _Transient as error:
                seconds = max(pause, error.pause)
                if time.monotonic() + seconds >= self.deadline:
                    raise
                time.sleep(seconds)
        return self._get(session, address)

    def _get(self, session: requests.Session, address: str) -> bytes | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _Unavailable("there was no time left to ask the FHIR server")
        try:
            with session.get(
                address, headers=self._headers(), timeout=left, stream=True, allow_redirects=False
            ) as response:
                return self._body(response)
        except (requests.Timeout, ReadTimeoutError, TimeoutError):
            raise _Unavailable("the FHIR server was too slow") from None
        except (requests.ConnectionError, HTTPError) as error:
            raise _Transient(f"the FHIR server could not be read ({type(error).__name__})") from None
        except (requests.RequestException, OSError, ValueError) as error:
            raise _Unavailable(f"the FHIR server could not be read ({type(error).__name__})") from None

    def _headers(self) -> dict[str, str]:
        asked = {"Accept": "application/fhir+json", "Prefer": "handling=strict"}
        return asked | ({"Authorization": f"Bearer {self.access.token}"} if self.access.token else {})

    def _body(self, response: requests.Response) -> bytes | None:
        """The body of an answer; None where a resource that was asked for by its id is not there.

        A search that is answered 404 is another matter: the server does not know the type, or is not a FHIR server.
        """
        if self.by_id and response.status_code in {404, 410}:
            self.nothing_there = True
            return None
        reason = f"the FHIR server answered {response.status_code}"
        if response.status_code in _TRANSIENT:
            raise _Transient(reason, _seconds(response.headers.get("Retry-After")))
        if response.status_code != 200:
            raise _Unavailable(reason)
        return self._content(response)

    def _content(self, response: requests.Response) -> bytes:
        """The content, unpacked piece by piece, so that what is too much is not taken at all."""
        received = bytearray()
        room = MOST_BYTES - sum(map(len, self.pages))
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            received += chunk
            if len(received) > room:
                raise _Unavailable(f"the FHIR server sent more than {MOST_BYTES} bytes")
        return bytes(received)


def _seconds(header: str | None) -> float:
    """`Retry-After` in seconds; a date is not waited for."""
    return float(header) if header and header.isdecimal() else 0.0
