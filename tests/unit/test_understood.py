"""Records that are understood, and those that are not: the grounds, one by one, with a near miss of each."""

import json

import pytest

from cds_service.core.case import Case, Line, Origin
from cds_service.core.concepts import (
    BILLING,
    CVX,
    LOINC,
    NDC,
    NO_SYSTEM,
    REFERENCE,
    REVENUE,
    RXNORM,
    SNOMED,
    Code,
    Concept,
)
from cds_service.review.advisor import Advisor
from hooks.coding.products import agent_in
from hooks.coding.understood import GROUNDS, Kind, is_charge_understood, is_understood
from tests.rules.test_cases import SERVICES
from tests.support.notation import request_of, service_of

WHOLE = ["procedures", "medicationAdministrations", "chargeItems"]
LOCAL = "urn:oid:1.2.3"


def coded(system: str, value: str, *words: str) -> Concept:
    return Concept((Code(system, value),), words)


def text(*words: str) -> Concept:
    return Concept((), words)


ICD_10_PCS = (
    "http://www.cms.gov/Medicare/Coding/ICD10",
    "http://hl7.org/fhir/sid/icd-10-pcs",
    "urn:oid:2.16.840.1.113883.6.4",
)
BRANDS = ("Tylenol", "Lexiscan", "Brevibloc", "D5W", "Toprol XL", "Zofran", "Lopressor")


def empty() -> Case:
    return Case(stage="claim")


UNDERSTOOD: list[tuple[Kind, Concept]] = [
    ("charge", coded(BILLING, "99213")),
    ("charge", coded(BILLING, "93352")),
    ("charge", Concept((Code(LOCAL, "615215"), Code(BILLING, "80053")))),
    ("charge", coded(REVENUE, "0480")),
    ("charge", coded(REVENUE, "0480", "Cardiology - General")),
    ("charge", coded(REVENUE, "0483", "Cardiology - Echocardiology")),
    ("charge", coded(REVENUE, "0250", "Pharmacy, sundries")),
    ("charge", coded(NDC, "00378-0018-01")),
    ("charge", coded(SNOMED, "80146002", "Appendectomy")),
    ("charge", coded(LOINC, "24323-8")),
    ("charge", Concept((Code(NDC, "00378-0018-01"), Code(RXNORM, "6918"), Code(NO_SYSTEM, "JZ")))),
    ("charge", coded(CVX, "140")),
    ("drug", coded(NDC, "11994-011-04")),
    ("drug", coded(NDC, "00407-1413-63", "Omnipaque 300")),
    ("drug", coded(NDC, "00270-1316-35", "Isovue 370")),
    ("drug", coded(NDC, "00378001801")),
    ("drug", coded(BILLING, "J1250")),
    ("drug", coded(BILLING, "Q9957-JZ")),
    ("drug", coded(CVX, "140")),
    ("drug", coded(RXNORM, "6918", "metoprolol")),
    ("drug", coded(RXNORM, "3616")),
    ("drug", coded(LOCAL, "M-17", "Metoprolol tartrate 25 mg tablet")),
    ("drug", Concept((Code(REFERENCE, "Medication/1"),), ("fentanyl 25 micrograms/hour patch",))),
    ("drug", text("saline flush")),
    ("drug", text("sodium chloride 0.9 % 10 mL")),
    ("drug", text("Definity")),
    ("drug", text("influenza vaccine quadrivalent")),
    *(
        ("drug", text(brand))
        for brand in ("Tylenol", "Lexiscan", "Brevibloc", "D5W", "Toprol XL", "Zofran", "Lopressor")
    ),
    ("drug", coded(LOCAL, "M-20", "KCl 20 mEq")),
    ("service", coded(SNOMED, "433233004")),
    ("service", coded(SNOMED, "80146002", "Appendectomy")),
    ("service", coded(BILLING, "71046")),
    ("service", coded(LOINC, "24323-8")),
    ("service", coded(LOCAL, "X-1", "Complete blood count")),
    ("service", coded(LOCAL, "X-2", "Electrocardiogram, 12 leads")),
    ("service", text("stress echo with Lumason")),
    ("service", coded(CVX, "140")),
    *(("service", coded(system, "0DTJ4ZZ")) for system in ICD_10_PCS),
    ("service", coded(ICD_10_PCS[0], "021009W", "Bypass Coronary Artery, One Artery")),
    ("service", text("Peripheral IV insertion")),
    ("service", coded(LOCAL, "X-6", "Peripheral IV insertion")),
    ("service", text("Colonoscopy")),
]

