"""The mapping of 837 loops to FHIR: patient, payers, bill type, place, providers, dates, lines, drugs, diagnoses."""

import json
from decimal import Decimal
from functools import partial
from io import BytesIO
from typing import Any

import pytest

from cds_service.fhir.validate import faults_in
from cds_service.intake.x12.bundle import bundle_of, claim_id, named_resources, places_of
from cds_service.intake.x12.claim import Claim
from cds_service.intake.x12.file_loops import read_claims, survey
from cds_service.review.advisor import Advisor
from cds_service.review.claim_files import ReviewedClaim, review_claims
from hooks.coding.setting_and_payer import payer_of
from tests.support.edi import EdiClaim, EdiLine, Segments, changed, edi, line, lines, recounted

STRESS = lines("93351, Q9957x2-JZ")


def claims_of(content: bytes) -> list[Claim]:
    open_file = partial(BytesIO, content)
    found = list(read_claims(open_file, survey(open_file)))
    assert found
    assert all(isinstance(each, Claim) for each in found), found
    return [each for each in found if isinstance(each, Claim)]


def claim_of(claim: EdiClaim) -> Claim:
    (found,) = claims_of(edi(claim))
    return found


def resources(claim: EdiClaim | Claim) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in bundle_of(claim if isinstance(claim, Claim) else claim_of(claim))["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def fhir(claim: EdiClaim) -> dict[str, Any]:
    (found,) = resources(claim)["Claim"]
    return found


def code_in(concept: dict[str, Any]) -> str:
    (coding,) = concept["coding"]
    return str(coding["code"])


def payer(advisor: Advisor, claim: EdiClaim) -> str:
    (reviewed,) = review_claims(advisor, partial(BytesIO, edi(claim)))
    assert isinstance(reviewed, ReviewedClaim)
    assert reviewed.answer
    case = reviewed.answer.parsed.case
    return payer_of(case, tuple(case.lines))


# --- patient and payers ---------------------------------------------------------------------------------------------


def test_nothing_of_a_patient_is_in_the_bundle_but_a_digest() -> None:
    text = json.dumps(bundle_of(claim_of(EdiClaim(lines=STRESS, dependent="KIM"))))
    for value in ("TEST", "PAT", "KIM", "MAIN ST", "1950", "2010", "1EG4TE5MK73"):
        assert value not in text.replace("Patient", "")


def test_a_patient_is_the_same_on_all_claims_and_no_other() -> None:
    one = claim_of(EdiClaim("A", STRESS)).patient
    assert (
        claim_of(EdiClaim("B", STRESS, kind="institutional", facility="13", payer="ANOTHER", filing="CI")).patient
        == one
    )
    assert claim_of(EdiClaim("A", STRESS, member="2EG4TE5MK73")).patient != one
    assert claim_of(EdiClaim("A", STRESS, born="19510101")).patient != one
    assert claim_of(EdiClaim("A", STRESS, dependent="KIM")).patient not in {
        one,
        claim_of(EdiClaim("A", STRESS, dependent="LEE")).patient,
    }


@pytest.mark.parametrize(
    ("filing", "name", "expected"),
    [
        ("MA", "MEDICARE", "medicare"),
        ("MB", "NORIDIAN", "medicare"),
        ("16", "HUMANA GOLD", "unknown"),
        ("16", "MEDICARE", "unknown"),
        ("CI", "AETNA", "other"),
        ("MC", "STATE MEDICAID", "other"),
        ("BL", "BLUE CROSS", "other"),
        ("HM", "AETNA MEDICARE", "unknown"),
        ("CI", "UHC MEDICARE SOLUTIONS", "unknown"),
        ("ZZ", "MEDICARE", "medicare"),
        ("", "MEDICARE PART B", "medicare"),
        ("", "NOVITAS", "unknown"),
        ("", "", "unknown"),
        ("ZZ", "AETNA", "other"),
    ],
)
def test_the_payer_follows_from_the_claim_filing_code(
    plain_advisor: Advisor, filing: str, name: str, expected: str
) -> None:
    assert payer(plain_advisor, EdiClaim(lines=STRESS, filing=filing, payer=name)) == expected


def test_the_claim_goes_to_the_payer_of_its_subscriber_and_names_others(plain_advisor: Advisor) -> None:
    second = EdiClaim(lines=STRESS, order="S", others=[("P", "CI", "AETNA"), ("T", "MC", "STATE MEDICAID")])
    assert payer(plain_advisor, second) == "medicare"
    coverages = resources(second)["Coverage"]
    assert [each["order"] for each in coverages] == [2, 1, 3]
    assert [each["payor"][0]["display"] for each in coverages] == ["MEDICARE", "AETNA", "STATE MEDICAID"]
    assert [each["focal"] for each in fhir(second)["insurance"]] == [True, False, False]
    assert (
        payer(plain_advisor, EdiClaim(lines=STRESS, filing="CI", payer="AETNA", others=[("S", "MB", "MEDICARE")]))
        == "other"
    )


# --- the claim ------------------------------------------------------------------------------------------------------


def test_the_type_of_bill_and_the_place_of_service() -> None:
    hospital = EdiClaim(lines=STRESS, kind="institutional", facility="85", frequency="7")
    (info,) = fhir(hospital)["supportingInfo"]
    assert code_in(info["code"]) == "0857"
    assert fhir(hospital)["item"]
    assert all("locationCodeableConcept" not in item for item in fhir(hospital)["item"])
    office = EdiClaim(lines=(line("93351"), line("Q9957x2", place="19")), facility="22")
    assert [code_in(item["locationCodeableConcept"]) for item in fhir(office)["item"]] == ["22", "19"]
    assert "supportingInfo" not in fhir(office)


def test_frequency_replaces_and_voids() -> None:
    replacing = fhir(EdiClaim(lines=STRESS, frequency="7", replaces="ICN1"))
    assert (replacing["status"], replacing["related"][0]["reference"]["value"]) == ("active", "ICN1")
    assert fhir(EdiClaim(lines=STRESS, frequency="8", replaces="ICN1"))["status"] == "cancelled"
    assert fhir(EdiClaim(lines=STRESS))["status"] == "active"


def test_versions_of_a_claim_have_one_id_and_a_moment() -> None:
    one = fhir(EdiClaim("A/1 B", STRESS))
    assert one["id"] == fhir(EdiClaim("A/1 B", STRESS, frequency="7"))["id"]
    assert one["id"] != fhir(EdiClaim("A-1-B", STRESS))["id"]
    assert one["id"] != fhir(EdiClaim("A/1 B", STRESS, kind="institutional", facility="13"))["id"]
    assert one["meta"]["lastUpdated"] == "2026-03-10T10:00:00.000018Z"
    assert fhir(EdiClaim("ECHO1", STRESS))["id"] == "ECHO1-P-20260302"
    assert len(fhir(EdiClaim("X" * 90, STRESS))["id"]) <= 64


def test_rendering_providers_by_claim_and_by_line() -> None:
    own = EdiClaim(
        lines=(line("93351-26"), line("93018", rendering="1000000002")), rendering="1000000001", facility="22"
    )
    members = {each["sequence"]: each["provider"]["reference"] for each in fhir(own)["careTeam"]}
    named = [members[item["careTeamSequence"][0]] for item in fhir(own)["item"]]
    assert named == ["Practitioner/1000000001", "Practitioner/1000000002"]
    assert fhir(own)["provider"]["reference"] == "Organization/1999999976"
    assert {(each["resourceType"], each["id"]) for each in named_resources(claim_of(own))} == {
        ("Organization", "1999999976"),
        ("Practitioner", "1000000001"),
        ("Practitioner", "1000000002"),
    }


def test_providers_of_other_payers_and_other_roles_render_nothing() -> None:
    def change(segments: Segments) -> None:
        at = next(number for number, each in enumerate(segments) if each[0] == "LX")
        segments[at:at] = [["NM1", "82", "1"], ["REF", "G2", "12345"]]
        first = next(number for number, each in enumerate(segments) if each[0] == "HI")
        segments.insert(first + 1, ["NM1", "DN", "1", "REFERRER", "ANN", "", "", "", "XX", "1000000009"])
        recounted(segments)

    (found,) = claims_of(changed(edi(EdiClaim(lines=STRESS, others=[("S", "CI", "X")])), change))
    assert found.rendering is None
    assert found.lines
    assert all(each.rendering is None for each in found.lines)


@pytest.mark.parametrize(("until", "expected"), [("", None), ("20260302", None), ("20260304", "2026-03-04")])
def test_single_days_and_periods(until: str, expected: str | None) -> None:
    (item,) = fhir(EdiClaim(lines=(line("93351", until=until),)))["item"]
    if expected is None:
        assert item["servicedDate"] == "2026-03-02"
    else:
        assert item["servicedPeriod"] == {"start": "2026-03-02", "end": expected}


def test_a_line_without_a_day_takes_that_of_a_statement_of_one_day(plain_advisor: Advisor) -> None:
    def days(statement: str) -> list[str]:
        undated = EdiClaim(lines=(line("93350", day=""),), kind="institutional", facility="13", statement=statement)
        (reviewed,) = review_claims(plain_advisor, partial(BytesIO, edi(undated)))
        assert isinstance(reviewed, ReviewedClaim)
        assert reviewed.answer
        return [str(each.day) for each in reviewed.answer.parsed.case.lines]

    assert days("20260305-20260305") == ["2026-03-05"]
    assert days("20260305-20260307") == ["None"]


# --- lines ----------------------------------------------------------------------------------------------------------


def test_qualifiers_modifiers_and_revenue_codes() -> None:
    hospital = EdiClaim(
        kind="institutional",
        facility="13",
        lines=(
            line("93350-59-TC"),
            EdiLine("", revenue="0250"),
            EdiLine("AA001", qualifier="HP"),
        ),
    )
    stress, pharmacy, other = fhir(hospital)["item"]
    assert stress["productOrService"]["coding"] == [{"system": "http://www.ama-assn.org/go/cpt", "code": "93350"}]
    assert [code_in(each) for each in stress["modifier"]] == ["59", "TC"]
    assert code_in(stress["revenue"]) == "0483"
    assert code_in(pharmacy["productOrService"]) == "not-applicable"
    assert other["productOrService"]["coding"][0]["system"] == "urn:x12:code-list-qualifier:HP"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("UN", {"value": 2}),
        ("MJ", {"value": 2, "unit": "min", "system": "http://unitsofmeasure.org", "code": "min"}),
        ("F2", {"value": 2, "unit": "[iU]", "system": "http://unitsofmeasure.org", "code": "[iU]"}),
        ("ZZ", {"value": 2, "unit": "ZZ"}),
    ],
)
def test_units_of_measure(plain_advisor: Advisor, unit: str, expected: dict[str, Any]) -> None:
    claim = EdiClaim(lines=(line("Q9957x2", unit=unit),))
    assert fhir(claim)["item"][0]["quantity"] == expected
    (reviewed,) = review_claims(plain_advisor, partial(BytesIO, edi(claim)))
    assert isinstance(reviewed, ReviewedClaim)
    assert reviewed.answer
    (found,) = reviewed.answer.parsed.case.lines
    assert (found.units, found.units_unclear) == (Decimal(2), unit != "UN")


