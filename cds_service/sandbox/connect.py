"""A small EHR: finds a patient on a FHIR server and builds the request, with prefetch by the service's templates.

The access token is sent to that server only; the page sends it with each step and it is not stored.
"""

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from cds_service.cdshooks.prefetch import fill_template
from cds_service.errors import BadRequest
from cds_service.fetch.client import FhirClient
from cds_service.fetch.queries import Query
from cds_service.fhir.bundle import with_entries
from cds_service.fhir.servers import AllowList
from cds_service.languages.worded import worded
from cds_service.review.reference import Part
from cds_service.sandbox.json_paths import Json, entries_of
from cds_service.sandbox.requests import BuiltRequest, RequestBuilder
from cds_service.sandbox.timeline import Person, person_of

MOST_PATIENTS = 20

# Queries for what an EHR holds besides the prefetch: open orders, claims and reports.
_OTHER_QUERIES = {
    "orders": "ServiceRequest?patient={{context.patientId}}",
    "medicationOrders": "MedicationRequest?patient={{context.patientId}}",
    "claims": "Claim?patient={{context.patientId}}",
    "reports": "DiagnosticReport?patient={{context.patientId}}",
}

_INACTIVE = frozenset({"entered-in-error", "cancelled", "revoked", "aborted", "stopped"})


class Server(msgspec.Struct, kw_only=True, rename="camel"):
    """The FHIR server of a step and its query. `leave_to_service`: send no prefetch, so that the service fetches it."""

    fhir_server: str
    token: str = ""
    name: str = ""
    patient: str = ""
    encounter: str = ""
    hook: str = ""
    leave_to_service: bool = False


class Patient(Part):
    """A patient of a server."""

    id: str
    person: Person


class Visit(Part):
    """An encounter of a patient."""

    id: str
    about: str
    day: str


class QueryLog(Part):
    """A query, the number of resources found, and its error if it failed."""

    query: str
    found: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class EhrCase:
    """A request built from a FHIR server, and the queries for it."""

    built: BuiltRequest
    queries: tuple[QueryLog, ...]


@dataclass(frozen=True, slots=True)
class Ehr:
    """Queries FHIR servers. `servers` are the allowed ones; None for those of the settings."""

    client: FhirClient
    requests: RequestBuilder
    servers: AllowList | None = None

    def patients(self, server: Server) -> tuple[Patient, ...]:
        """The first patients of a server, filtered by a part of the name if given. Raises BadRequest."""
        name = f"&name={quote(server.name, safe='')}" if server.name else ""
        resources = self._query(server, f"Patient?_count={MOST_PATIENTS}{name}")
        found = [each for each in resources if each["resourceType"] == "Patient" and each.get("id")]
        return tuple(Patient(each["id"], person_of(each)) for each in found[:MOST_PATIENTS])

    def visits(self, server: Server) -> tuple[Visit, ...]:
        """The encounters of a patient, the newest first. Raises BadRequest."""
        resources = self._query(server, f"Encounter?patient={quote(_id(server.patient, 'patient'), safe='')}")
        visits = [_visit(each) for each in resources if each["resourceType"] == "Encounter" and each.get("id")]
        return tuple(sorted(visits, key=lambda visit: visit.day, reverse=True))

    def build(self, server: Server) -> EhrCase:
        """The request that an EHR would send for a patient, a visit and a hook. Raises BadRequest."""
        service = self.requests.services.on_hook(server.hook)
        context = {"userId": "Practitioner/sandbox", "patientId": _id(server.patient, "patient")}
        if server.encounter:
            context["encounterId"] = _id(server.encounter, "encounter")
        templates = service.prefetch | _OTHER_QUERIES
        resolved = {key: fill_template(template, context) for key, template in templates.items()}
        answers = self._ask(server, {key: query for key, query in resolved.items() if query})
        request: Json = {"hookInstance": str(uuid.uuid4()), "context": context}
        request["prefetch"] = {key: _prefetched(answers[key]) for key in service.prefetch if key in answers}
        others = [entry for key in _OTHER_QUERIES for entry in entries_of(_prefetched(answers[key]))]
        built = self.requests.arranged(request, service, [each for each in others if _is_active(each["resource"])])
        prefetch: Json = {"prefetch": {}} if server.leave_to_service else {}
        return EhrCase(
            BuiltRequest(built.request | prefetch | _access(server), service, built.notes),
            tuple(_logged(answers[key]) for key in answers),
        )

    def _query(self, server: Server, query: str) -> list[Json]:
        answer = self._ask(server, {"query": query})["query"]
        if answer.fault:
            raise BadRequest(f"`fhirServer`: {answer.fault}", "fhirServer")
        return [entry["resource"] for entry in entries_of(_prefetched(answer))]

    def _ask(self, server: Server, queries: dict[str, str]) -> dict[str, Query]:
        access = self.client.access(server.fhir_server, server.token or None, self.servers)
        if access is None:
            raise BadRequest(
                worded(
                    "`fhirServer`: this server is not allowed; CDS_FHIR_SERVERS lists the allowed ones "
                    "(without it, servers on localhost)"
                ),
                "fhirServer",
            )
        return self.client.query_all(access, queries)


def _access(server: Server) -> Json:
    """The request members that give the service access to the server, as an EHR sends them."""
    if not server.token:
        return {"fhirServer": server.fhir_server}
    grant = {"access_token": server.token, "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read"}
    return {"fhirServer": server.fhir_server, "fhirAuthorization": grant | {"subject": "contrast-echo-cds"}}


def _id(text: str, member: str) -> str:
    bare = text.strip().rsplit("/", 1)[-1]
    if not re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", bare):
        raise BadRequest(worded("`{member}`: expected the id of a resource", member=member), member)
    return bare


def _prefetched(answer: Query) -> Any:
    """The prefetch value of a query: the resource, all pages as one Bundle, null, or an OperationOutcome."""
    if answer.not_found:
        return None
    if answer.fault:
        issue = {"severity": "error", "code": "incomplete", "diagnostics": answer.fault}
        return {"resourceType": "OperationOutcome", "issue": [issue]}
    pages = [_decoded(page) for page in answer.pages]
    if len(pages) == 1 and pages[0].get("resourceType") != "Bundle":
        return pages[0]
    entries = [entry for page in pages for entry in page.get("entry") or []]
    return with_entries({"resourceType": "Bundle", "type": "searchset"}, entries)


def _decoded(page: bytes) -> Json:
    try:
        value = json.loads(page)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequest(worded("`fhirServer`: the server did not return FHIR JSON"), "fhirServer")
    return value


def _logged(answer: Query) -> QueryLog:
    found = 0 if answer.fault else len(entries_of(_prefetched(answer)))
    return QueryLog(answer.address, found, answer.fault or "")


def _is_active(resource: Json) -> bool:
    return resource.get("status") not in _INACTIVE


def _visit(resource: Json) -> Visit:
    period = resource.get("period")
    start = str(period.get("start") or "")[:10] if isinstance(period, dict) else ""
    return Visit(resource["id"], "; ".join(dict.fromkeys(_words(resource))), start)


def _words(resource: Json) -> Iterator[str]:
    """The texts of an encounter: its types and its class."""
    types: Iterable[Any] = resource.get("type") or []
    kind = resource.get("class")
    for each in types:
        if isinstance(each, dict) and each.get("text"):
            yield str(each["text"])
    if isinstance(kind, dict):
        yield str(kind.get("display") or kind.get("code") or "")
