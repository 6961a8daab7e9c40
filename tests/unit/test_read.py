"""Parsing FHIR into a Case: all variants that senders use, and elements that count as absent."""

import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.core.case import Case
from cds_service.core.concepts import Code
from cds_service.core.lazy_records import Records
from cds_service.fhir.read import ParsedCase, read_case
from cds_service.fhir.resolver import Resolver
from cds_service.fhir.resources import CodeableConcept
from cds_service.fhir.sources import SourceResource
from hooks.codes.tables import PRODUCTS
from hooks.coding.products import agent_in, ndc_matches

SUBJECT = {"subject": {"reference": "Patient/p1"}}


CPT = "http://www.ama-assn.org/go/cpt"


def read(*resources: Any, under_review: bool = True) -> ParsedCase:
    source = [
        SourceResource(f"entry[{i}]", msgspec.Raw(json.dumps(each).encode()), f"urn:uuid:{i}", under_review)
        for i, each in enumerate(resources)
    ]
    return read_case(source, stage="claim", patient_id="p1")


def case_of(*resources: Any) -> Case:
    parsed = read(*resources)
    assert parsed.skipped == ()
    return parsed.case


def charge(**members: Any) -> dict[str, Any]:
    coding = {"system": "http://www.ama-assn.org/go/cpt", "code": "93350"}
    return {"resourceType": "ChargeItem", "id": "c", "status": "billable", "code": {"coding": [coding]}} | members


def administration(**members: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationAdministration", "id": "m", "status": "completed", **SUBJECT} | members


def test_a_moment_belongs_to_its_local_day() -> None:
    (line,) = case_of(charge(occurrenceDateTime="2026-03-02T23:30:00-05:00")).lines
    assert line.day == date(2026, 3, 2)


@pytest.mark.parametrize("moment", ["2026", "2026-03", ""])
def test_a_moment_that_is_not_known_to_the_day_gives_no_day(moment: str) -> None:
    assert case_of(charge(occurrenceDateTime=moment)).lines[0].day is None


@pytest.mark.parametrize(
    "system",
    [
        "http://www.ama-assn.org/go/cpt",
        "urn:oid:2.16.840.1.113883.6.12",
        "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
        "urn:oid:2.16.840.1.113883.6.285",
        "http://terminology.hl7.org/CodeSystem/HCPCS",
        "https://bluebutton.cms.gov/resources/codesystem/hcpcs",
        "https://bluebutton.cms.gov/resources/variables/hcpcs_cd",
        "http://www.cms.gov/Medicare/Coding/hcpcs-Level-II/",
        "urn:oid:2.16.840.1.113883.6.14",
        "2.16.840.1.113883.6.12",
        "https://fhir.example.org/tenant-1/CodeSystem/BillCodes-CPT",
        "https://fhir.example.org/tenant-1/CodeSystem/BillCodes-HCPCS",
        "CPT",
        "HCPCS",
        "CPT-4",
        "HC",
        "AMA CPT",
        "http://www.ama-assn.org/go/cpt|2026",
        "http://www.ama-assn.org/go/cpt#",
        "urn:oid:2.16.840.1.113883.6.12|2026.1",
        "https://bluebutton.cms.gov/resources/variables/line_hcpcs_cd",
        "https://bluebutton.cms.gov/fhir/CodeSystem/CLM-LINE-HCPCS-CD",
    ],
)
@pytest.mark.parametrize("code", ["93352", "Q9957"])
def test_billing_codes_are_read_under_every_address(system: str, code: str) -> None:
    (line,) = case_of(charge(code={"coding": [{"system": system, "code": code}]})).lines
    assert (line.code, line.certain) == (code, True)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ({"coding": [{"code": "93350"}]}, ("93350", False, ())),
        ({"coding": [{"system": "http://hospital.example/charges", "code": "93350"}]}, ("", False, ())),
        ({"coding": [{}]}, ("", False, ())),
        ({"text": "93350"}, ("93350", False, ())),
        ({"text": "CPT 93350, stress echo"}, ("93350", False, ())),
        ({"text": "93350 or 93351"}, ("", False, ())),
        ({"text": "invoice 1193350"}, ("", False, ())),
        ({"coding": [{"system": "http://hospital.example/charges", "code": "7"}], "text": "93350"}, ("", False, ())),
        ({"coding": [{"system": CPT, "code": "HC:93352"}]}, ("93352", True, ())),
        ({"coding": [{"system": CPT, "code": "CPT-93352"}]}, ("93352", True, ())),
        ({"coding": [{"system": CPT, "code": "93352.0"}]}, ("93352", True, ())),
        *(
            ({"coding": [{"system": CPT, "code": f"93352{end}"}]}, ("93352", True, ()))
            for end in (".", ",", ";", "|", ".00", ".0.", "\u200b", "\ufeff ", "\u00a0")
        ),
        *(
            ({"coding": [{"system": CPT, "code": code}]}, ("", True, ()))
            for code in ("93352-1", "93352_1", "615215", "0093352", "9335126", "93352-261")
        ),
        ({"coding": [{"system": CPT, "code": "q9957-jz"}]}, ("Q9957", True, ("JZ",))),
        ({"coding": [{"system": CPT, "code": "93351TC"}]}, ("93351", True, ("TC",))),
        ({"coding": [{"system": CPT, "code": "93351_26"}]}, ("93351", True, ("26",))),
        ({"coding": [{"system": CPT, "code": "93351/26"}]}, ("93351", True, ("26",))),
        ({"coding": [{"system": CPT, "code": "93351-26,59"}]}, ("93351", True, ("26", "59"))),
        ({"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "93351-26"}]}, ("93351", True, ("26",))),
        (
            {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "93351:26:59"}]},
            ("93351", True, ("26", "59")),
        ),
        (
            {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code} for code in ("93351", "26")]},
            ("93351", True, ("26",)),
        ),
    ],
)
def test_codes_and_modifiers_of_a_charge(code: dict[str, Any], expected: tuple[str, bool, tuple[str, ...]]) -> None:
    (line,) = case_of(charge(code=code)).lines
    assert (line.code, line.certain, line.modifiers) == expected


