"""Patients by reference, by identifier and contained: records of two patients are never mixed."""

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.audit.lines import read_line
from cds_service.errors import BadRequest
from cds_service.fhir.patient_identity import PatientIdentity, told_apart
from cds_service.fhir.read import ParsedCase, read_case
from cds_service.fhir.sources import SourceResource
from cds_service.review.advisor import Advisor

MBI = "http://hl7.org/fhir/sid/us-mbi"
CPT = "http://www.ama-assn.org/go/cpt"


def number(value: str, system: str = MBI) -> dict[str, str]:
    return {"system": system, "value": value}


def person(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "patient"} | members


def claim(name: str, code: str = "93350", patient: Any = None, **subject: Any) -> dict[str, Any]:
    item = {
        "sequence": 1,
        "productOrService": {"coding": [{"system": CPT, "code": code}]},
        "servicedDate": "2026-03-02",
    }
    made: dict[str, Any] = {"resourceType": "Claim", "id": name, "status": "active", "use": "claim", "item": [item]}
    made["patient"] = subject or {"reference": "#patient"}
    return made | ({"contained": [patient]} if patient else {})


def bundle(*resources: Any) -> bytes:
    entries = [{"resource": each} for each in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def is_refused(advisor: Advisor, *resources: Any) -> bool:
    try:
        advisor.review_bundle(bundle(*resources))
    except BadRequest as error:
        return "expected the records of one patient" in str(error)
    return False


ONE, OTHER = person(identifier=[number("1S00E00AA00")]), person(identifier=[number("1S00E00BB00")])
ANNA = {"birthDate": "1960-01-02", "name": [{"family": "Example", "given": ["Anna", "B."]}]}


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (claim("f1", patient=ONE), claim("f2", patient=OTHER), True),
        (claim("f1", patient=ONE), claim("f2", patient=ONE | {"id": "p"}, reference="#p"), False),
        (claim("f1", patient=ONE), claim("f2", identifier=number("1S00E00BB00")), True),
        (claim("f1", patient=ONE), claim("f2", identifier=number("1S00E00AA00")), False),
        (claim("f1", patient=ONE), claim("f2", reference=f"Patient?identifier={MBI}|1S00E00BB00"), True),
        (claim("f1", identifier=number("1", "urn:a")), claim("f2", identifier=number("2", "urn:b")), False),
        (claim("f1", patient=ONE), claim("f2", reference="Patient/p1"), False),
        (claim("f1", reference="Patient/p2"), claim("f2", reference="Patient/p1"), True),
        (claim("f1", patient=person(**ANNA)), claim("f2", patient=person(**ANNA | {"birthDate": "1961-01-02"})), True),
        (claim("f1", patient=person(**ANNA)), claim("f2", patient=person(**ANNA)), False),
        (claim("f1", patient=person(**ANNA)),
         claim("f2", patient=person(**ANNA | {"name": [{"family": "Sample", "given": ["Anna"]}]})), True),
        (claim("f1", patient=person(**ANNA)), claim("f2", patient=person()), False),
        (claim("f1"), claim("f2"), False),
    ],
)  # fmt: skip
def test_records_of_two_patients_are_refused(advisor: Advisor, first: Any, second: Any, refused: bool) -> None:
    for order in itertools.permutations((first, second)):
        assert is_refused(advisor, *order) == refused


def test_a_received_patient_tells_who_is_meant(advisor: Advisor) -> None:
    received = ONE | {"id": "p1"}
    own = claim("f1", reference="Patient/p1")
    assert not is_refused(advisor, received, own, claim("f2", patient=ONE))
    assert is_refused(advisor, received, own, claim("f2", patient=OTHER))


def test_a_great_number_of_patients_is_refused_at_once(advisor: Advisor) -> None:
    crowd = [claim(f"f{i}", identifier=number(str(i), f"urn:system:{i}")) for i in range(2000)]
    assert is_refused(advisor, *crowd)


# --- with the patient of a call -------------------------------------------------------------------------------------


def read(*resources: Any) -> ParsedCase:
    sources = [SourceResource(f"e[{i}]", msgspec.Raw(json.dumps(each).encode())) for i, each in enumerate(resources)]
    return read_case(sources, stage="claim", patient_id="p1")


def test_a_contained_patient_is_that_of_the_call_unless_told_apart() -> None:
    assert len(read(claim("f1", patient=ONE), claim("f2", patient=ONE)).case.lines) == 2
    known = read(ONE | {"id": "p1"}, claim("f1", patient=ONE), claim("f2", patient=OTHER))
    assert [line.claim for line in known.case.lines] == ["Claim/f1"]
    assert [each.reason for each in known.skipped] == ["belongs to a different patient than the call"]


def test_patients_who_are_told_apart_from_each_other_are_not_the_call_s() -> None:
    parsed = read(claim("f0", reference="Patient/p1"), claim("f1", patient=ONE), claim("f2", patient=OTHER))
    assert [line.claim for line in parsed.case.lines] == ["Claim/f0"]
    assert {each.reason for each in parsed.skipped} == {"Claim: of one of several patients; expected a reference"}
    assert "93350" in parsed.case.unreadable_codes, "charged, for whomever"


def test_a_new_charge_refers_to_a_resource_only() -> None:
    sources = [SourceResource("e", msgspec.Raw(json.dumps(claim("f1", patient=ONE)).encode()))]
    assert read_case(sources, stage="claim").case.patient == ""


# --- in an export ---------------------------------------------------------------------------------------------------


def test_records_of_an_export_are_grouped_by_what_their_patient_states() -> None:
    keys = [
        read_line(json.dumps(each)).patient
        for each in (
            claim("f1", patient=ONE),
            claim("f2", identifier=number("1S00E00AA00")),
            claim("f3", reference=f"Patient?identifier={MBI}%7C1S00E00AA00"),
            claim("f4", patient=OTHER),
            claim("f5", patient=person(**ANNA)),
            claim("f6", reference="Patient/p1"),
            claim("f7", patient=person(identifier=[number("9", "urn:a"), number("1S00E00AA00")])),
        )
    ]
    own = f"{MBI}|1S00E00AA00"
    assert keys == [own, own, own, f"{MBI}|1S00E00BB00", "born 1960-01-02, example anna", "Patient/p1", own]


@pytest.mark.parametrize("patient", [None, person(), person(birthDate="1960-01-02")])
def test_a_record_of_nobody_is_rejected_and_not_lost(patient: Any) -> None:
    assert read_line(json.dumps(claim("f1", patient=patient))).reason == "Claim: no reference to a patient"


# --- laws -----------------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "a", "b"])
IDENTITIES = st.builds(
    PatientIdentity,
    reference=st.sampled_from(["", "Patient/1", "Patient/2", "urn:uuid:1"]),
    identifiers=st.frozensets(st.sampled_from(["x|1", "x|2", "y|1", "|1", "|2"])),
    born=TEXTS,
    name=TEXTS,
)


@given(IDENTITIES, IDENTITIES)
def test_being_told_apart_is_mutual_and_never_of_oneself(one: PatientIdentity, other: PatientIdentity) -> None:
    assert one.is_told_apart(other) == other.is_told_apart(one)
    assert not one.is_told_apart(one)
    assert one.is_same(other) == other.is_same(one)


@given(st.lists(IDENTITIES, max_size=8), st.randoms())
def test_the_order_of_records_does_not_matter(identities: list[PatientIdentity], rng: Any) -> None:
    shuffled = [*identities]
    rng.shuffle(shuffled)
    assert told_apart(identities) == told_apart(shuffled)
