"""Blurs records: the same facts in forms of real senders that may not be understood.

`blurred(request)` yields each request that differs from a good one in one record, which says the same as before in a
way that the service may or may not understand; then those in which every record is blurred in one way. No advice may
come from that: see `test_blur.py`, which samples, and `make blur`, which runs all of them.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

Resource = dict[str, Any]
Blur = Callable[[Resource], Resource | None]
# A resource in a request: its holder, the path of the holder, and its key there.
Place = tuple[Any, tuple[Any, ...], Any]

CHARGES = "https://ehr.example.org/charge-master"
UNKNOWN = "https://ehr.example.org/codes"


# --- concepts -------------------------------------------------------------------------------------------------------


def _under_unknown_address(concept: Resource) -> Resource:
    return {**concept, "coding": [{**each, "system": UNKNOWN} for each in concept["coding"]]}


def _local_code(_: Resource) -> Resource:
    return {"coding": [{"system": CHARGES, "code": "615215", "display": "ECHO LAB 7"}]}


def _local_code_without_system(_: Resource) -> Resource:
    return {"coding": [{"code": "EL-7"}]}


def _text_only(_: Resource) -> Resource:
    return {"text": "see worksheet"}


def _behind_a_qualifier(concept: Resource) -> Resource:
    return {"coding": [{**each, "code": f"LOC:{each['code']}"} for each in concept["coding"]]}


CONCEPTS = {
    "code under an unknown address": _under_unknown_address,
    "local code": _local_code,
    "local code without a system": _local_code_without_system,
    "text only": _text_only,
    "code behind a qualifier": _behind_a_qualifier,
}


def _of_element(name: str, blur: Callable[[Resource], Resource]) -> Blur:
    def blurred(resource: Resource) -> Resource | None:
        found = resource.get(name)
        return {**resource, name: blur(found)} if found and found.get("coding") else None

    return blurred


def _code_removed(name: str) -> Blur:
    return lambda resource: {key: value for key, value in resource.items() if key != name} if name in resource else None


def _in_a_nested_extension(charge: Resource) -> Resource | None:
    """The billing code two extensions deep, as Oracle Health does, under addresses that are not theirs."""
    if not charge.get("code", {}).get("coding"):
        return None
    inner = {"url": "deep", "valueCodeableConcept": _under_unknown_address(charge["code"])}
    outer = {"url": "https://ehr.example.org/charge", "extension": [{"url": "wrapper", "extension": [inner]}]}
    return {**charge, "code": _local_code({}), "extension": [*charge.get("extension", []), outer]}


# --- drugs ----------------------------------------------------------------------------------------------------------


def _medication(**element: Any) -> Blur:
    def blurred(resource: Resource) -> Resource | None:
        kept = {key: value for key, value in resource.items() if not key.startswith("medication")}
        return {**kept, **element} if len(kept) < len(resource) else None

    return blurred


def _used_by_reference(procedure: Resource) -> Resource | None:
    if "usedCode" not in procedure:
        return None
    kept = {key: value for key, value in procedure.items() if key != "usedCode"}
    return {**kept, "usedReference": [{"reference": "Medication/not-sent"}]}


MEDICATIONS = {
    "reference that leads nowhere": _medication(medicationReference={"reference": "Medication/not-sent"}),
    "reference by identifier": _medication(medicationReference={"identifier": {"system": UNKNOWN, "value": "7"}}),
    "reference to a contained resource that is missing": _medication(medicationReference={"reference": "#none"}),
    "generic name": _medication(
        medicationReference={"reference": "Medication/not-sent", "display": "ultrasound enhancing agent IV suspension"}
    ),
    "unknown RxNorm code": _medication(
        medicationCodeableConcept={
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "9999999"}]
        }
    ),
    "name with a typing error": _medication(
        medicationCodeableConcept={"text": "DEFINTY / OPTISN / LUMASN per protocol"}
    ),
}


# --- days, people, payers -------------------------------------------------------------------------------------------

_DATES = ("occurrenceDateTime", "performedDateTime", "effectiveDateTime", "authoredOn", "started")


def _instant(suffix: str, days_later: int) -> Blur:
    def blurred(resource: Resource) -> Resource | None:
        name = next((each for each in _DATES if len(resource.get(each, "")) >= 10), None)
        if name is None:
            return None
        day = date.fromisoformat(resource[name][:10]) + timedelta(days=days_later)
        return {**resource, name: f"{day.isoformat()}{suffix}"}

    return blurred


INSTANTS = {
    "evening as an instant in UTC": _instant("T01:30:00Z", 1),
    "late evening as an instant in UTC": _instant("T05:45:00+00:00", 1),
    "afternoon as an instant in UTC": _instant("T20:10:00.000Z", 0),
    "evening in local time": _instant("T21:30:00-06:00", 0),
}


def _by_role(resource: Resource) -> Resource | None:
    return _with_performers(resource, lambda name: {"reference": f"PractitionerRole/role-of-{name}"})


def _by_identifier(resource: Resource) -> Resource | None:
    system = "http://hl7.org/fhir/sid/us-npi"
    return _with_performers(resource, lambda name: {"identifier": {"system": system, "value": f"12345{name}"}})


def _with_performers(resource: Resource, person: Callable[[str], Resource]) -> Resource | None:
    """A resource that names each of its practitioners in another way; one person stays one, two stay two."""

    def other(reference: Resource) -> Resource:
        return person(reference.get("reference", "").rpartition("/")[2])

    if resource.get("performer"):
        performers = [
            {**each, "actor": other(each["actor"])} if "actor" in each else other(each)
            for each in resource["performer"]
        ]
        return {**resource, "performer": performers}
    if resource.get("careTeam"):
        return {
            **resource,
            "careTeam": [{**each, "provider": other(each["provider"])} for each in resource["careTeam"]],
        }
    return {**resource, "provider": other(resource["provider"])} if "provider" in resource else None


def _patient_contained(resource: Resource) -> Resource | None:
    name = next((each for each in ("subject", "patient", "beneficiary") if each in resource), None)
    if name is None:
        return None
    patient = {"resourceType": "Patient", "id": "p"}
    return {**resource, name: {"reference": "#p"}, "contained": [*resource.get("contained", []), patient]}


def _coverage(reference: Resource) -> Blur:
    def blurred(claim: Resource) -> Resource | None:
        if not claim.get("insurance"):
            return None
        return {**claim, "insurance": [{**each, "coverage": reference} for each in claim["insurance"]]}

    return blurred


def _payor_not_sent(coverage: Resource) -> Resource:
    kept = {key: value for key, value in coverage.items() if key != "type"}
    return {**kept, "payor": [{"reference": "Organization/not-sent"}]}


COVERAGES = {
    "coverage that is not contained": _coverage({"reference": "#coverage"}),
    "coverage that was not sent": _coverage({"reference": "Coverage/not-sent"}),
    "coverage by search": _coverage({"reference": "Coverage?identifier=123"}),
    "coverage by member number": _coverage({"identifier": {"value": "1EG4-TE5-MK73"}}),
}


# --- the list -------------------------------------------------------------------------------------------------------


def _unless_revenue(blur: Blur) -> Blur:
    """A blur that leaves no code; beside a revenue code, that would say that the item is no procedure."""
    return lambda item: None if "revenue" in item else blur(item)


def _modifier_in_words(item: Resource) -> Resource | None:
    return {**item, "modifier": [{"text": "as on the worksheet"}]} if item.get("modifier") else None


def _units_in_words(line: Resource) -> Resource | None:
    return {**line, "quantity": {"unit": "vial"}} if line.get("quantity") else None


def _codes_of(name: str) -> dict[str, Blur]:
    return {each: _of_element(name, blur) for each, blur in CONCEPTS.items()} | {"no code": _code_removed(name)}


_ANY: dict[str, Blur] = {"patient contained": _patient_contained, "performer as a role": _by_role} | INSTANTS
_IDENTIFIED: dict[str, Blur] = {"performer by identifier": _by_identifier}

_CHARGE: dict[str, Blur] = {"code in a nested extension": _in_a_nested_extension, "units in words": _units_in_words}

BLURS: dict[str, dict[str, Blur]] = {
    "ChargeItem": _codes_of("code") | _CHARGE | _ANY | _IDENTIFIED,
    "Claim": {**COVERAGES, **_ANY},
    "Procedure": _codes_of("code") | {"agent used by reference": _used_by_reference} | _ANY | _IDENTIFIED,
    "MedicationAdministration": MEDICATIONS | _codes_of("medicationCodeableConcept") | _ANY,
    "MedicationRequest": MEDICATIONS | _ANY,
    "ServiceRequest": _codes_of("code") | _ANY,
    "Coverage": {"payor that was not sent": _payor_not_sent, "patient contained": _patient_contained},
    "Observation": INSTANTS,
    "DiagnosticReport": INSTANTS,
    "ImagingStudy": INSTANTS,
}
ITEM_BLURS: dict[str, Blur] = (
    _codes_of("productOrService")
    | {name: _unless_revenue(_codes_of("productOrService")[name]) for name in ("text only", "no code")}
    | {"modifier in words": _modifier_in_words, "units in words": _units_in_words}
)


def _item_blurs(claim: Resource) -> Iterator[tuple[str, Resource]]:
    """Blurs of one item of a claim at a time."""
    for number, item in enumerate(claim.get("item", [])):
        for name, blur in ITEM_BLURS.items():
            if (made := blur(item)) is not None:
                items = [*claim["item"][:number], made, *claim["item"][number + 1 :]]
                yield f"item {number + 1}: {name}", {**claim, "item": items}


def of_resource(resource: Resource) -> Iterator[tuple[str, Resource]]:
    """Each blurred form of a resource, with its name."""
    for name, blur in BLURS.get(resource["resourceType"], {}).items():
        if (made := blur(resource)) is not None:
            yield name, made
    if resource["resourceType"] == "Claim":
        yield from _item_blurs(resource)


def blurred(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each request with one record blurred, or all in one way, and the name of the record and the blur."""
    places = list(_places(request))
    for holder, path, key in places:
        for blur, made in of_resource(holder[key]):
            other = _with(request, (*path, key), made)
            yield f"{'.'.join(map(str, path))}: {made['resourceType']}: {blur}", other
    for name in dict.fromkeys(name for blurs in (*BLURS.values(), ITEM_BLURS) for name in blurs):
        if (whole := _blurred_wholly(request, places, name)) is not None:
            yield f"all: {name}", whole