@pytest.mark.parametrize(
    ("modifiers", "expected"),
    [
        ([{"text": "JZ"}], ("JZ",)),
        ([{"text": "26, 59"}], ("26", "59")),
        ([{"coding": [{"code": "26,59"}]}], ("26", "59")),
        ([{"coding": [{"code": "26 59"}]}], ("26", "59")),
        ([{"coding": [{"code": "-26"}]}], ("26",)),
        ([{"coding": [{"code": "26", "display": "TC"}]}], ("26",)),
        ([{"text": "professional component"}], ()),
    ],
)
def test_modifiers_of_a_claim_in_every_form(modifiers: list[dict[str, Any]], expected: tuple[str, ...]) -> None:
    item = {"sequence": 1, "productOrService": {"coding": [{"system": CPT, "code": "93351"}]}, "modifier": modifiers}
    (line,) = case_of({"resourceType": "Claim", "id": "c", "status": "active", "item": [item]}).lines
    assert line.modifiers == expected


BILL_CODES = "https://fhir.example.org/tenant-1/CodeSystem/BillCodes"
CHARGE_MASTER = {"coding": [{"system": f"{BILL_CODES}-CDM_SCHED", "code": "64897"}]}


def nested(url: str, system: str, code: str) -> dict[str, Any]:
    """An extension of an extension, as Oracle Health puts billing codes and modifiers into a ChargeItem."""
    coded = {"url": "code", "valueCodeableConcept": {"coding": [{"system": f"{BILL_CODES}-{system}", "code": code}]}}
    return {"url": f"https://ehr.example.org/r4/StructureDefinition/{url}", "extension": [coded]}


def test_a_billing_code_in_a_nested_extension() -> None:
    extensions = [nested("procedure-code", "CPT", "93351"), nested("modifier-code", "MODIFIER", "26")]
    case = case_of(charge(code=CHARGE_MASTER, extension=extensions))
    (line,) = case.lines
    assert (line.code, line.certain, line.modifiers) == ("93351", True, ("26",))
    assert [*case.lines.matching(lambda concept: "93351" in concept.values("billing"))] == [line]
    assert not line.open, "a suggestion would leave the old code in the extension"