def test_a_drug_is_what_is_billed_and_never_an_administration() -> None:
    drug = EdiClaim(
        lines=(line("93351"), line("Q9957x2", products=[("11994001104", "1.5"), ("11994001116", "2", "UN")]))
    )
    found = resources(drug)
    assert found.keys() == {"Patient", "Coverage", "Claim"}
    (first, second) = found["Claim"][0]["item"][1]["detail"]
    assert first["productOrService"]["coding"] == [{"system": "http://hl7.org/fhir/sid/ndc", "code": "11994001104"}]
    assert (first["quantity"]["value"], first["quantity"]["unit"]) == (Decimal("1.5"), "mL")
    assert second["quantity"] == {"value": 2}
    claim = claim_of(drug)
    places = places_of(claim)
    assert places["Bundle.entry[2].resource.item[1]"] == "ST*0201 segment 24 (SV1)"
    assert places["Bundle.entry[2].resource.item[1].detail[0]"] == "ST*0201 segment 26 (LIN)"
    assert places["Bundle.entry[2].resource.item[1].detail[1]"] == "ST*0201 segment 28 (LIN)"
    assert places["Bundle.entry[1].resource"] == "ST*0201 segment 12 (SBR)"
    assert claim.lines[1].last == 29


def test_diagnoses_and_pointers() -> None:
    claim = fhir(EdiClaim(lines=(line("93351", pointers=(2, 1)),), diagnoses=("R0789", "I10", "E119")))
    assert [code_in(each["diagnosisCodeableConcept"]) for each in claim["diagnosis"]] == ["R07.89", "I10", "E11.9"]
    assert claim["item"][0]["diagnosisSequence"] == [2, 1]


