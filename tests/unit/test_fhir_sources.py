"""Received resources: how they are cited, what was written, which part of the record they are; and their faults."""

import json
from typing import Any

import msgspec
import pytest

from cds_service.errors import BadRequest
from cds_service.fhir import resources as r
from cds_service.fhir.checks import element_faults, is_date, resource_type_of, types_with_faults
from cds_service.fhir.foreign import cannot_be_resource
from cds_service.fhir.patient_identity import PatientIdentity, identity_of, of_patient
from cds_service.fhir.sources import (
    Item,
    OriginalJson,
    SourceResource,
    complete_parts,
    prefetch_key_of,
)
from cds_service.fhir.systems import billing_uri, claim_type, code_kind, normalized
from cds_service.fhir.validate import faults_in


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


PROCEDURE = {"resourceType": "Procedure", "id": "p1"}


@pytest.mark.parametrize(
    ("identity", "label"),
    [
        ("Procedure/p1", "Procedure/p1"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "Procedure in here"),
        ("", "Procedure in here"),
    ],
    ids=["short", "200 characters", "201 characters", "none"],
)
def test_a_resource_is_cited_by_its_identity_unless_that_is_long(identity: str, label: str) -> None:
    assert Item(SourceResource("here", raw(PROCEDURE)), r.Procedure(status="completed"), identity).label == label


def test_the_original_json_is_that_of_the_path() -> None:
    entries = [{"resource": {"resourceType": "Patient", "id": "a"}}, {"resource": PROCEDURE}]
    bundle = raw({"resourceType": "Bundle", "entry": entries})
    sources = [SourceResource("one", raw(PROCEDURE)), SourceResource("all", lambda: bundle, position=1)]
    original = OriginalJson([Item(each, None, "") for each in sources])
    paths = ["one", "all.entry[1].resource"]
    assert list(original) == paths
    assert len(original) == 2
    assert "all" not in original
    assert [json.loads(bytes(original[path])) for path in paths] == [PROCEDURE, PROCEDURE]
    assert json.loads(bytes(sources[1].original_json())) == PROCEDURE
    with pytest.raises(KeyError):
        original["all"]


@pytest.mark.parametrize(
    ("resource", "key"),
    [
        (PROCEDURE, "procedures"),
        ({"resourceType": "Claim"}, "chargeItems"),
        ({"resourceType": "Patient"}, ""),
        ({"id": "1"}, None),
        (5, None),
    ],
    ids=str,
)
def test_the_part_of_the_record_that_a_resource_is_of(resource: Any, key: str | None) -> None:
    assert prefetch_key_of(SourceResource("here", raw(resource))) == key


def test_the_part_of_a_decoded_resource() -> None:
    decoded = SourceResource("here", raw(5), resource=r.Procedure(status="completed"))
    assert prefetch_key_of(decoded) == "procedures"


def test_parts_that_are_declared_complete() -> None:
    assert complete_parts(["Claim", "ChargeItem", "Procedure"]) == {"chargeItems", "procedures"}
    assert complete_parts([]) == frozenset()
    with pytest.raises(BadRequest, match="`complete`: expected resource types from Procedure, "):
        complete_parts(["Procedure", "Patient"])


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026", True), ("2026-03", True), ("2026-03-17", True), ("2026-03-17T08:00:00Z", True), ("2024-02-29", True),
        (None, True), ("", True), ("2026-02-29", False), ("2026-13", False), ("0000", False), ("2026-3-17", False),
        ("2026-03-32", False), ("2026-03-17 08:00", False), ("today", False),
    ],
)  # fmt: skip
def test_dates(written: str | None, expected: bool) -> None:
    assert is_date(written) is expected


def line(**members: Any) -> r.ClaimItem:
    return r.ClaimItem(**members)