def test_only_a_code_in_an_extension_closes_a_charge_to_changes() -> None:
    modifier = {"url": "http://clinic.example/StructureDefinition/hcpcs-modifier", "valueCode": "JZ"}
    for code in ({"text": "93350"}, {"coding": [{"system": CPT, "code": "93350"}]}, CHARGE_MASTER):
        (line,) = case_of(charge(code=code, extension=[modifier])).lines
        assert line.open


def test_a_billing_code_of_the_charge_itself_comes_before_one_in_an_extension() -> None:
    own = {"coding": [{"system": CPT, "code": "93350"}]}
    (line,) = case_of(charge(code=own, extension=[nested("procedure-code", "CPT", "93351")])).lines
    assert line.code == "93350"


def test_a_modifier_in_an_extension() -> None:
    extension = {"url": "http://clinic.example/StructureDefinition/hcpcs-modifier", "valueCode": "JZ"}
    (line,) = case_of(charge(extension=[extension])).lines
    assert line.modifiers == ("JZ",)


@pytest.mark.parametrize("status", ["entered-in-error", "aborted", "not-billable"])
def test_charges_that_do_not_count(status: str) -> None:
    assert case_of(charge(status=status)).lines == ()


@pytest.mark.parametrize("members", [{"status": "cancelled"}, {"status": "entered-in-error"}])
def test_claims_that_do_not_count(members: dict[str, Any]) -> None:
    claim = {"resourceType": "Claim", "status": "active", "item": [{"sequence": 1}]} | members
    assert case_of(claim).lines == ()


def test_a_preauthorization_is_reported_and_not_taken_for_a_charge() -> None:
    parsed = read({"resourceType": "Claim", "status": "active", "use": "preauthorization", "item": [{"sequence": 1}]})
    assert parsed.case.lines == ()
    assert "preauthorization" in parsed.skipped[0].reason


def test_a_claim_in_full() -> None:
    claim = {
        "resourceType": "Claim",
        "id": "7",
        "status": "active",
        "use": "claim",
        "type": {"coding": [{"code": "professional"}]},
        "patient": {"reference": "Patient/p1"},
        "billablePeriod": {"start": "2026-03-02", "end": "2026-03-02"},
        "careTeam": [{"sequence": 4, "provider": {"reference": "Practitioner/a"}}],
        "procedure": [{"sequence": 2, "procedureReference": {"reference": "Procedure/x"}}],
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/1"}}],
        "item": [
            {
                "sequence": 1,
                "careTeamSequence": [4],
                "procedureSequence": [2],
                "productOrService": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "93351"}]},
                "modifier": [{"coding": [{"code": "26"}]}],
                "quantity": {"value": 1},
                "locationCodeableConcept": {"coding": [{"code": "22"}]},
                "detail": [
                    {
                        "sequence": 1,
                        "productOrService": {
                            "coding": [{"system": "urn:oid:2.16.840.1.113883.6.285", "code": "Q9957"}]
                        },
                    }
                ],
            }
        ],
    }
    item, detail = case_of(claim).lines
    assert (item.code, item.modifiers, item.units, item.day) == ("93351", ("26",), Decimal(1), date(2026, 3, 2))
    assert (item.claim_type, item.place_of_service, item.performers) == (
        "professional",
        "22",
        frozenset({"Practitioner/a"}),
    )
    assert (item.links, item.claim, item.coverages) == (frozenset({"Procedure/x"}), "Claim/7", ("Coverage/1",))
    assert (detail.code, detail.origin.reference, detail.origin.within) == (
        "Q9957",
        "Claim/7 item 1.1",
        "item[0].detail[0]",
    )


def test_a_claim_over_several_days_leaves_the_day_of_its_items_open() -> None:
    claim = {"resourceType": "Claim", "status": "active", "item": [{"sequence": 1}]}
    period = {"start": "2026-03-02", "end": "2026-03-05"}
    assert case_of(claim | {"billablePeriod": period}).lines[0].day is None


@pytest.mark.parametrize("period", [{"start": "2026-03-02"}, {"end": "2026-03-02"}])
def test_a_billable_period_with_one_end_is_of_that_day(period: dict[str, str]) -> None:
    concept = {"coding": [{"system": CPT, "code": "93351"}]}
    claim = {
        "resourceType": "Claim",
        "id": "c",
        "status": "active",
        "use": "claim",
        "patient": {"reference": "Patient/p1"},
        "billablePeriod": period,
        "item": [{"sequence": 1, "productOrService": concept}],
    }
    assert case_of(claim).lines[0].day == date(2026, 3, 2)
    of_item = claim | {"item": [{"sequence": 1, "productOrService": concept, "servicedDate": "2026-03-04"}]}
    assert case_of(of_item).lines[0].day == date(2026, 3, 4), "an item's own day comes first"


