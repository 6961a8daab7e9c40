"""Fetches data missing from prefetch: in parallel, within one deadline."""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from urllib.parse import urlsplit

from cds_service.cdshooks.prefetch import Intake, add_value
from cds_service.fetch.connections import session
from cds_service.fetch.public_only import public_only
from cds_service.fetch.queries import Access, Query, Sessions
from cds_service.fetch.searches import Search
from cds_service.fhir.servers import AllowedServer, AllowList, is_loopback


@dataclass(slots=True, eq=False)
class Fetch:
    """The searches for one key, run in turn until one succeeds. `fault` is the reason if all failed.

    `search` and `query` are those run last. `found` is the number of resources added to the intake.
    """

    access: Access
    searches: Sequence[Search]
    deadline: float
    search: Search
    query: Query
    fault: str | None = None
    found: int = 0

    def run(self, sessions: Sessions) -> None:
        """Run the searches. Does not raise."""
        for position, search in enumerate(self.searches):
            if position and self.query.status not in search.after:
                continue
            self.search, self.query = search, _query(self.access, search, self.deadline)
            self.query.run(sessions)
            if self.query.fault is None:
                return
        self.fault = self.query.fault


def _query(access: Access, search: Search, deadline: float) -> Query:
    return Query(access, search.url, deadline, search.by_id)


class FhirClient:
    """Runs queries against allowed FHIR servers.

    `allowed` are the base URLs of allowed servers; if empty, only localhost. `seconds` is the time limit for all
    queries of one call.
    """

    def __init__(self, allowed: tuple[str, ...] = (), seconds: float = 3.0, workers: int = 16) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fhir")
        self._sessions = {False: session(workers), True: public_only(session(workers))}

    def deadline(self) -> float:
        """The end of the time limit, as a `time.monotonic()` value."""
        return time.monotonic() + self._seconds

    def is_allowed(self, server: str) -> bool:
        """True if the settings allow a FHIR server."""
        if any(sign in server for sign in "@?#"):
            return False  # credentials would replace the token, a query string would absorb ours
        try:
            parts, _ = urlsplit(server), urlsplit(server).port
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return False
        if self._allowed:
            return server.rstrip("/") in self._allowed
        return is_loopback(parts.hostname)

    def access(self, server: str, token: str | None, servers: AllowList | None = None) -> Access | None:
        """Access to a server of the client's allow-list, or without a list, of the settings; None if not allowed.

        The server's pages are followed to the other servers of the list as well.
        """
        if servers is not None:
            entry = servers.find(server)
            return Access(server, token, entry.public_only, servers.servers) if entry else None
        if not self.is_allowed(server):
            return None
        others = self._allowed or _loopback_names(server)
        return Access(server, token, others=tuple(AllowedServer(each, private=True) for each in others))

    def fetch(
        self,
        intake: Intake,
        access: Access,
        searches: Mapping[str, Sequence[Search]],
        declared: Mapping[str, str],
        deadline: float,
    ) -> dict[str, Fetch]:
        """Add the results of the searches for each key to `intake`; failures are reported there with the reason.

        The searches of a key are alternatives; the only one may be the URL of the key's next page. `declared` are the
        templates by key.
        """
        started = {key: self._started(access, each, deadline) for key, each in searches.items()}
        self._run(started.values(), deadline)
        for key, fetch in started.items():
            _add_results(intake, key, fetch, declared[key])
        return started

    def query_all(self, access: Access, queries: Mapping[str, str], deadline: float | None = None) -> dict[str, Query]:
        """The finished queries by name, each with its pages and fault, within one deadline."""
        end = self.deadline() if deadline is None else deadline
        searches = {name: (Search(query, by_id="?" not in query),) for name, query in queries.items()}
        started = {name: self._started(access, each, end) for name, each in searches.items()}
        self._run(started.values(), end)
        for fetch in started.values():
            fetch.query.fault = fetch.fault
        return {name: fetch.query for name, fetch in started.items()}

    def _started(self, access: Access, searches: Sequence[Search], deadline: float) -> Fetch:
        return Fetch(access, searches, deadline, searches[0], _query(access, searches[0], deadline))

    def _run(self, fetches: Iterable[Fetch], deadline: float) -> None:
        running = {self._pool.submit(fetch.run, self._sessions): fetch for fetch in fetches}
        wait(running, timeout=max(0.0, deadline - time.monotonic()))
        for future, fetch in running.items():
            if future.done():
                future.result()  # raises our own defects, which must not look like server faults
            else:
                future.cancel()
                fetch.fault = f"the FHIR server did not respond within {self._seconds:g} seconds"


def _loopback_names(server: str) -> tuple[str, ...]:
    """The base URL of a server on localhost under its other names."""
    if not is_loopback(urlsplit(server).hostname or ""):
        return ()
    scheme, _, rest = server.partition("://")
    names = ("localhost", "127.0.0.1", "[::1]")
    written = next((name for name in names if rest.lower().startswith(name)), None)
    return tuple(f"{scheme}://{name}{rest[len(written) :]}" for name in names if written and name != written)


def _add_results(intake: Intake, key: str, fetch: Fetch, template: str) -> None:
    """Add the pages of a key's last query. The key is complete if all pages were received and parsed."""
    query, search, before = fetch.query, fetch.search, len(intake.sources)
    if intake.next_pages.pop(key, None) != query.address:
        intake.flawed.discard(key)
    if query.not_found:
        intake.complete.add(key)
    pages = tuple(query.pages)
    for number, body in enumerate(pages):
        page = f".page[{number}]" if len(pages) > 1 else ""
        add_value(intake, key, body, f"fhirServer.{key}{page}", template)
    intake.next_pages.pop(key, None)
    fetch.found = len(intake.sources) - before
    if search.days:
        intake.complete_days[key] = search.days
    if fetch.fault:
        intake.mark_unavailable(key, f"fhirServer.{key}", fetch.fault)
    elif search.partial:
        intake.mark_incomplete(key, f"fhirServer.{key}", search.partial)
