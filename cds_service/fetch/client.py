"""Fetches data missing from prefetch: declared queries only, in parallel, within one deadline."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from urllib.parse import urlsplit

from cds_service.cdshooks.prefetch import Intake, add_value
from cds_service.fetch.connections import session
from cds_service.fetch.public_only import public_only
from cds_service.fetch.queries import Access, Query
from cds_service.fhir.servers import AllowedServer, AllowList, is_loopback


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

    def allowed_server(self, server: str, servers: AllowList | None = None) -> AllowedServer | None:
        """The server's entry in the client's allow-list, or without a list, in the settings; None if not allowed."""
        if servers is not None:
            return servers.find(server)
        return AllowedServer(server, private=True) if self.is_allowed(server) else None

    def fetch(
        self, intake: Intake, access: Access, queries: Mapping[str, str], declared: Mapping[str, str], deadline: float
    ) -> None:
        """Add the results of queries by key to `intake`; failures are reported there with the reason.

        A query is either the URL of a key's next page or a request for all of the key's data.
        """
        started = {key: Query(access, query, deadline, "?" not in declared[key]) for key, query in queries.items()}
        self._run(started.values(), deadline)
        for key, query in started.items():
            _add_results(intake, key, query, declared[key])

    def query_all(self, access: Access, queries: Mapping[str, str]) -> dict[str, Query]:
        """The finished queries by name, each with its pages and fault, within one deadline."""
        deadline = self.deadline()
        started = {name: Query(access, query, deadline, "?" not in query) for name, query in queries.items()}
        self._run(started.values(), deadline)
        return started

    def _run(self, queries: Iterable[Query], deadline: float) -> None:
        running = {self._pool.submit(query.run, self._sessions[query.access.public_only]): query for query in queries}
        wait(running, timeout=max(0.0, deadline - time.monotonic()))
        for future, query in running.items():
            if future.done():
                future.result()  # raises our own defects, which must not look like server faults
            else:
                future.cancel()
                query.fault = f"the FHIR server did not respond within {self._seconds:g} seconds"


def _add_results(intake: Intake, key: str, query: Query, template: str) -> None:
    """Add a query's pages. The key is complete if all pages were received and parsed."""
    if intake.next_pages.pop(key, None) != query.address:
        intake.flawed.discard(key)
    if query.not_found:
        intake.complete.add(key)
    pages = tuple(query.pages)
    for number, body in enumerate(pages):
        page = f".page[{number}]" if len(pages) > 1 else ""
        add_value(intake, key, body, f"fhirServer.{key}{page}", template)
    intake.next_pages.pop(key, None)
    if query.fault:
        intake.mark_unavailable(key, f"fhirServer.{key}", query.fault)