def _blurred_wholly(request: dict[str, Any], places: list[Place], name: str) -> dict[str, Any] | None:
    """The request with every record blurred in one way; None if it fits fewer than two."""
    other, count = request, 0
    for holder, path, key in places:
        resource = holder[key]
        kind = resource["resourceType"]
        for blur, blurs in ((_blur_whole, BLURS.get(kind, {})), (_blur_items, ITEM_BLURS if kind == "Claim" else {})):
            if name in blurs and (made := blur(resource, blurs[name])) is not None:
                resource = made
                other = _with(other, (*path, key), resource)
                count += 1
    return other if count > 1 else None


def _blur_whole(resource: Resource, blur: Blur) -> Resource | None:
    return blur(resource)


def _blur_items(claim: Resource, blur: Blur) -> Resource | None:
    items = [(blur(item), item) for item in claim.get("item", [])]
    return {**claim, "item": [made or item for made, item in items]} if any(made for made, _ in items) else None


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[Place]:
    """Each resource that is no Bundle."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if isinstance(part, dict) and part.get("resourceType") not in (None, "Bundle"):
            yield value, path, key
        else:
            yield from _places(part, (*path, key))


def _with(value: Any, path: tuple[Any, ...], made: Resource) -> Any:
    """A value with another resource at a path; what does not lie on the path is shared with the value."""
    if not path:
        return made
    other = value.copy()
    other[path[0]] = _with(value[path[0]], path[1:], made)
    return other