def test_diagnoses_of_admission_and_of_icd_9_follow_those_that_lines_name() -> None:
    def change(segments: Segments) -> None:
        at = next(number for number, each in enumerate(segments) if each[0] == "HI")
        segments.insert(at, ["HI", "ABJ:R079", "APR:R079"])
        segments.insert(at, ["HI", "BH:11:D8:20260301"])
        segments.append(segments.pop())
        recounted(segments)

    hospital = EdiClaim(lines=STRESS, kind="institutional", facility="13", diagnoses=("R0789", "I10"))
    (found,) = claims_of(changed(edi(hospital), change))
    (claim,) = resources(found)["Claim"]
    assert [code_in(each["diagnosisCodeableConcept"]) for each in claim["diagnosis"]] == [
        "R07.89",
        "I10",
        "R07.9",
        "R07.9",
    ]
    old = changed(
        edi(EdiClaim(lines=STRESS)),
        lambda segments: next(x for x in segments if x[0] == "HI").__setitem__(1, "BK:4280"),
    )
    (claim,) = resources(claims_of(old)[0])["Claim"]
    assert claim["diagnosis"][0]["diagnosisCodeableConcept"]["coding"] == [
        {"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": "4280"}
    ]


def test_a_total_that_does_not_fit_is_noted() -> None:
    assert claim_of(EdiClaim(lines=STRESS, total="300")).notes == [
        "CLM02: not the sum of the charges of its lines; a line may be missing"
    ]
    assert claim_of(EdiClaim(lines=STRESS, total="200.00")).notes == []


# --- strictly valid FHIR ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        EdiClaim(lines=STRESS, rendering="1000000001", others=[("S", "CI", "AETNA")]),
        EdiClaim(
            lines=(line("Q9957x2", products=[("11994001104", "1.5")], unit="MJ", until="20260304"),), dependent="KIM"
        ),
        EdiClaim(
            lines=(EdiLine("", revenue="0250"),), kind="institutional", facility="13", frequency="7", replaces="X"
        ),
        EdiClaim("A/1", lines=STRESS, frequency="8", filing="", payer="PLAN"),
    ],
)
def test_bundles_are_valid(claim: EdiClaim) -> None:
    assert list(faults_in(json.dumps(bundle_of(claim_of(claim)), default=float).encode())) == []


def test_claims_of_a_large_file_come_one_by_one() -> None:
    every = [EdiClaim(f"C{number}", lines("93350"), member=f"M{number}") for number in range(3000)]
    found = claims_of(edi(*every))
    assert [each.number for each in found] == [each.number for each in every]
    assert len({each.patient for each in found}) == 3000
    assert len({claim_id(each) for each in found}) == 3000