@pytest.mark.parametrize(
    ("dose", "expected"),
    [
        ({"value": 1.3, "unit": "mL"}, Decimal("1.3")),
        ({"value": 1.3, "code": "mL", "system": "http://unitsofmeasure.org"}, Decimal("1.3")),
        ({"value": 1300, "unit": "uL"}, Decimal("1.3")),
        ({"value": 1300, "unit": "µL"}, Decimal("1.3")),
        ({"value": 1300, "unit": "mcL"}, Decimal("1.3")),
        ({"value": 10, "unit": "ug"}, None),
        ({"value": 1}, None),
        (None, None),
        ({"value": 1.3, "unit": "milliliter (iso1000)"}, Decimal("1.3")),
        ({"value": 1.3, "unit": "mL."}, Decimal("1.3")),
        ({"value": 1.3, "unit": "cm3"}, Decimal("1.3")),
        ({"value": 1.3, "unit": "cm³"}, Decimal("1.3")),
        ({"value": 1.3, "unit": "Cubic Centimeters"}, Decimal("1.3")),
        ({"value": 1.3, "unit": "mL/dose"}, Decimal("1.3")),
        ({"value": 1.3, "unit": "mL of solution"}, Decimal("1.3")),
        ({"value": 1.3, "code": "mL{suspension}"}, Decimal("1.3")),
        ({"value": 0.0013, "unit": "L"}, Decimal("1.3")),
        ({"value": 1.3, "unit": "mL/min"}, None),
        ({"value": 1.3, "unit": "{dose}"}, None),
    ],
)
def test_doses(dose: dict[str, Any] | None, expected: Decimal | None) -> None:
    dosage = {"dosage": {"dose": dose}} if dose else {}
    given = administration(medicationCodeableConcept={"text": "Definity"}, **dosage)
    assert case_of(given).administrations[0].ml == expected


@pytest.mark.parametrize(
    ("dose", "expected"),
    [
        ({"value": 0.4, "unit": "mg"}, Decimal("0.4")),
        ({"value": 400, "code": "ug", "system": "http://unitsofmeasure.org"}, Decimal("0.4")),
        ({"value": 400, "unit": "mcg"}, Decimal("0.4")),
        ({"value": 0.25, "unit": "g"}, Decimal(250)),
        ({"value": 20, "unit": "mL"}, None),
        ({"value": 10, "unit": "mcg/kg/min"}, None),
        ({"value": 1}, None),
    ],
)
def test_a_dose_in_milligrams(dose: dict[str, Any], expected: Decimal | None) -> None:
    given = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": {"text": "dobutamine"},
        "dosage": {"dose": dose},
    }
    assert case_of(given).administrations[0].mg == expected


@pytest.mark.parametrize("what", [{}, {"medicationCodeableConcept": {}}, {"medicationCodeableConcept": {"coding": []}}])
def test_what_was_given_may_be_anything_where_that_is_not_said(what: dict[str, Any]) -> None:
    parsed = read(administration(**what))
    assert "medicationAdministrations" in parsed.case.unreadable_parts
    assert [each.reason for each in parsed.skipped] == [
        "MedicationAdministration.medication: expected a code, a text or a reference"
    ]


NDC_DEFINITY = {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "11994-011-04"}]}


@pytest.mark.parametrize(
    "extra",
    [
        ({"medicationCodeableConcept": NDC_DEFINITY}, None),
        (
            {
                "contained": [{"resourceType": "Medication", "id": "x", "code": NDC_DEFINITY}],
                "medicationReference": {"reference": "#x"},
            },
            None,
        ),
        (
            {"medicationReference": {"reference": "Medication/9"}},
            {"resourceType": "Medication", "id": "9", "code": NDC_DEFINITY},
        ),
        (
            {"medicationReference": {"reference": "https://ehr.example/fhir/Medication/9/_history/2"}},
            {"resourceType": "Medication", "id": "9", "code": NDC_DEFINITY},
        ),
        ({"medicationReference": {"reference": "urn:uuid:1"}}, {"resourceType": "Medication", "code": NDC_DEFINITY}),
    ],
)
def test_the_agent_is_found_wherever_it_stands(extra: tuple[dict[str, Any], dict[str, Any] | None]) -> None:
    members, medication = extra
    case = case_of(administration(**members), *([medication] if medication else []))
    assert case.administrations[0].concept.codes == (Code("ndc", "11994-011-04"),)


