"""Explanations of benefits as billed claims: lines counted once and closed to changes; charges that are not read."""

import itertools
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.core.case import Case, Line
from cds_service.core.concepts import Code, Concept
from cds_service.errors import BadRequest
from cds_service.fhir.read import ParsedCase, read_case
from cds_service.fhir.salvage import codes_in
from cds_service.fhir.sources import SourceResource, prefetch_key_of
from cds_service.review.advisor import Advisor
from cds_service.review.report import report_of
from hooks.coding.understood import is_charge_understood

CPT = "http://www.ama-assn.org/go/cpt"
BLUE_BUTTON = "https://bluebutton.cms.gov/resources/variables"
CLAIM_TYPE = "http://terminology.hl7.org/CodeSystem/claim-type"


def claim(kind: str = "ExplanationOfBenefit", *codes: str, **members: Any) -> dict[str, Any]:
    items = [
        {
            "sequence": number,
            "productOrService": {"coding": [{"system": CPT, "code": code}]},
            "servicedDate": "2026-03-02",
            "quantity": {"value": 1},
        }
        for number, code in enumerate(codes or ("93351",), 1)
    ]
    return {
        "resourceType": kind,
        "id": "b1",
        "status": "active",
        "use": "claim",
        "type": {"coding": [{"system": CLAIM_TYPE, "code": "professional"}]},
        "patient": {"reference": "Patient/p1"},
        "item": items,
    } | members


def eob(*codes: str, **members: Any) -> dict[str, Any]:
    return claim("ExplanationOfBenefit", *codes, **members)


def read(*resources: Any, reviewed: int = 100) -> ParsedCase:
    sources = [
        SourceResource(f"entry[{i}]", msgspec.Raw(json.dumps(each).encode()), under_review=i < reviewed)
        for i, each in enumerate(resources)
    ]
    return read_case(sources, stage="claim", patient_id="p1")


def case_of(*resources: Any) -> Case:
    parsed = read(*resources)
    assert parsed.skipped == ()
    return parsed.case


def counted(*resources: Any, reviewed: int = 100) -> list[str]:
    """The lines that count, each with its resource."""
    return sorted(f"{line.claim} {line.code}" for line in read(*resources, reviewed=reviewed).case.lines)


def the_line(**members: Any) -> Line:
    (line,) = case_of(eob(item=[{"sequence": 1} | members])).lines
    return line


def test_an_explanation_of_benefits_is_read_as_the_claim_that_it_explains() -> None:
    members: dict[str, Any] = {
        "careTeam": [{"sequence": 1, "provider": {"reference": "Practitioner/d1"}}],
        "insurance": [{"focal": True, "coverage": {"reference": "Coverage/c1"}}],
    }
    item = {
        "sequence": 1,
        "careTeamSequence": [1],
        "productOrService": {"coding": [{"system": CPT, "code": "93351"}]},
        "modifier": [{"coding": [{"code": "26"}]}],
        "servicedPeriod": {"start": "2026-03-02", "end": "2026-03-02"},
        "locationCodeableConcept": {"coding": [{"code": "22"}]},
        "quantity": {"value": 1},
        "detail": [
            {
                "sequence": 1,
                "productOrService": {"coding": [{"system": CPT, "code": "93352"}]},
                "subDetail": [{"sequence": 1, "productOrService": {"coding": [{"system": CPT, "code": "93325"}]}}],
            }
        ],
    }
    as_eob, as_claim = (
        case_of(claim(kind, item=[item], **members)).lines for kind in ("ExplanationOfBenefit", "Claim")
    )
    assert as_eob
    for mine, other in zip(as_eob, as_claim, strict=True):
        for name in ("code", "modifiers", "units", "day", "performers", "place_of_service", "claim_type", "coverages"):
            assert getattr(mine, name) == getattr(other, name)
        assert (mine.open, other.open) == (False, True)
    assert [line.code for line in as_eob] == ["93351", "93352", "93325"]


@pytest.mark.parametrize("status", ["cancelled", "draft", "entered-in-error"])
def test_only_an_active_explanation_counts(status: str) -> None:
    assert case_of(eob(status=status)).lines == ()


def test_a_preauthorization_is_no_bill() -> None:
    parsed = read(eob(use="preauthorization"))
    assert parsed.case.lines == ()
    assert [each.reason for each in parsed.skipped] == ["a preauthorization is not a claim for payment; not reviewed"]


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (CLAIM_TYPE, "professional", "professional"),
        (CLAIM_TYPE, "institutional", "institutional"),
        (CLAIM_TYPE, "pharmacy", "unknown"),
        (f"{BLUE_BUTTON}/nch_clm_type_cd", "71", "professional"),
        (f"{BLUE_BUTTON}/nch_clm_type_cd", "40", "institutional"),
        ("https://bluebutton.cms.gov/fhir/CodeSystem/CLM-TYPE-CD", "72", "professional"),
        ("https://bluebutton.cms.gov/resources/codesystem/eob-type", "CARRIER", "professional"),
        ("https://bluebutton.cms.gov/fhir/CodeSystem/EOB-TYPE", "OUTPATIENT", "institutional"),
        ("https://payer.example/types", "40", "unknown"),
    ],
)
def test_claim_types_of_hl7_and_cms(system: str, code: str, expected: str) -> None:
    (line,) = case_of(eob(type={"coding": [{"system": system, "code": code}]})).lines
    assert line.claim_type == expected


