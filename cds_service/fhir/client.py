"""Fetches from the client's FHIR server what prefetch lacks: only declared queries, in parallel, within one deadline.

The access token goes to the server that the call names and to no other address; it is not kept and not logged.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from cds_service.fhir.peers import public_only
from cds_service.fhir.read import Unread
from cds_service.fhir.servers import AllowList, ListedServer, is_loopback
from cds_service.prefetch import Arrived, take_value

# One call takes no more than this from a FHIR server, over all pages of one query.
MOST_BYTES = 10 * 1024 * 1024
MOST_PAGES = 50

_CHUNK_BYTES = 64 * 1024


class _Unavailable(Exception):
    """A query that cannot be answered; the text says why, without the query's own words."""


@dataclass(frozen=True, slots=True)
class Access:
    """The FHIR server of a call, and the token for it. `public_only`: its name may not lead to a private address."""

    server: str
    token: str | None = field(default=None, repr=False)
    public_only: bool = False


class FhirClient:
    """Answers queries from FHIR servers that may be asked.

    `allowed` are the base addresses that may be asked; without any, only loopback addresses. `seconds` is the longest
    time for all queries of one call.
    """

    def __init__(self, allowed: tuple[str, ...] = (), seconds: float = 3.0, workers: int = 16) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fhir")
        self._sessions = {False: _session(workers), True: public_only(_session(workers))}

    def deadline(self) -> float:
        """The moment by which everything that a call fetches must be there."""
        return time.monotonic() + self._seconds

    def may_ask(self, server: str) -> bool:
        """Whether a FHIR server may be asked."""
        parts = urlsplit(server)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            return False
        if self._allowed:
            return server.rstrip("/") in self._allowed
        return is_loopback(parts.hostname)

    def listed(self, server: str, servers: AllowList | None = None) -> ListedServer | None:
        """A FHIR server that may be asked, by the caller's list or, without one, by the settings; else None."""
        if servers is not None:
            return servers.find(server)
        return ListedServer(server, private=True) if self.may_ask(server) else None

    def fetch(
        self, arrived: Arrived, access: Access, queries: Mapping[str, str], declared: Mapping[str, str], deadline: float
    ) -> None:
        """Take the answers to queries by key; what cannot be had is noted in `arrived` with the reason."""
        running: dict[str, Future[list[bytes]]] = {
            key: self._pool.submit(self._pages, access, query, deadline) for key, query in queries.items()
        }
        wait(running.values(), timeout=max(0.0, deadline - time.monotonic()))
        for key, future in running.items():
            arrived.next_pages.pop(key, None)
            try:
                pages = future.result(timeout=0)
            except _Unavailable as error:
                _note(arrived, key, str(error))
            except TimeoutError:
                future.cancel()
                _note(arrived, key, f"the FHIR server gave no answer within {self._seconds:g} seconds")
            else:
                _take_pages(arrived, key, pages, declared[key])

    # --- one query -------------------------------------------------------------------------------------------------

    def _pages(self, access: Access, query: str, deadline: float) -> list[bytes]:
        """All pages of a query, following `next` on the same server."""
        base = access.server.rstrip("/") + "/"
        address: str | None = query if "://" in query else base + query
        pages: list[bytes] = []
        while address:
            if not address.startswith(base):
                raise _Unavailable("the next page is on another server")
            if len(pages) == MOST_PAGES:
                raise _Unavailable(f"the FHIR server has more than {MOST_PAGES} pages")
            room = MOST_BYTES - sum(map(len, pages))
            body = self._get(address, access, deadline, room)
            if body is None:
                break
            pages.append(body)
            address = _next_page(body)
        return pages

    def _get(self, address: str, access: Access, deadline: float, room: int) -> bytes | None:
        """The body of one answer; None where the server has no such resource."""
        headers = {"Accept": "application/fhir+json", "Prefer": "handling=strict"}
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        left = deadline - time.monotonic()
        if left <= 0:
            raise _Unavailable("there was no time left to ask the FHIR server")
        try:
            with self._sessions[access.public_only].get(
                address, headers=headers, timeout=left, stream=True, allow_redirects=False
            ) as response:
                if response.status_code in {404, 410}:
                    return None
                if response.status_code != 200:
                    raise _Unavailable(f"the FHIR server answered {response.status_code}")
                return _body(response, deadline, room)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _Unavailable(f"the FHIR server could not be read ({type(error).__name__})") from None


def _session(workers: int) -> requests.Session:
    """Connections that are kept and shared; transient faults of a GET are tried again, other servers never asked."""
    session = requests.Session()
    session.trust_env = False  # a .netrc would replace the token, a proxy would see it
    retry = Retry(
        total=2,
        redirect=0,
        status_forcelist=(429, 502, 503, 504),
        allowed_methods={"GET"},
        backoff_factor=0.1,
        respect_retry_after_header=False,  # the deadline decides how long to wait
        raise_on_status=False,
    )
    adapter = HTTPAdapter(pool_maxsize=workers, max_retries=retry)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _body(response: requests.Response, deadline: float, room: int) -> bytes:
    """The body, read piece by piece: a timeout of the connection alone would let a slow server hold on for ever."""
    received = bytearray()
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        received += chunk
        if len(received) > room:
            raise _Unavailable(f"the FHIR server sent more than {MOST_BYTES} bytes")
        if time.monotonic() > deadline:
            raise _Unavailable("the FHIR server was too slow")
    return bytes(received)


def _next_page(body: bytes) -> str | None:
    return take_value(Arrived(), "", body, "", "")


def _take_pages(arrived: Arrived, key: str, pages: list[bytes], template: str) -> None:
    """Take all pages of a key; it is known to be complete where each page is."""
    if not pages:
        arrived.known.add(key)
    before = len(arrived.unread)
    for number, body in enumerate(pages):
        place = f"fhirServer.{key}" + (f".page[{number}]" if len(pages) > 1 else "")
        take_value(arrived, key, body, place, template)
    arrived.next_pages.pop(key, None)
    if len(arrived.unread) > before:
        arrived.known.discard(key)


def _note(arrived: Arrived, key: str, reason: str) -> None:
    arrived.unavailable[key] = reason
    arrived.unread.append(Unread(f"fhirServer.{key}", reason))