FAULTS: dict[str, tuple[Any, list[str]]] = {
    "no fault": (r.Procedure(status="completed", performed_date_time="2026-03-17"), []),
    "no date": (
        r.Procedure(status="completed", performed_date_time="today"),
        ["performedDateTime: expected a date such as 2026-03-17"],
    ),
    "a leap day": (r.Procedure(status="completed", performed_date_time="2024-02-29"), []),
    "both ends": (
        r.Procedure(status="completed", performed_period=r.Period(start="a", end="b")),
        [
            "performedPeriod.start: expected a date such as 2026-03-17",
            "performedPeriod.end: expected a date such as 2026-03-17",
        ],
    ),
    "one end": (
        r.Procedure(status="completed", performed_period=r.Period(start="2026", end="b")),
        ["performedPeriod.end: expected a date such as 2026-03-17"],
    ),
    "lines of a claim": (
        r.Claim(status="active", item=(line(serviced_date="2026-03-17"), line(serviced_date="x"))),
        ["item.servicedDate: expected a date such as 2026-03-17"],
    ),
    "contained resources, of each type once": (
        r.Procedure(
            status="completed",
            contained=(
                raw({"resourceType": "Medication", "code": 5}),
                raw({"resourceType": "Medication", "code": 6}),
                raw({"id": "no type"}),
                raw({"resourceType": "Patient", "name": 5}),
                raw({"resourceType": "Organization", "name": 5}),
                raw({"resourceType": "Coverage"} | {"status": 5}),
            ),
        ),
        ["contained: expected a valid Medication", "contained: expected a valid Patient",
         "contained: expected a valid Coverage"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("resource", "expected"), FAULTS.values(), ids=FAULTS)
def test_faulty_elements_are_named(resource: Any, expected: list[str]) -> None:
    assert list(element_faults(resource)) == expected
    patient = r.Patient(id="1")
    of_types = types_with_faults([patient, resource, r.Procedure(status="completed", performed_date_time="2026")])
    assert of_types <= {type(resource)}
    assert bool(of_types) or not expected


@pytest.mark.parametrize(
    ("written", "kind"),
    [(b'{"resourceType": "Claim"}', "Claim"), (b"{}", ""), (b"[]", ""), (b"\xff", ""), (b'{"resourceType": 5}', "")],
)
def test_the_type_of_a_piece_of_json(written: bytes, kind: str) -> None:
    assert resource_type_of(written) == kind


PATIENT_FAULT = {"resourceType": "Patient", "birthDate": "today", "gender": 5}


def test_strict_validation_names_each_fault_by_its_path_and_no_value() -> None:
    body = {"prefetch": {"patient": {"resourceType": "Bundle", "entry": [{"resource": PATIENT_FAULT}]}}}
    found = faults_in(json.dumps(body).encode())
    assert [each.path for each in found] == [
        "prefetch.patient.entry[0].resource.birthDate",
        "prefetch.patient.entry[0].resource.gender",
    ]
    assert all(each.reason.startswith("Patient: ") for each in found)
    assert "today" not in str(found)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"resourceType": "Patient", "id": "1"}, []),
        ({"resourceType": "Rumour"}, [("", "not a resource type of FHIR R4")]),
        ([{"resourceType": 5}, {"resourceType": "Patient"}], [("[0]", "not a resource type of FHIR R4")]),
        ({"a": {"b": [1, {"resourceType": "X"}]}}, [("a.b[1]", "not a resource type of FHIR R4")]),
    ],
    ids=["valid", "no type", "in a list", "nested"],
)
def test_strict_validation_looks_at_every_resource(document: Any, expected: list[tuple[str, str]]) -> None:
    assert [(each.path, each.reason) for each in faults_in(json.dumps(document).encode())] == expected


def test_what_is_no_json_cannot_be_validated() -> None:
    (fault,) = faults_in(b'{"a": ')
    assert (fault.path, fault.reason[:19]) == ("", "cannot be validated")


# --- JSON of others -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"exportId": "4f3", "eventDetail": {"count": 3}}, True),
        ({}, True),
        ({"patient": "4711"}, True),
        ({"item": 1, "list": [1, "a", None]}, True),
        ({"output": [{"type": "Claim", "resourceType": "Claim"}]}, True),
        ({"resourceType": "Log"}, False),
        ({"resource_type": "Log"}, False),
        ({"resource-type": "Log"}, False),
        ({"hook": "order-sign"}, False),
        ({"patient": {"reference": "Patient/1"}}, False),
        ({"item": []}, False),
        ({"a": {"coding": []}}, False),
        ({"a": [{"b": 1}, {"subject": {}}]}, False),
        ({"a": [{"resourceType": "Claim", "id": "1"}]}, False),
        ([{"a": 1}], False),
        ("text", False),
    ],
    ids=str,
)
def test_json_that_cannot_be_a_resource(document: Any, expected: bool) -> None:
    assert cannot_be_resource(json.dumps(document)) is expected
    assert not cannot_be_resource(json.dumps(document)[:-1]), "cut off, it may be anything"


# --- patients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        (PatientIdentity("Patient/1", frozenset({"a|1"}), "1960-01-02", "example anna"), "Patient/1"),
        (PatientIdentity(identifiers=frozenset({"b|1", "a|2"})), "a|2"),
        (PatientIdentity(identifiers=frozenset({"a|2", "http://hl7.org/fhir/sid/us-mbi|1"})),
         "http://hl7.org/fhir/sid/us-mbi|1"),
        (PatientIdentity(born="1960-01-02", name="example anna"), "born 1960-01-02, example anna"),
        (PatientIdentity(born="1960-01-02"), ""),
        (PatientIdentity(name="example anna"), ""),
    ],
    ids=["reference", "first identifier", "Medicare number", "born and name", "born", "name"],
)  # fmt: skip
def test_records_are_grouped_by_the_best_that_names_a_patient(identity: PatientIdentity, key: str) -> None:
    assert identity.key == key


