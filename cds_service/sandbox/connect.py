"""A small EHR: finds a patient on a FHIR server and builds the request from there, prefetch by our own templates.

The token for the server goes there and nowhere else; it comes with each step and is not kept.
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
from cds_service.fetch.queries import Access, Query
from cds_service.fhir.servers import AllowList
from cds_service.review.reference import Part
from cds_service.sandbox.json_paths import Json, entries_of
from cds_service.sandbox.requests import BuiltRequest, RequestBuilder
from cds_service.sandbox.timeline import Person, person_of

MOST_PATIENTS = 20

# What an EHR has at hand beside the prefetch: what is being ordered, claims, and reports of what was done.
_BESIDE = {
    "orders": "ServiceRequest?patient={{context.patientId}}",
    "medicationOrders": "MedicationRequest?patient={{context.patientId}}",
    "claims": "Claim?patient={{context.patientId}}",
    "reports": "DiagnosticReport?patient={{context.patientId}}",
}

_GONE = frozenset({"entered-in-error", "cancelled", "revoked", "aborted", "stopped"})


class Server(msgspec.Struct, kw_only=True, rename="camel"):
    """Where a step goes, and what it asks for. `leave_to_service`: nothing is prefetched, the service fetches it."""

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
    """A query, and what came of it."""

    query: str
    found: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class EhrCase:
    """A request from a FHIR server's data, and the queries that it took."""

    built: BuiltRequest
    queries: tuple[QueryLog, ...]


@dataclass(frozen=True, slots=True)
class Ehr:
    """The way to FHIR servers. `servers` are those that may be asked, None for those of the site's settings."""

    client: FhirClient
    requests: RequestBuilder
    servers: AllowList | None = None

    def patients(self, server: Server) -> tuple[Patient, ...]:
        """The first patients of a server, by a part of the name where one is given. Raises BadRequest."""
        name = f"&name={quote(server.name, safe='')}" if server.name else ""
        resources = self._one(server, f"Patient?_count={MOST_PATIENTS}{name}")
        found = [each for each in resources if each["resourceType"] == "Patient" and each.get("id")]
        return tuple(Patient(each["id"], person_of(each)) for each in found[:MOST_PATIENTS])

    def visits(self, server: Server) -> tuple[Visit, ...]:
        """The encounters of a patient, the newest first. Raises BadRequest."""
        resources = self._one(server, f"Encounter?patient={quote(_id(server.patient, 'patient'), safe='')}")
        visits = [_visit(each) for each in resources if each["resourceType"] == "Encounter" and each.get("id")]
        return tuple(sorted(visits, key=lambda visit: visit.day, reverse=True))

    def build(self, server: Server) -> EhrCase:
        """The request that an EHR would send for a patient, a visit and a hook. Raises BadRequest."""
        service = self.requests.services.on_hook(server.hook)
        context = {"userId": "Practitioner/sandbox", "patientId": _id(server.patient, "patient")}
        if server.encounter:
            context["encounterId"] = _id(server.encounter, "encounter")
        resolved = {key: fill_template(template, context) for key, template in (service.prefetch | _BESIDE).items()}
        answers = self._ask(server, {key: query for key, query in resolved.items() if query})
        request: Json = {"hookInstance": str(uuid.uuid4()), "context": context}
        request["prefetch"] = {key: _prefetched(answers[key]) for key in service.prefetch if key in answers}
        others = [entry for key in _BESIDE for entry in entries_of(_prefetched(answers[key]))]
        built = self.requests.arranged(request, service, [each for each in others if _is_there(each["resource"])])
        prefetch: Json = {"prefetch": {}} if server.leave_to_service else {}
        return EhrCase(
            BuiltRequest(built.request | prefetch | _access(server), service, built.notes),
            tuple(_said(answers[key]) for key in answers),
        )

    def _one(self, server: Server, query: str) -> list[Json]:
        answer = self._ask(server, {"asked": query})["asked"]
        if answer.fault:
            raise BadRequest(f"`fhirServer`: {answer.fault}", "fhirServer")
        return [entry["resource"] for entry in entries_of(_prefetched(answer))]

    def _ask(self, server: Server, queries: dict[str, str]) -> dict[str, Query]:
        listed = self.client.allowed_server(server.fhir_server, self.servers)
        if listed is None:
            raise BadRequest(
                "`fhirServer`: this service may not ask that server; those that it may are listed in CDS_FHIR_SERVERS "
                "(without a list, servers on this machine)",
                "fhirServer",
            )
        return self.client.query_all(Access(server.fhir_server, server.token or None, listed.public_only), queries)


def _access(server: Server) -> Json:
    """The members of a request that open the server to the service, as an EHR sends them."""
    if not server.token:
        return {"fhirServer": server.fhir_server}
    grant = {"access_token": server.token, "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read"}
    return {"fhirServer": server.fhir_server, "fhirAuthorization": grant | {"subject": "contrast-echo-cds"}}


def _id(text: str, member: str) -> str:
    bare = text.strip().rsplit("/", 1)[-1]
    if not re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", bare):
        raise BadRequest(f"`{member}`: expected the id of a resource", member)
    return bare


def _prefetched(answer: Query) -> Any:
    """What an EHR puts under a key: the resource, all pages as one Bundle, null, or why it cannot be had."""
    if answer.not_found:
        return None
    if answer.fault:
        issue = {"severity": "error", "code": "incomplete", "diagnostics": answer.fault}
        return {"resourceType": "OperationOutcome", "issue": [issue]}
    pages = [_decoded(page) for page in answer.pages]
    if len(pages) == 1 and pages[0].get("resourceType") != "Bundle":
        return pages[0]
    entries = [entry for page in pages for entry in page.get("entry") or []]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries)} | (
        {"entry": entries} if entries else {}
    )


def _decoded(page: bytes) -> Json:
    try:
        value = json.loads(page)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequest("`fhirServer`: the server did not answer with FHIR in JSON", "fhirServer")
    return value


def _said(answer: Query) -> QueryLog:
    found = 0 if answer.fault else len(entries_of(_prefetched(answer)))
    return QueryLog(answer.address, found, answer.fault or "")


def _is_there(resource: Json) -> bool:
    return resource.get("status") not in _GONE


def _visit(resource: Json) -> Visit:
    period = resource.get("period")
    start = str(period.get("start") or "")[:10] if isinstance(period, dict) else ""
    return Visit(resource["id"], "; ".join(dict.fromkeys(_words(resource))), start)


def _words(resource: Json) -> Iterator[str]:
    """What a visit is called: its types, else its class."""
    types: Iterable[Any] = resource.get("type") or []
    kind = resource.get("class")
    for each in types:
        if isinstance(each, dict) and each.get("text"):
            yield str(each["text"])
    if isinstance(kind, dict):
        yield str(kind.get("display") or kind.get("code") or "")