@pytest.mark.parametrize("written", ["11994-011-04", "11994-0011-04", "11994001104", "11994-011", "1199401104"])
def test_an_ndc_in_its_written_forms(written: str) -> None:
    assert ndc_matches(written, ["11994-0011"])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("11994-110-04", set()),
        ("11994-011-04", {"Q9957"}),
        ("11994-017-04", {"Q9957"}),
        ("0407-2707-03", {"Q9956"}),
        ("0407270703", {"Q9956"}),
        ("00407270703", {"Q9956"}),
        ("0270-7099-16", {"Q9950"}),
        ("1994-0011-04", set()),
        ("119940011", set()),
    ],
)
def test_a_package_s_number_names_its_product_in_every_way_of_writing(written: str, expected: set[str]) -> None:
    assert {product.code for product in PRODUCTS if ndc_matches(written, product.ndc)} == expected


@pytest.mark.parametrize("written", ["11994-012-04", "0407-2707-03", "11994-01x-04", "", "119940110", "1-2-3-4"])
def test_other_ndcs(written: str) -> None:
    assert not ndc_matches(written, ["11994-0011"])


def test_a_concept_that_is_gone_is_not_taken_for_the_next_at_its_place() -> None:
    """Contained resources are decoded on access and released afterwards."""
    resolver = Resolver({})
    words = [resolver.concept(CodeableConcept(text=str(number))).words for number in range(100)]
    assert words == [(str(number),) for number in range(100)]