def test_the_ndc_of_a_line_may_stand_in_an_extension_of_its_code() -> None:
    ndc = "http://hl7.org/fhir/sid/ndc"
    product = {
        "extension": [{"url": ndc, "valueCoding": {"system": ndc, "code": "11994001104"}}],
        "coding": [{"system": CPT, "code": "Q9957"}],
    }
    line = the_line(productOrService=product)
    assert (line.code, line.concept.codes[-1]) == ("Q9957", Code("ndc", "11994001104"))


@pytest.mark.parametrize(
    "system",
    [
        "http://terminology.hl7.org/CodeSystem/data-absent-reason",
        "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
        "http://hl7.org/fhir/v3/NullFlavor",
        "urn:oid:2.16.840.1.113883.5.1008",
    ],
)
def test_a_code_for_a_missing_value_says_nothing(system: str) -> None:
    absent = {"coding": [{"system": system, "code": "not-applicable", "display": "Not Applicable"}]}
    revenue = the_line(productOrService=absent, revenue={"coding": [{"code": "0250"}]})
    assert revenue.concept == Concept((Code("revenue", "0250"),))
    case = Case(stage="claim")
    assert is_charge_understood(revenue, case)
    for other in (the_line(productOrService=absent), the_line(productOrService=absent | {"text": "Echo contrast"})):
        assert not is_charge_understood(other, case)


@pytest.mark.parametrize(
    ("period", "day"),
    [
        ({"end": "2026-03-02"}, date(2026, 3, 2)),
        ({"start": "2026-03-01", "end": "2026-03-02"}, date(2026, 3, 1)),
        ({}, None),
    ],
)
def test_a_period_with_an_end_only_is_of_that_day(period: dict[str, str], day: date | None) -> None:
    assert the_line(servicedPeriod=period).day == day


def test_who_referred_the_patient_did_not_perform_the_study() -> None:
    team = [
        {"sequence": number, "provider": {"reference": f"Practitioner/d{number}"}, "role": {"coding": [{"code": role}]}}
        for number, role in enumerate(("referring", "rendering"), 1)
    ]
    (line,) = case_of(eob(careTeam=team, item=[{"sequence": 1, "careTeamSequence": [1, 2]}])).lines
    assert line.performers == {"Practitioner/d2"}


# --- counted once ---------------------------------------------------------------------------------------------------

NUMBER = {"system": "https://payer.example/claims", "value": "77"}
GROUP = {"system": "https://bluebutton.cms.gov/resources/identifier/claim-group", "value": "900"}


def related(relationship: str, **target: Any) -> list[dict[str, Any]]:
    return [{"relationship": {"coding": [{"code": relationship}]}} | target]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (claim("Claim", id="c1"), eob(claim={"reference": "Claim/c1"}), ["Claim/c1 93351"]),
        (claim("Claim", id="c1", identifier=[NUMBER]), eob(identifier=[NUMBER]), ["Claim/c1 93351"]),
        (claim("Claim", id="c1", identifier=[NUMBER]), eob(claim={"identifier": NUMBER}), ["Claim/c1 93351"]),
        # One number may be used by a hospital and a physician.
        (eob(id="b0", identifier=[NUMBER]), eob(identifier=[NUMBER], type={"coding": [{"code": "institutional"}]}),
         both := ["ExplanationOfBenefit/b0 93351", "ExplanationOfBenefit/b1 93351"]),
        # CMS's claim group is shared by a claim and its adjustments.
        (eob(id="b0", identifier=[GROUP]), eob(identifier=[GROUP]), both[1:]),
        (eob(id="b0", created="2026-05-09", identifier=[GROUP]), eob(created="2026-04-09", identifier=[GROUP]),
         both[:1]),
        (eob(id="b0", status="cancelled", identifier=[GROUP]), eob(identifier=[GROUP]), both[1:]),
        (claim("Claim", id="c1", status="cancelled"), eob(claim={"reference": "Claim/c1"}), both[1:]),
        (eob(id="b0", created="2026-03-09", identifier=[NUMBER]), eob(created="2026-04-09", identifier=[NUMBER]),
         both[1:]),
        (eob(id="b0"), eob(related=related("prior", claim={"reference": "ExplanationOfBenefit/b0"})), both[1:]),
        (eob(id="b0", claim={"reference": "Claim/x"}), eob(related=related("prior", claim={"reference": "Claim/x"})),
         both[1:]),
        (eob(id="b0", identifier=[NUMBER]), eob(related=related("prior", reference=NUMBER)), both[1:]),
        (eob(id="b0", related=related("replacedby", reference=NUMBER)), eob(identifier=[NUMBER]), both[1:]),
        (eob(id="b0", identifier=[NUMBER]), eob(related=related("associated", reference=NUMBER)), both),
        (claim("Claim", id="c1"), claim("Claim", id="c2", related=related("prior", claim={"reference": "Claim/c1"})),
         ["Claim/c2 93351"]),
        (claim("Claim", id="c1", identifier=[NUMBER]), claim("Claim", id="c2", identifier=[NUMBER]),
         ["Claim/c1 93351", "Claim/c2 93351"]),
    ],
)  # fmt: skip
def test_a_service_is_counted_once(one: Any, other: Any, expected: list[str]) -> None:
    for order in itertools.permutations((one, other)):
        assert counted(*order) == expected