# Names under which a drug or procedure without a name of its own is recorded, or an agent by another name.
UNINFORMATIVE_DRUGS = (
    "NON-FORMULARY MEDICATION",
    "PATIENT'S OWN MED",
    "Custom order",
    "CUSTOM SYRINGE 10 mL",
    "Compound",
    "compounded IV mixture",
    "Compound 10 mg",
    "Drug not listed",
    "research drug",
    "unclassified biologics",
    "IV fluid",
    "Cardiac drug",
    "per stress lab protocol",
    "LV opacification",
    "SULF HEXAF",
    "octafl 10mg/ml",
)
UNINFORMATIVE_SERVICES = (
    "Enhancing agent administration",
    "Bubble study",
    "Transthoracic study",
    "2D M-mode complete",
    "échographie",
    "Diagnostic procedure",
)

NOT_UNDERSTOOD: list[tuple[Kind, Concept]] = [
    ("charge", coded(LOCAL, "615215")),
    ("charge", coded(LOCAL, "93352")),
    ("charge", coded(LOCAL, "615215", "Complete blood count")),
    ("charge", Concept((Code(REVENUE, "0480"), Code(LOCAL, "615215")))),
    ("charge", coded(REVENUE, "0480", "Contrast stress echo add-on")),
    ("charge", coded(REVENUE, "0636", "Definity")),
    ("charge", coded(REVENUE, "0636", "LV opacification")),
    ("charge", coded(NDC, "11994-011-04")),
    ("charge", coded(NDC, "11994-999-01")),
    ("charge", Concept((Code(LOCAL, "615215"), Code(NDC, "00378-0018-01")))),
    ("charge", Concept((Code(NO_SYSTEM, "615215"), Code(NDC, "00378-0018-01")))),
    ("charge", Concept((Code(LOCAL, "615215"), Code(SNOMED, "80146002")), ("Appendectomy",))),
    ("charge", coded(SNOMED, "71388002", "Procedure")),
    ("charge", coded(SNOMED, "433233004")),
    ("charge", coded(BILLING, "LOC:93352")),
    ("charge", coded(BILLING, "93352-1")),
    ("charge", coded(BILLING, "615215")),
    ("charge", coded(BILLING, "0093352")),
    ("drug", coded(BILLING, "615215")),
    ("service", coded(BILLING, "9335126")),
    ("charge", text("echo contrast")),
    ("charge", Concept()),
    ("drug", coded(RXNORM, "999999")),
    ("drug", coded(RXNORM, "999999", "ultrasound enhancing agent")),
    ("drug", coded(NDC, "LOC:1")),
    *(("drug", coded(NDC, ndc)) for ndc in ("11994-999-01", "0407-9999-01", "00270999901")),
    ("drug", coded(NDC, "11994-999-01", "injection, suspension")),
    ("drug", coded(LOCAL, "M-18", "UEA 1.5 mL")),
    ("drug", coded(LOCAL, "M-19", "DEFINTY 1.3 mL")),
    ("drug", coded(NO_SYSTEM, "DEF10")),
    ("drug", Concept((Code(REFERENCE, "Medication/1"),))),
    ("drug", text("see worksheet")),
    ("drug", text("microsphere suspension")),
    ("drug", Concept()),
    *(("drug", coded(LOCAL, "M-21", name)) for name in UNINFORMATIVE_DRUGS),
    *(("service", coded(LOCAL, "X-5", name)) for name in UNINFORMATIVE_SERVICES),
    ("service", coded(LOCAL, "X-3")),
    ("service", coded(LOCAL, "X-4", "SE W DOB")),
    ("service", coded(SNOMED, "999999999", "Dobutamine stress test")),
    ("service", coded(SNOMED, "1287741000")),
    *(("service", coded(ICD_10_PCS[0], code)) for code in ("B246ZZZ", "4A12XM4", "4A02XM4", "3E033KZ", "LOC:1")),
    ("service", coded(ICD_10_PCS[0], "BW40ZZZ", "Echo of the chest")),
    ("service", text("IV insertion for echo contrast")),
    ("service", coded(SNOMED, "LOC:433233004")),
    ("service", text("Imaging of the heart")),
    ("service", text("done")),
    ("service", Concept()),
]