def test_a_patient_is_named_by_family_and_first_given_name() -> None:
    names = (
        r.HumanName(family="Only"),
        r.HumanName(given=("Anna",)),
        r.HumanName(family=" Example", given=(" ", "Anna", "B")),
    )
    numbers = (r.Identifier("urn:a", "1"), r.Identifier(value="2"), r.Identifier("urn:b"))
    found = of_patient(r.Patient(name=names, identifier=numbers, birth_date="1960-01-02"), "Patient/1")
    assert found == PatientIdentity("Patient/1", frozenset({"urn:a|1", "|2"}), "1960-01-02", "example anna")
    assert of_patient(r.Patient()) == PatientIdentity()


ANNA = PatientIdentity("Patient/1", frozenset({"urn:a|1"}), "1960-01-02", "example anna")
HOLDER = r.Claim(status="active", contained=(raw({"resourceType": "Patient", "id": "p", "birthDate": "1960-01-02"}),))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (None, PatientIdentity()),
        (r.Reference(), PatientIdentity()),
        (r.Reference("Patient/1"), ANNA),
        (r.Reference("https://ehr.example.org/r4/Patient/1"), ANNA),
        (r.Reference("urn:uuid:1"), ANNA),
        (r.Reference("urn:uuid:2"), PatientIdentity("urn:uuid:2")),
        (r.Reference("Patient/2"), PatientIdentity("Patient/2")),
        (r.Reference("Group/1"), PatientIdentity()),
        (r.Reference("#p"), PatientIdentity(born="1960-01-02")),
        (r.Reference("#q"), PatientIdentity()),
        (r.Reference("Patient?identifier=urn:a%7C1"), PatientIdentity(identifiers=frozenset({"urn:a|1"}))),
        (r.Reference(identifier=r.Identifier("urn:a", "9")), PatientIdentity(identifiers=frozenset({"urn:a|9"}))),
        (r.Reference("Patient/2", r.Identifier("urn:a", "9")), PatientIdentity("Patient/2", frozenset({"urn:a|9"}))),
    ],
    ids=str,
)  # fmt: skip
def test_who_a_reference_names(reference: r.Reference | None, expected: PatientIdentity) -> None:
    assert identity_of(reference, HOLDER, {"urn:uuid:1": "Patient/1"}, {"Patient/1": ANNA}) == expected


# --- code systems ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "kind"),
    [
        (None, ""), ("", ""), ("CPT", "billing"), ("HC", "billing"), ("https://x.example/hc", "https://x.example/hc"),
        ("http://snomed.info/sct/731000124108/version/20260301", "snomed"), ("http://loinc.org/", "loinc"),
        ("http://loinc.org|2.77", "loinc"), ("urn:oid:2.16.840.1.113883.6.88", "rxnorm"), ("urn:x", "urn:x"),
        ("http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10"), ("ICD-10", "icd-10-cm"),
        (" CPT ", "billing"),
        ("http://hl7.org/fhir/sid/ndc#x", "ndc"),
    ],
)  # fmt: skip
def test_the_code_system_of_an_address(system: str | None, kind: str) -> None:
    assert code_kind(system) == kind


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("billing", " hc:93352 ", "93352"), ("billing", "CPT-93352", "93352"), ("billing", "93352.0", "93352"),
        ("billing", "\u200b93352-26.", "93352-26"), ("billing", "q9957", "Q9957"), ("icd-10-cm", "i2510", "I25.10"),
        ("icd-10-cm", "I10", "I10"), ("icd-10-cm", "I10.", "I10"), ("icd-10-cm", "I251", "I25.1"),
        ("icd-10-cm", " ", ""), ("urn:x", " a-1. ", "a-1."),
    ],
)  # fmt: skip
def test_a_code_as_all_read_it(kind: str, written: str, expected: str) -> None:
    assert normalized(kind, written) == expected


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        ("x/nch_clm_type_cd", "10", "institutional"), ("x/nch_clm_type_cd", "64", "institutional"),
        ("x/CLM-TYPE-CD", "82", "professional"), ("x/nch_clm_type_cd", "professional", "unknown"),
        ("x/eob-type", "dme", "professional"), ("x/eob-type", "SNF", "institutional"), ("x/eob-type", "10", "unknown"),
        ("", "professional", "professional"), ("x/other", "10", "unknown"),
    ],
)  # fmt: skip
def test_the_claim_type_of_a_code(system: str, code: str, expected: str) -> None:
    assert claim_type(system, code) == expected


def test_the_address_of_a_billing_code() -> None:
    assert billing_uri("93352") == "http://www.ama-assn.org/go/cpt"
    assert billing_uri("0439T") == "http://www.ama-assn.org/go/cpt"
    assert billing_uri("Q9957") == "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
