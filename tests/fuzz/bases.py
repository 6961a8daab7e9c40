"""Good requests to begin with: samples, the rules' own cases, and other people's FHIR, with a mark in patients' data.

Each is answered 200. What a mutation does to one is judged against the answer to the base itself.
"""

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import SAMPLES
from tests.fuzz.document import encoded
from tests.fuzz.places import CHARGES, at, resources
from tests.rules.test_cases import CASES
from tests.support.ehr import PATHS
from tests.support.notation import bundle, request_of

Json = dict[str, Any]

# Stands in names, ids, notes and texts of every patient, and in what mutations write: no log and no fault may say it.
MARK = "QzPatientzQ"

REVIEW = "/review"
SUBJECTS = ("subject", "patient", "beneficiary")
_ENCOUNTER = "E1"


@dataclass(frozen=True)
class Base:
    """A good request and the address that it is sent to. `origin` is where it comes from, so that all are drawn."""

    origin: str
    name: str
    path: str
    body: bytes


def bases(corpus: Path | None) -> tuple[Base, ...]:
    """All good requests, in the same order every time; `corpus` is a folder of other people's FHIR."""
    sources = {"samples": _of_samples(), "cases": _of_cases(), "corpus": _of_corpus(corpus) if corpus else ()}
    return tuple(
        Base(origin, form, path, encoded(marked(tree)))
        for origin, calls in sources.items()
        for name, call in calls
        for form, path, tree in _forms(name, call)
    )


def _forms(name: str, call: Json) -> Iterator[tuple[str, str, Json]]:
    """A call as it is, and as the other services and `/review` would have it."""
    yield name, PATHS[call["hook"]], call
    yield f"{name} (review)", REVIEW, _alone(call)
    if "draftOrders" in call["context"]:
        yield f"{name} (select)", PATHS["order-select"], _selected(call)
    elif _charges(call):
        yield f"{name} (discharge)", PATHS["encounter-discharge"], _discharged(call)


def _alone(call: Json) -> Json:
    """All resources of a call in one Bundle, each once, and those of one patient only."""
    found = [at(call, place.steps) for place in resources(call)]
    patients = [_subject(each) for each in found if _subject(each)]
    ours = [each for each in found if _subject(each) in {"", *patients[:1]}]
    return bundle([each for number, each in enumerate(ours) if each not in ours[:number]])


def _subject(resource: Json) -> str:
    named = [resource[member] for member in SUBJECTS if isinstance(resource.get(member), dict)]
    return str(named[0].get("reference", "")) if named else ""


def _selected(call: Json) -> Json:
    drafts = [entry["resource"] for entry in call["context"]["draftOrders"].get("entry", ())]
    chosen = [f"{each['resourceType']}/{each['id']}" for each in drafts if "id" in each]
    return call | {"hook": "order-select", "context": call["context"] | {"selections": chosen}}


def _charges(call: Json) -> list[Json]:
    drafts = [entry.get("resource") for entry in call["context"]["draftCharges"].get("entry", [])]
    return [each for each in drafts if each and each["resourceType"] in CHARGES]


def _discharged(call: Json) -> Json:
    """The encounter's end: the charges are on the record, and all of them are the encounter's."""
    encounter = call["context"].get("encounterId") or _ENCOUNTER
    charges = [_in_encounter(each, f"Encounter/{encounter}") for each in _charges(call)]
    context = {"userId": call["context"]["userId"], "patientId": call["context"]["patientId"], "encounterId": encounter}
    prefetch = (call.get("prefetch") or {}) | {"chargeItems": bundle(charges)}
    return call | {"hook": "encounter-discharge", "context": context, "prefetch": prefetch}


def _in_encounter(charge: Json, encounter: str) -> Json:
    if charge["resourceType"] == "ChargeItem":
        return charge | {"context": {"reference": encounter}}
    return charge | {"item": [item | {"encounter": [{"reference": encounter}]} for item in charge.get("item", [])]}


# --- where they come from -------------------------------------------------------------------------------------------


def _of_samples() -> Iterator[tuple[str, Json]]:
    for path in SAMPLES:
        yield f"{path.parent.name}/{path.stem}", json.loads(path.read_text())


def _of_cases() -> Iterator[tuple[str, Json]]:
    for rule_id, by_expectation in CASES.items():
        for expectation in ("flags", "passes", "not_checked"):
            for case in by_expectation.get(expectation, []):
                yield f"{rule_id}: {case['what']}", request_of(case)
    for name, case in _MORE.items():
        yield name, _with_contained(request_of(case))


# What no rule's case has: medications behind references, records that do not count.
_MORE: dict[str, Json] = {
    "contained medication": {"lines": "93350", "given": ["Definity 1.3 mL"]},
    "contained medication, add-on only": {"professional": "93350, 93352", "place": "11", "given": ["Lumason 2 mL"]},
    "contained medication, ordered": {"hook": "order", "ordered": ["93350", "Definity"]},
    "charged and entered in error": {"lines": "93350, 93352, 93352 status entered-in-error, Q9957x2"},
    "report cancelled": {
        "professional": "93350, 93352",
        "place": "11",
        "reported": ["words rest and stress images compared, endocardial border not seen"],
        "known": ["procedures", "medicationAdministrations", "observations"],
    },
}