def observation(identity: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": identity, "status": "final", "code": {"text": "ECG"}} | members


def test_what_is_near_a_day_is_of_it_or_of_no_day_or_points_at_something() -> None:
    case = case_of(
        observation("today", effectiveDateTime="2026-03-17T23:30:00-06:00"),
        observation("another day", effectiveDateTime="2026-03-18"),
        observation("no day"),
        observation("points", effectiveDateTime="2026-03-18", partOf=[{"reference": "Procedure/1"}]),
    )
    for records in (case.observations, Records(tuple(case.observations))):
        near = [each.identity.partition("/")[2] for each in records.candidates_on(frozenset({date(2026, 3, 17)}))]
        assert near == ["today", "no day", "points"]


def test_no_agent_in_an_ordinary_drug() -> None:
    concept = case_of(administration(medicationCodeableConcept={"text": "dobutamine"})).administrations[0].concept
    assert agent_in(concept) is None


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"resourceType": "Procedure", "status": "finished by John Smith"}, "expected a code that FHIR R4 allows here"),
        ({"resourceType": "Procedure"}, "missing required field `status`"),
        ({"resourceType": "ChargeItem", "status": "billable", "code": "93350"}, "Expected `object"),
        ({"resourceType": "Rumour"}, "not a resource type of FHIR R4"),
        ({"id": "1"}, "expected a FHIR resource"),
        ([1], "expected a FHIR resource"),
        (charge(quantity={"value": 1e300}), "quantity: expected a number from 0"),
        (charge(quantity={"value": -1}), "quantity: expected a number from 0"),
        (charge(subject={"reference": "Patient/other"}), "a different patient"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_reported(resource: Any, reason: str) -> None:
    parsed = read(resource, charge(id="good"))
    assert [line.identity for line in parsed.case.lines] == ["ChargeItem/good"]
    assert [(each.path, reason in each.reason) for each in parsed.skipped] == [("entry[0]", True)]
    assert "John Smith" not in parsed.skipped[0].reason


def test_types_that_are_not_needed_are_passed_over_in_silence() -> None:
    assert read({"resourceType": "NutritionOrder", "id": "1"}).skipped == ()


def test_what_comes_twice_counts_once() -> None:
    assert len(case_of(charge(), charge()).lines) == 1


def test_two_of_one_id_that_cannot_be_compared_differ() -> None:
    parsed = read(charge(quantity={"value": "sNaN"}), charge(quantity={"value": "sNaN"}))
    assert len(parsed.case.lines) == 0
    assert {each.path for each in parsed.skipped} == {"entry[0]", "entry[1]"}


def test_odd_dates_of_many_lines_are_named_once() -> None:
    lines = [{"sequence": number, "servicedDate": "today"} for number in range(1, 30)]
    claim = {"resourceType": "Claim", "id": "c", "status": "active", "item": lines}
    (skipped,) = read(claim).skipped
    assert skipped.reason == "Claim.item.servicedDate: expected a date such as 2026-03-17"


@pytest.mark.parametrize("moment", ["2026-03-17\n2026-03-18", "2026-03-17T10:00\n"])
def test_a_date_with_a_line_break_is_none(moment: str) -> None:
    (skipped,) = read(charge(occurrenceDateTime=moment), charge(id="good", occurrenceDateTime="2026-03-17")).skipped
    assert skipped.path == "entry[0]"


def corpus_resources() -> list[bytes]:
    corpus = Path(os.environ["CORPUS_DIR"])
    single = [path.read_bytes() for path in sorted((corpus / "hl7-r4-examples").glob("*.json"))]
    return single + (corpus / "synthea-echo.ndjson").read_bytes().splitlines()


@pytest.mark.skipif("CORPUS_DIR" not in os.environ, reason="CORPUS_DIR names no corpus of FHIR resources")
def test_every_resource_of_the_corpus_is_read_or_not_needed() -> None:
    resources = [SourceResource(f"corpus[{i}]", msgspec.Raw(raw)) for i, raw in enumerate(corpus_resources())]
    parsed = read_case(resources, stage="claim")
    assert len(resources) > 300
    assert sorted(each.reason for each in parsed.skipped) == [
        "Account is not read; its charges were not reviewed",
        "ClaimResponse is not read; its charges were not reviewed",
        "Invoice is not read; its charges were not reviewed",
        "a preauthorization is not a claim for payment; not reviewed",
    ]
    assert parsed.case.lines
    assert parsed.case.procedures


NUBC = "https://www.nubc.org/CodeSystem/TypeOfBill"


@pytest.mark.parametrize(
    ("codings", "expected"),
    [
        ([(NUBC, "0131")], "13"),
        ([(NUBC, "131")], "13"),
        ([("urn:other", "0851"), (NUBC, "0131")], "13"),
        ([("urn:other", "0131")], None),
        ([(NUBC, "0131"), (NUBC, "0851")], None),
        ([(NUBC, "0031")], None),
    ],
)
def test_the_type_of_bill_is_read_from_its_own_system(codings: list[tuple[str, str]], expected: str | None) -> None:
    info = [{"code": {"coding": [{"system": system, "code": code}]}} for system, code in codings]
    claim = {"resourceType": "Claim", "id": "7", "status": "active", "supportingInfo": info}
    claim |= {"item": [{"sequence": 1, "productOrService": {"coding": [{"system": CPT, "code": "93350"}]}}]}
    (line,) = case_of(claim).lines
    assert line.bill_type == expected


def test_details_without_a_number_are_counted() -> None:
    code = {"productOrService": {"coding": [{"system": CPT, "code": "93350"}]}}
    details = [{**code, "subDetail": [code, {**code, "sequence": 9}]}, {**code, "sequence": 5, "subDetail": [code]}]
    claim = {"resourceType": "Claim", "id": "7", "status": "active", "item": [{**code, "detail": details}]}
    ends = ["1", "1.1", "1.1.1", "1.1.9", "1.5", "1.5.1"]
    assert [line.origin.reference for line in case_of(claim).lines] == [f"Claim/7 item {end}" for end in ends]


@pytest.mark.parametrize(("start", "end", "faulty"), [("2026-03-17", "today", "end"), ("today", "2026-03-17", "start")])
def test_of_a_period_the_faulty_end_is_named(start: str, end: str, faulty: str) -> None:
    (skipped,) = read(charge(occurrencePeriod={"start": start, "end": end})).skipped
    assert skipped.reason == f"ChargeItem.occurrencePeriod.{faulty}: expected a date such as 2026-03-17"
