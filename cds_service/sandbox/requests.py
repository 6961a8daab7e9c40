"""Requests of a case for each hook, as an EHR would send them.

Orders or charges under review go into the context, the record into prefetch under the service's keys. A pasted Bundle
goes into the context as a whole, since it does not state which parts of the record are complete.
"""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from cds_service.cdshooks.services import Service, ServiceDirectory
from cds_service.errors import BadRequest
from cds_service.fhir.bundle import with_entries
from cds_service.languages.worded import worded
from cds_service.sandbox.json_paths import Json, entries_of, reference_of

_CHARGES = frozenset({"Claim", "ChargeItem", "ExplanationOfBenefit"})


@dataclass(frozen=True, slots=True)
class BuiltRequest:
    """A request, the service that answers it, and notes on the changes that were made for the hook."""

    request: Json
    service: Service
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestBuilder:
    """Builds the request that an EHR would send on a hook."""

    services: ServiceDirectory

    def built(self, document: Json, hook: str = "") -> BuiltRequest:
        """A Bundle or a request as a request for a hook, given by the last part of its name.

        Without `hook`, a request keeps its own and a Bundle gets the one that fits its resources. Raises BadRequest if
        the document is neither, or if there is no service for its hook.
        """
        if document.get("resourceType") == "Bundle":
            return self._of_bundle(document, hook)
        if "hook" not in document:
            raise BadRequest(worded("expected a FHIR Bundle (`resourceType`) or a CDS Hooks request (`hook`)"), "hook")
        own = self.services.on_hook(str(document["hook"]))
        wanted = self.services.on_hook(hook) if hook else own
        named = document | {"hook": self.services.hook_of(wanted)}
        return BuiltRequest(named, own) if wanted is own else self._moved(named, own, wanted)

    # --- a Bundle ---------------------------------------------------------------------------------------------------

    def _of_bundle(self, bundle: Json, hook: str) -> BuiltRequest:
        resources = [entry["resource"] for entry in entries_of(bundle)]
        if not resources:
            raise BadRequest(worded("`entry`: expected a Bundle with resources in it"), "entry")
        has_charges = any(each["resourceType"] in _CHARGES for each in resources)
        service = self.services.on_hook(hook or ("claim-review" if has_charges else "order-sign"))
        request: Json = {
            "hook": self.services.hook_of(service),
            "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/sandbox", "patientId": _patient(resources)}
            | _encounter(resources, service),
            "prefetch": {},
        }
        return self._placed(request, service, entries_of(bundle), frozenset())

    # --- from hook to hook ------------------------------------------------------------------------------------------

    def _moved(self, request: Json, own: Service, wanted: Service) -> BuiltRequest:
        context = _object(request, "context")
        draft = entries_of(context.get(own.context_bundle)) if own.context_bundle else []
        kept = {name: context[name] for name in ("userId", "patientId", "encounterId") if name in context}
        return self.arranged(request | {"context": kept}, wanted, draft)

    def arranged(self, request: Json, wanted: Service, others: list[Json]) -> BuiltRequest:
        """The request for the hook of a service, from the record in prefetch and from other entries.

        The context holds the known ids. Raises BadRequest if the case lacks what the hook requires.
        """
        prefetch = _object(request, "prefetch")
        record = [entry for key in wanted.prefetch for entry in entries_of(prefetch.get(key))]
        to_draft = [entry for entry in record if wanted.context_bundle and _is_under_review(entry["resource"], wanted)]
        known: Json = request["context"]
        moved = request | {
            "hook": self.services.hook_of(wanted),
            "context": known | _encounter([entry["resource"] for entry in (*others, *record)], wanted, known),
            "prefetch": {key: _without(value, to_draft) for key, value in prefetch.items() if key in wanted.prefetch},
        }
        return self._placed(moved, wanted, [*others, *to_draft], frozenset(wanted.prefetch))

    def _placed(self, request: Json, service: Service, entries: list[Json], to_record: frozenset[str]) -> BuiltRequest:
        """Sort entries into the draft, the record, and notes on those that this hook does not use."""
        notes: list[str] = []
        under_review: list[Json] = []
        keys = _keys(service)
        for entry in entries:
            key = keys.get(entry["resource"]["resourceType"])
            if service.context_bundle and (
                not (key and key in to_record) or _is_under_review(entry["resource"], service)
            ):
                under_review.append(entry)
            elif key:
                _add(request["prefetch"], key, entry, service.prefetch[key])
            else:
                kind = entry["resource"]["resourceType"]
                notes.append(worded("{type} skipped: this hook does not use it", type=kind))
        if service.context_bundle:
            draft = _as_drafts(under_review, notes) if service.stage == "order" else under_review
            request["context"][service.context_bundle] = with_entries(
                {"resourceType": "Bundle", "type": "collection"}, draft
            )
        if _has_context(service, "selections"):
            request["context"]["selections"] = [
                reference_of(entry["resource"]) for entry in under_review if _is_order(entry["resource"])
            ]
        _require_record(request, service)
        return BuiltRequest(request, service, tuple(dict.fromkeys(notes)))


