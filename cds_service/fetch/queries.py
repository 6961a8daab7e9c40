"""A query to a FHIR server: address checks, paging and retries.

The access token is sent only to the server named in the call, and to further bases that are listed for the client if a
page is there; it is neither stored nor logged. A query reads at most MAX_PAGES pages and MAX_BYTES bytes; its pages
come one after the other, and the deadline of the call ends it.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from cds_service.cdshooks.prefetch import page_links
from cds_service.fhir.servers import AllowedServer
from cds_service.fhir.text_faults import BYTE_ORDER_MARK

# Limits for all pages of one query.
MAX_BYTES = 10 * 1024 * 1024
MAX_PAGES = 50

_CHUNK_BYTES = 64 * 1024

# Temporary errors are retried after these delays in seconds.
_TRANSIENT = frozenset({429, 502, 503, 504})
_PAUSES = (0.1, 0.3)


# The client's sessions: True, with connections to public addresses only; False, with connections to any.
Sessions = Mapping[bool, requests.Session]


class _Unavailable(Exception):
    """A failed query; the message is the reason, without parts of the query. `status` is the response's, 0 if none."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class _Transient(_Unavailable):
    """A temporary failure. `pause` is the server's requested delay in seconds."""

    def __init__(self, reason: str, status: int = 0, pause: float = 0.0) -> None:
        super().__init__(reason, status)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Access:
    """A call's FHIR server and access token. `public_only`: refuse private addresses.

    `others` are further listed bases: a server may link to its pages under another of its names.
    """

    server: str
    token: str | None = field(default=None, repr=False)
    public_only: bool = False
    others: tuple[AllowedServer, ...] = ()

    @property
    def base(self) -> str:
        """The server's base URL with a trailing slash."""
        return self.server.rstrip("/") + "/"

    def holder(self, address: str) -> "Access | None":
        """The access to the base that covers a URL: this server, or another listed one; None if there is none."""
        every = (self, *(Access(each.url, self.token, each.public_only) for each in self.others))
        return next((each for each in every if each.covers(_joined(self.base, address))), None)

    def covers(self, address: str) -> bool:
        """True if a URL is the server's base or below it, so the token may be sent there."""
        (*here, path), (*there, wanted) = _parts(self.base), _parts(_joined(self.base, address))
        below = wanted.startswith(path) and ".." not in wanted.split("/")
        return bool(address and path) and here == there and (below or wanted == path.rstrip("/"))