def over(start: str | None, end: str | None, **members: Any) -> dict[str, Any]:
    """An explanation of a line over some days, or without days."""
    period = {name: each for name, each in (("start", start), ("end", end)) if each}
    item = {name: each for name, each in eob()["item"][0].items() if name != "servicedDate"}
    return eob(item=[item | ({"servicedPeriod": period} if period else {})], **members)


INSTITUTIONAL = {"coding": [{"system": CLAIM_TYPE, "code": "institutional"}]}


@pytest.mark.parametrize(
    ("explained", "counts"),
    [
        (eob(), False),
        (eob("93351", "93352"), False),
        (eob(type={"text": "carrier"}), False),
        (eob(claim={"reference": "Claim/elsewhere"}), False),
        (eob(type=INSTITUTIONAL), True),
        (eob("93352"), True),
        (eob(item=[eob()["item"][0] | {"servicedDate": "2026-03-03"}]), True),
        (eob(patient={"reference": "Patient/p2"}), False),
        (over("2026-03-01", "2026-03-02"), False),
        (over("2026-03-02", "2026-03-05"), False),
        (over("2026-03-01", "2026-03-05"), False),
        (over("2026-02-20", "2026-03-01"), True),
        (over("2026-03-03", "2026-03-05"), True),
        (over(None, "2026-03-02"), False),
        (over(None, "2026-03-01"), True),
        (over("2026-03-03", None), True),
        (over(None, None, billablePeriod={"start": "2026-03-01", "end": "2026-03-02"}), False),
        (over(None, None, billablePeriod={"start": "2026-02-20", "end": "2026-03-01"}), True),
        (over(None, None, billablePeriod={"start": "2026-03-03"}), True),
        (over(None, None, billablePeriod={"end": "2026-03-01"}), True),
        (over(None, None), False),
    ],
)
def test_an_explanation_without_a_link_is_not_counted_beside_a_claim_of_its_type_code_and_day(
    explained: Any, counts: bool
) -> None:
    of_claim = claim("Claim", id="c1")
    for order in itertools.permutations((of_claim, explained)):
        found = counted(*order)
        assert "Claim/c1 93351" in found
        assert any(each.startswith("ExplanationOfBenefit") for each in found) == counts


def test_the_further_codes_of_such_an_explanation_may_be_charged() -> None:
    parsed = read(claim("Claim", id="c1"), eob("93351", "93352"))
    assert parsed.case.unreadable_codes == {"93352"}
    assert [(each.path, each.reason.partition(";")[2]) for each in parsed.skipped] == [("entry[1]", " counted once")]


def test_an_explanation_under_review_stands_for_a_claim_of_the_record() -> None:
    assert counted(eob(), claim("Claim", id="c1"), reviewed=1) == ["ExplanationOfBenefit/b1 93351"]


def test_a_claim_of_another_patient_does_not_leave_out_an_explanation() -> None:
    other = claim("Claim", id="c1", patient={"reference": "Patient/p2"})
    assert counted(other, eob()) == ["ExplanationOfBenefit/b1 93351"]


def test_a_claim_whose_replacement_is_not_here_counts() -> None:
    assert counted(eob(related=related("replacedby", reference=NUMBER))) == ["ExplanationOfBenefit/b1 93351"]


def test_the_resource_under_review_stands_for_its_claim() -> None:
    explained = eob(claim={"reference": "Claim/c1"})
    assert counted(explained, claim("Claim", id="c1"), reviewed=1) == ["ExplanationOfBenefit/b1 93351"]


# --- reviewed, without changes --------------------------------------------------------------------------------------


def review(advisor: Advisor, *resources: Any) -> Any:
    body = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}
    return report_of(advisor.review_bundle(json.dumps(body).encode()))