def _has_context(service: Service, member: str, required: bool = False) -> bool:
    """True if a service's context has a member; with `required`, if it requires it."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(service.context)}
    return member in fields and (fields[member].required or not required)


def _require_record(request: Json, service: Service) -> None:
    for key in service.required:
        if key not in request["prefetch"] and "fhirServer" not in request:
            kind = re.split(r"[/?]", service.prefetch[key])[0]
            place = f"prefetch.{key}"
            raise BadRequest(
                worded("`{place}`: this hook requires {type} resources; the case has none", place=place, type=kind),
                place,
            )


def _keys(service: Service) -> dict[str, str]:
    """The prefetch key of each resource type."""
    return {re.split(r"[/?]", template)[0]: key for key, template in service.prefetch.items()}


def _is_order(resource: Json) -> bool:
    return str(resource["resourceType"]).endswith("Request")


def _is_under_review(resource: Json, service: Service) -> bool:
    """True if a call of a service reviews the resource: orders at order time, open charges at claim time."""
    if service.stage == "order":
        return _is_order(resource)
    return resource["resourceType"] in _CHARGES and resource.get("status") in {"planned", "billable", "draft", "active"}


def _as_drafts(entries: list[Json], notes: list[str]) -> list[Json]:
    """The entries with their orders as drafts, which they are until they are signed."""
    orders = [entry["resource"] for entry in entries if _is_order(entry["resource"])]
    if not orders or any(each.get("status") == "draft" for each in orders):
        return entries
    notes.append(worded("the status of the orders was set to draft, as it is before signing"))
    return [
        entry | {"resource": entry["resource"] | {"status": "draft"}} if _is_order(entry["resource"]) else entry
        for entry in entries
    ]


def _add(prefetch: Json, key: str, entry: Json, template: str) -> None:
    if "?" not in template:
        prefetch.setdefault(key, entry["resource"])
        return
    bundle = prefetch.get(key) or {"resourceType": "Bundle", "type": "searchset"}
    prefetch[key] = with_entries(bundle, [*(bundle.get("entry") or []), entry])


def _without(value: Any, removed: Iterable[Json]) -> Any:
    """A prefetched Bundle without some of its entries; it stays complete, even if it becomes empty."""
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        return value
    taken = [id(entry) for entry in removed]
    return with_entries(value, [entry for entry in value.get("entry") or [] if id(entry) not in taken])


def _object(request: Json, member: str) -> Json:
    value = request.get(member)
    return dict(value) if isinstance(value, dict) else {}


def _patient(resources: Iterable[Json]) -> str:
    """The id of the only patient. Raises BadRequest if there is none, or more than one."""
    named = {_bare(reference) for each in resources for reference in _subjects(each)} - {""}
    if len(named) != 1:
        if not named:
            raise BadRequest(worded("`entry`: expected the records of one patient, found none"), "entry")
        raise BadRequest(
            worded("`entry`: expected the records of one patient, found {number} patients", number=len(named)), "entry"
        )
    return named.pop()


def _subjects(resource: Json) -> Iterable[str]:
    if resource["resourceType"] == "Patient":
        yield str(resource.get("id", ""))
    for member in ("subject", "patient", "beneficiary"):
        holder = resource.get(member)
        if isinstance(holder, dict) and isinstance(holder.get("reference"), str):
            yield holder["reference"]


def _encounter(resources: Iterable[Json], service: Service, known: Json | None = None) -> Json:
    """The encounter of the context. Raises BadRequest if the hook requires one and the case has none."""
    if known and known.get("encounterId"):
        return {}
    found = next((str(each.get("id", "")) for each in resources if each["resourceType"] == "Encounter"), "")
    if not found and _has_context(service, "encounterId", required=True):
        place = "context.encounterId"
        raise BadRequest(worded("`{place}`: this hook requires an Encounter; the case has none", place=place), place)
    return {"encounterId": found} if found else {}


def _bare(reference: str) -> str:
    return reference.rsplit("/", 1)[-1].removeprefix("urn:uuid:")