@pytest.mark.parametrize(("kind", "concept"), UNDERSTOOD, ids=str)
def test_everyday_records_are_understood(kind: Kind, concept: Concept) -> None:
    assert is_understood(kind, concept, empty())


@pytest.mark.parametrize(("kind", "concept"), NOT_UNDERSTOOD, ids=str)
def test_others_are_not(kind: Kind, concept: Concept) -> None:
    assert not is_understood(kind, concept, empty())


def test_each_ground_alone_covers_a_record_of_these() -> None:
    grounds = [(ground, ground.covers) for ground in GROUNDS if ground.covers is not None]
    assert grounds
    for ground, covers in grounds:
        covered = [each for kind, each in UNDERSTOOD if kind == ground.kind and covers(each)]
        assert covered, f"{ground.kind}: {ground.words}"


def test_a_supply_code_names_its_product_with_and_without_modifiers() -> None:
    assert agent_in(coded(BILLING, "Q9957-JZ")) == agent_in(coded(BILLING, "Q9957"))


def charge(code: str, *, certain: bool, within: str = "") -> Line:
    system = BILLING if certain else NO_SYSTEM
    return Line(origin=Origin("r", "r", within), code=code, certain=certain, concept=coded(system, code))


def test_a_code_without_a_system_is_understood_where_the_sender_writes_billing_codes_so() -> None:
    known, other = charge("93350", certain=False), charge("99213", certain=False)
    assert is_charge_understood(known, empty())
    assert not is_charge_understood(other, empty().with_records(lines=[other, charge("93350", certain=True)]))
    assert is_charge_understood(other, empty().with_records(lines=[other, known]))


def test_an_ndc_in_the_details_of_a_line_names_its_product() -> None:
    agent = coded(NDC, "11994-011-04")
    detail = Line(origin=Origin("r", "r", "item[0].detail[0]"), code="", concept=agent)
    item = Line(origin=Origin("r", "r", "item[0]"), code="", concept=agent)
    assert is_charge_understood(detail, empty())
    assert not is_charge_understood(item, empty())


@pytest.mark.parametrize(("kind", "is_open"), [("Medication", True), ("Substance", True), ("Device", False)])
def test_a_material_used_that_was_not_sent_may_be_the_agent_unless_it_is_a_device(
    advisor: Advisor, kind: str, is_open: bool
) -> None:
    case = {"lines": "93350, 93352, Q9957x2", "done": ["93350"], "given": [], "known": WHOLE}
    request = request_of(case)
    done = request["prefetch"]["procedures"]["entry"][0]["resource"]
    done["usedReference"] = [{"reference": f"{kind}/not-sent"}]
    answer = advisor.answer(SERVICES[service_of(case)], json.dumps(request).encode())
    found = {rule.id for rule, _ in answer.review.findings}
    undecided = {rule.id for rule, each in answer.review.not_checked if each.why == "not-understood"}
    assert ("contrast-not-supported" in undecided, "contrast-not-supported" in found) == (is_open, not is_open)