def _with_contained(call: Json) -> Json:
    """Medications move behind references, as many senders have them, and reports are withdrawn."""
    call = copy.deepcopy(call)
    for place in resources(call):
        resource = at(call, place.steps)
        if "medicationCodeableConcept" in resource:
            code = resource.pop("medicationCodeableConcept")
            resource["contained"] = [{"resourceType": "Medication", "id": "med", "code": code}]
            resource["medicationReference"] = {"reference": "#med"}
        elif resource["resourceType"] == "DiagnosticReport":
            resource["status"] = "cancelled"
    return call


def _of_corpus(corpus: Path) -> Iterator[tuple[str, Json]]:
    published = sorted((corpus / "cds-hooks").glob("*.json"))
    for path in published:
        for hook, member in (("order-sign", "draftOrders"), ("org.example.claim-review", "draftCharges")):
            yield f"{path.stem} ({hook})", _completed(json.loads(path.read_text()), hook, member)
    examples = [json.loads(path.read_text()) for path in sorted((corpus / "hl7-r4-examples").glob("*.json"))]
    small = [each for each in examples if len(encoded(each)) < 20_000]
    synthea = [json.loads(line) for line in (corpus / "synthea-echo.ndjson").read_text().splitlines()]
    for name, found, size in (("hl7", small, 12), ("synthea", synthea, 9)):
        for number, group in enumerate(_in_groups(found, size)):
            yield f"{name} {number}", _call_about(group)
            yield f"{name} {number}, as a stress echo", _call_about([_dressed(each, n) for n, each in enumerate(group)])


def _completed(call: Json, hook: str, member: str) -> Json:
    """A published request with what its context lacks; it names servers that may not be asked."""
    defaults: Json = {"userId": "Practitioner/1", "patientId": "1", member: bundle([])}
    context = {name: value for name, value in (defaults | call["context"]).items() if not name.startswith("draft")}
    draft = (defaults | call["context"])[member]
    return call | {"hook": hook, "context": context | {member: draft}, "prefetch": call.get("prefetch") or {}}


def _in_groups(every: list[Json], size: int) -> Iterator[list[Json]]:
    """Groups that hold something of all kinds: each takes every so-many-th."""
    count = max(1, len(every) // size)
    for number in range(count):
        yield every[number::count]


def _call_about(group: list[Json]) -> Json:
    charges = [each for each in group if each["resourceType"] in CHARGES]
    kinds = {
        "procedures": "Procedure",
        "medicationAdministrations": "MedicationAdministration",
        "coverages": "Coverage",
        "observations": "Observation",
    }
    prefetch = {key: bundle([each for each in group if each["resourceType"] == kind]) for key, kind in kinds.items()}
    rest = [each for each in group if each["resourceType"] not in {*CHARGES, *kinds.values()}]
    context = {"userId": "Practitioner/1", "patientId": "example", "draftCharges": bundle(charges + rest)}
    hook_instance = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
    return {
        "hook": "org.example.claim-review", "hookInstance": hook_instance, "context": context, "prefetch": prefetch,
    }  # fmt: skip


# --- other people's resources in the part of a stress echo ----------------------------------------------------------

_CPT = "http://www.ama-assn.org/go/cpt"
_STUDY = {"coding": [{"system": _CPT, "code": "93350"}]}
_AGENT = {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "11994-011-04"}]}
_LINES = ("93350", "93352", "Q9957", "93320", "93351", "Q9950")


def _dressed(resource: Json, number: int) -> Json:
    """The same resource of the patient whom the call is about, and about a stress echo."""
    dressed = copy.deepcopy(resource)
    for member in SUBJECTS:
        if isinstance(dressed.get(member), dict):
            dressed[member] = {"reference": "Patient/example"}
    kind = dressed["resourceType"]
    if kind in {"Procedure", "ServiceRequest"}:
        dressed["code"] = _STUDY
    elif kind in {"MedicationAdministration", "MedicationRequest"}:
        dressed.pop("medicationReference", None)
        dressed["medicationCodeableConcept"] = _AGENT
    elif kind == "ChargeItem":
        dressed["code"] = {"coding": [{"system": _CPT, "code": _LINES[number % len(_LINES)]}]}
    elif kind in {"Claim", "ExplanationOfBenefit"}:
        for position, item in enumerate(dressed.get("item", [])):
            item["productOrService"] = {"coding": [{"system": _CPT, "code": _LINES[(number + position) % len(_LINES)]}]}
    return dressed


# --- marks ----------------------------------------------------------------------------------------------------------


def marked(tree: Json) -> Json:
    """The same request with a mark in everything that belongs to the patient and decides nothing."""
    patients = _patients(tree)
    marked_tree: Json = json.loads(_renamed(json.dumps(tree), patients))
    for place in resources(marked_tree):
        resource = at(marked_tree, place.steps)
        resource["text"] = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{MARK}</div>'}
        if resource["resourceType"] == "Patient":
            resource["name"] = [{"family": MARK}]
        for member in SUBJECTS:
            if isinstance(resource.get(member), dict):
                resource[member]["display"] = MARK
    return marked_tree


def _patients(tree: Json) -> set[str]:
    named = {str(tree["context"]["patientId"])} if "context" in tree else set()
    found = [at(tree, place.steps) for place in resources(tree)]
    return named | {str(each["id"]) for each in found if each["resourceType"] == "Patient" and "id" in each}


def _renamed(text: str, patients: Iterable[str]) -> str:
    for each in sorted(patients):
        if len(each) > 1:  # an id of one character stands for too much else
            text = text.replace(f'Patient/{each}"', f'Patient/{each}{MARK}"').replace(f'"{each}"', f'"{each}{MARK}"')
    return text