def _parts(address: str) -> tuple[str, str, str]:
    """The scheme, host with port, and path as sent; empty if the URL is invalid."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(address, None)
        parts = urlsplit(prepared.url or "")
    except ValueError:
        return "", "", ""
    usual_port = ":443" if parts.scheme == "https" else ":80"
    return parts.scheme, parts.netloc.removesuffix(usual_port), unquote(parts.path)


def _joined(address: str, following: str) -> str:
    """A link resolved against the URL of its page; empty if invalid."""
    try:
        return urljoin(address, following)
    except ValueError:
        return ""


@dataclass(slots=True, eq=False)
class Query:
    """A query, its pages received so far and the reason if it failed.

    `address` is the URL of the first page, relative to the server or absolute. `by_id`: a read of one resource;
    `not_found` is then true if the server has no such resource. `status` is the HTTP status of a failure, 0 if none.
    """

    access: Access
    address: str
    deadline: float
    by_id: bool = False
    pages: list[bytes] = field(default_factory=list)
    not_found: bool = False
    fault: str | None = None
    status: int = 0

    def run(self, sessions: Sessions) -> None:
        """Fetch all pages, following `next` links on the same server or another listed base. Does not raise."""
        try:
            self._fetch_pages(sessions)
        except _Unavailable as error:
            self.fault, self.status = str(error), error.status

    def _fetch_pages(self, sessions: Sessions) -> None:
        following: str | None = self.address
        address = self.access.base
        while following is not None:
            address = _joined(address, following) if following else ""
            holder = self.access.holder(address) if address else None
            if holder is None:
                raise _Unavailable(f"the next page is not on the FHIR server{_refused_host(address, self.access)}")
            if len(self.pages) == MAX_PAGES:
                raise _Unavailable(f"the FHIR server has more than {MAX_PAGES} pages")
            body = self._get_with_retries(sessions[holder.public_only], address)
            if body is None:
                return
            following, itself = page_links(body)
            if not self.pages and itself and (ignored := _ignored_parameter(self.address, itself)):
                raise _Unavailable(f"the FHIR server did not use the search parameter `{ignored}`")
            self.pages.append(body)

    def _get_with_retries(self, session: requests.Session, address: str) -> bytes | None:
        """The body of one page, with retries of temporary errors as time allows."""
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
            raise _Unavailable("no time was left to query the FHIR server")
        try:
            with session.get(
                address, headers=self._headers(), timeout=left, stream=True, allow_redirects=False
            ) as response:
                return self._body(response)
        except (requests.Timeout, ReadTimeoutError, TimeoutError):
            raise _Unavailable("the FHIR server was too slow") from None
        except (requests.ConnectionError, HTTPError) as error:
            if _ran_out_of_time(error):
                raise _Unavailable("the FHIR server was too slow") from None
            raise _Transient(f"the request to the FHIR server failed ({type(error).__name__})") from None
        except (requests.RequestException, OSError, ValueError) as error:
            raise _Unavailable(f"the request to the FHIR server failed ({type(error).__name__})") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/fhir+json", "Prefer": "handling=strict"}
        return headers | ({"Authorization": f"Bearer {self.access.token}"} if self.access.token else {})

    def _body(self, response: requests.Response) -> bytes | None:
        """The body of a response; None if a resource read by id does not exist.

        For a search, 404 is an error: the server does not support the type, or is not a FHIR server.
        """
        if self.by_id and response.status_code in {404, 410}:
            self.not_found = True
            return None
        reason = f"the FHIR server responded with {response.status_code}"
        if response.status_code in _TRANSIENT:
            raise _Transient(reason, response.status_code, _seconds(response.headers.get("Retry-After")))
        if response.status_code != 200:
            raise _Unavailable(reason, response.status_code)
        return self._content(response).removeprefix(BYTE_ORDER_MARK)

    def _content(self, response: requests.Response) -> bytes:
        """The decompressed content, read in chunks to stop at the size limit."""
        received = bytearray()
        room = MAX_BYTES - sum(map(len, self.pages))
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            received += chunk
            if len(received) > room:
                raise _Unavailable(f"the FHIR server sent more than {MAX_BYTES} bytes")
        return bytes(received)


# Parameters that limit a search to a patient or an encounter; a server may name either in its `self` link.
_EQUIVALENT = {"patient": {"patient", "subject"}, "context": {"context", "encounter"}}


def _ignored_parameter(asked: str, itself: str) -> str | None:
    """The parameter that limits a search and that the page's `self` link lacks; None if the server used it.

    The link names the parameters that the server used: one that it dropped was not understood.
    """
    used = {name.partition(":")[0].partition(".")[0] for name, _ in _parameters(itself)}
    limits = [name for name, _ in _parameters(asked) if name in _EQUIVALENT]
    return next((name for name in limits if not used & _EQUIVALENT[name]), None)


def _parameters(address: str) -> list[tuple[str, str]]:
    return parse_qsl(address.partition("?")[2], keep_blank_values=True)


_HOST = re.compile(r"[a-z0-9.:\[\]-]{1,253}")


def _refused_host(address: str, access: Access) -> str:
    """The host of a refused page for a message, without path and query; empty if it is the server's own."""
    host = _parts(address)[1].rpartition("@")[2].lower()
    is_other = host != _parts(access.base)[1] and _HOST.fullmatch(host)
    return f"; {host} is not listed for this client" if is_other else ""


def _seconds(header: str | None) -> float:
    """`Retry-After` in seconds; 0 for a date."""
    return float(header) if header and header.isdecimal() else 0.0


def _ran_out_of_time(error: BaseException) -> bool:
    """True if a time-out is the reason of an error, which requests may wrap as a lost connection, several times."""
    inner = (*error.args, error.__cause__, getattr(error, "reason", None))
    reasons = [each for each in inner if isinstance(each, BaseException)]
    return isinstance(error, TimeoutError | ReadTimeoutError) or any(map(_ran_out_of_time, reasons))
