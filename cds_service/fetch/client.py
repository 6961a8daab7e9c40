"""Fetches from a client's FHIR server what prefetch lacks: only declared queries, in parallel, within one deadline."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from urllib.parse import urlsplit

from cds_service.cdshooks.prefetch import Intake, take_value
from cds_service.fetch.connections import session
from cds_service.fetch.public_only import public_only
from cds_service.fetch.queries import Access, Query
from cds_service.fhir.servers import AllowedServer, AllowList, is_loopback


class FhirClient:
    """Answers queries from FHIR servers that may be asked.

    `allowed` are the base addresses that may be asked; without any, only loopback addresses. `seconds` is the longest
    time for all queries of one call.
    """

    def __init__(self, allowed: tuple[str, ...] = (), seconds: float = 3.0, workers: int = 16) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fhir")
        self._sessions = {False: session(workers), True: public_only(session(workers))}

    def deadline(self) -> float:
        """The moment by which everything that a call fetches must be there."""
        return time.monotonic() + self._seconds

    def may_ask(self, server: str) -> bool:
        """Whether a FHIR server may be asked."""
        if any(sign in server for sign in "@?#"):
            return False  # a user's name would replace the token, a query would swallow ours
        try:
            parts, _ = urlsplit(server), urlsplit(server).port
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return False
        if self._allowed:
            return server.rstrip("/") in self._allowed
        return is_loopback(parts.hostname)

    def listed(self, server: str, servers: AllowList | None = None) -> AllowedServer | None:
        """A FHIR server that may be asked, by the caller's list or, without one, by the settings; else None."""
        if servers is not None:
            return servers.find(server)
        return AllowedServer(server, private=True) if self.may_ask(server) else None

    def fetch(
        self, intake: Intake, access: Access, queries: Mapping[str, str], declared: Mapping[str, str], deadline: float
    ) -> None:
        """Take the answers to queries by key; what cannot be had is noted in `arrived` with the reason.

        A query is the address of the next page of what a key has so far, or asks for all of it anew.
        """
        asked = {key: Query(access, query, deadline, "?" not in declared[key]) for key, query in queries.items()}
        self._run(asked.values(), deadline)
        for key, query in asked.items():
            _take(intake, key, query, declared[key])

    def ask(self, access: Access, queries: Mapping[str, str]) -> dict[str, Query]:
        """The answers to queries by their names, each with what came and with its fault, within one deadline."""
        deadline = self.deadline()
        asked = {name: Query(access, query, deadline, "?" not in query) for name, query in queries.items()}
        self._run(asked.values(), deadline)
        return asked

    def _run(self, queries: Iterable[Query], deadline: float) -> None:
        running = {self._pool.submit(query.run, self._sessions[query.access.public_only]): query for query in queries}
        wait(running, timeout=max(0.0, deadline - time.monotonic()))
        for future, query in running.items():
            if future.done():
                future.result()  # a defect of ours is not to pass for a fault of the server
            else:
                future.cancel()
                query.fault = f"the FHIR server gave no answer within {self._seconds:g} seconds"


def _take(intake: Intake, key: str, query: Query, template: str) -> None:
    """Take what came; a key is known to be complete where its last page is, and nothing of it was unreadable."""
    if intake.next_pages.pop(key, None) != query.address:
        intake.flawed.discard(key)
    if query.nothing_there:
        intake.complete.add(key)
    pages = tuple(query.pages)
    for number, body in enumerate(pages):
        page = f".page[{number}]" if len(pages) > 1 else ""
        take_value(intake, key, body, f"fhirServer.{key}{page}", template)
    intake.next_pages.pop(key, None)
    if query.fault:
        intake.mark_unavailable(key, f"fhirServer.{key}", query.fault)