def test_a_fault_on_an_explanation_is_found_and_no_change_is_suggested(advisor: Advisor) -> None:
    billed = eob("93351", "93352", "93352")
    found = {each.rule: each for each in review(advisor, billed).findings}
    assert "add-on-repeated" in found
    same = {each.rule for each in review(advisor, billed | {"resourceType": "Claim"}).findings}
    assert set(found) == same
    assert [fix.actions for each in found.values() for fix in each.fixes if fix.actions] == []


def test_explanations_are_charges_of_the_record() -> None:
    raw = msgspec.Raw(json.dumps(eob(status="Smith")).encode())
    assert prefetch_key_of(SourceResource("here", raw)) == "chargeItems"
    assert codes_in([raw], "claim") >= {"93351"}, "charged, though it cannot be read"


# --- not read -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Account", "ClaimResponse", "Invoice", "PaymentReconciliation"])
def test_charges_that_are_not_read_are_reported_once(kind: str) -> None:
    parsed = read({"resourceType": kind, "id": "1"}, {"resourceType": kind, "id": "2"}, eob())
    assert [each.reason for each in parsed.skipped] == [f"{kind} is not read; its charges were not reviewed"]


def test_a_code_on_an_invoice_may_be_charged() -> None:
    invoice = {"resourceType": "Invoice", "lineItem": [{"chargeItemCodeableConcept": {"coding": [{"code": "93352"}]}}]}
    assert "93352" in read(invoice).case.unreadable_codes


def test_charges_that_are_not_read_leave_no_other_list_incomplete() -> None:
    raw = msgspec.Raw(b'{"resourceType": "Invoice"}')
    key = "medicationAdministrations"
    parsed = read_case([SourceResource("here", raw, key=key)], stage="claim", complete=frozenset({key, "chargeItems"}))
    assert parsed.case.complete == {key}


def test_faults_of_a_claim_that_another_resource_states_are_told() -> None:
    """Junk in the day on which it was made decides which of the two counts."""
    same = {"identifier": [GROUP]}
    parsed = read(eob("93351", id="b0", created="2026-13-09", **same), eob("93350", created="2026-04-09", **same))
    assert [(each.path, each.reason) for each in parsed.skipped] == [
        ("entry[0]", "ExplanationOfBenefit.created: expected a date such as 2026-03-17")
    ]
    assert [line.code for line in parsed.case.lines] == ["93350"]
    assert "93351" in parsed.case.unreadable_codes, "it may be the one that counts"


# --- CMS's own files ------------------------------------------------------------------------------------------------


@pytest.mark.skipif("CORPUS_DIR" not in os.environ, reason="CORPUS_DIR names no corpus of FHIR resources")
def test_the_payers_of_the_corpus_are_read_without_a_warning(advisor: Advisor) -> None:
    files = {path.stem: path.read_bytes() for path in (Path(os.environ["CORPUS_DIR"]) / "payers").glob("*.json")}
    assert len(files) == 5
    types = {}
    for name, content in files.items():
        parsed = read_case([SourceResource("here", msgspec.Raw(content), under_review=True)], stage="claim")
        assert parsed.skipped == (), name
        types[name] = {line.claim_type for line in parsed.case.lines}
        assert None not in {line.units for line in parsed.case.lines if line.certain}, name
        with pytest.raises(BadRequest):
            advisor.review_bundle(content)  # a resource alone is no Bundle
    assert types == {
        "bfd-eobReadCarrier": {"professional"},
        "bfd-eobReadOutpatient": {"institutional"},
        "bfd-idr-ExplanationOfBenefit-Carrier": {"professional"},
        "bfd-claimFissRead": {"institutional"},
        "bfd-idr-Coverage-FFS-PartB": set(),
    }


def type_of_bill(*codes: str, system: str = "https://www.nubc.org/CodeSystem/TypeOfBill") -> dict[str, Any]:
    coded = [{"system": system, "code": code} for code in codes]
    return {"supportingInfo": [{"sequence": 1, "category": {"text": "bill"}, "code": {"coding": coded}}]}


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (type_of_bill("0131"), "13"),
        (type_of_bill("131"), "13"),
        (type_of_bill("085X"), "85"),
        (type_of_bill("0131", "0137"), "13"),
        (type_of_bill("0131", "0851"), None),
        (type_of_bill("Dummy"), None),
        (type_of_bill("1"), None),
        (type_of_bill("0131", system="https://bluebutton.cms.gov/resources/variables/clm_freq_cd"), None),
        ({"supportingInfo": [{"sequence": 1}]}, None),
        ({}, None),
    ],
)
def test_the_type_of_bill(info: dict[str, Any], expected: str | None) -> None:
    assert [line.bill_type for line in case_of(claim("Claim", "93350", **info)).lines] == [expected]
