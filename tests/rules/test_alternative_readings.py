"""Each reading of what was not understood: what a record may stand for, and the case in which it does."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cds_service.core.alternatives import Alternative, Asked
from cds_service.core.case import ANY_DIAGNOSIS, Administration, Case, Diagnosis, Line, Order, Origin, Procedure
from cds_service.core.concepts import BILLING, LOINC, NDC, Code, Concept
from cds_service.core.lazy_records import Records
from hooks.codes.tables import ADD_ONS, PRODUCTS, STUDIES
from hooks.coding.alternatives import alternatives

DAY = date(2026, 3, 2)
LOCAL = Concept(codes=(Code("urn:local", "777"),))
ECHO = Concept(codes=(Code(BILLING, "93350"),))
PRODUCT_NAMES = ["Definity (Q9957)", "Imagent (Q9955)", "Lumason (Q9950)", "Optison (Q9956)"]
DRUGS = sorted([*PRODUCT_NAMES, "a drug for stress"])


def at(name: str, **members: Any) -> dict[str, Any]:
    return {"origin": Origin("record", name), "identity": name, "day": DAY} | members


def line(name: str, concept: Concept = ECHO, code: str = "93350", **members: Any) -> Line:
    return Line(concept=concept, code=code, **at(name, under_review=True, **members))


def case_of(*lines: Line, stage: Any = "claim", **members: Any) -> Case:
    parsed: dict[str, Any] = {
        name: Records(each) for name, each in members.items() if not name.startswith("unreadable")
    }
    records = members | parsed
    return Case(stage=stage, lines=Records(lines or [line("echo")]), **records)


def read_as(case: Case, *codes: str) -> list[Alternative]:
    return list(alternatives(case, Asked(codes)))


def names(found: list[Alternative]) -> list[str]:
    """The words of the readings for what a record may be."""
    return sorted(each.reason.rpartition(" may be ")[2].removeprefix("any ") for each in found)


def test_what_is_understood_is_read_in_one_way() -> None:
    assert read_as(case_of()) == []


def test_a_drug_may_be_each_agent_a_stress_drug_and_the_drug_charged() -> None:
    given = [Administration(status="given", concept=LOCAL, **at("drug"))]
    assert names(read_as(case_of(administrations=given))) == DRUGS
    charged = line("drug", Concept(codes=(Code(BILLING, "J1250"),)), "J1250")
    other = line("other", Concept(codes=(Code(LOINC, "1-8"),)), "")
    found = read_as(case_of(line("echo"), charged, other, administrations=given))
    assert names(found) == sorted([*DRUGS, "the drug charged as J1250"])
    assert {each.case.administrations[0].concept.codes[0].value for each in found} >= {"Q9957", "J1250", "3616"}


def test_a_drug_by_its_name_may_be_each_product_of_the_name() -> None:
    named = Concept(words=("perflutren",))
    given = [Administration(status="given", concept=named, **at("drug"))]
    found = read_as(case_of(administrations=given))
    assert names(found) == ["Definity (Q9957)", "Optison (Q9956)"]
    assert [each.case.administrations[0].concept.words for each in found] == [("perflutren",)] * 2


def test_a_procedure_may_be_each_study_and_the_giving_of_each_agent() -> None:
    done = [Procedure(status="done", concept=LOCAL, **at("done"))]
    found = read_as(case_of(procedures=done), "C8930")
    given = [name for name in names(found) if name.startswith("the giving of")]
    assert given == [f"the giving of {name}" for name in DRUGS]
    studies = {(entry.system, entry.code) for entry in STUDIES}
    assert len(found) == len(studies) + len(DRUGS)
    assert found[0].reason.endswith("it may be C8930"), "the code that matters comes first"
    assert {each.case.procedures[0].concept.codes[0].value for each in found} >= {code for _, code in studies}


def test_a_material_may_be_each_agent() -> None:
    done = [Procedure(status="done", concept=ECHO, used=(LOCAL,), **at("done"))]
    found = read_as(case_of(procedures=done))
    assert names(found) == DRUGS
    assert [len(each.case.procedures[0].used) for each in found] == [2] * len(DRUGS)


@pytest.mark.parametrize(
    ("kind", "number"), [("service", len({(e.system, e.code) for e in STUDIES})), ("medication", 5)]
)
def test_an_order_may_be_a_study_or_a_drug_by_its_kind(kind: Any, number: int) -> None:
    orders = [Order(kind=kind, concept=LOCAL, **at("order"))]
    assert len(read_as(case_of(stage="order", orders=orders))) == number
    assert read_as(case_of(orders=orders)) == []


def test_units_and_modifiers_may_be_those_that_matter() -> None:
    found = read_as(case_of(line("units", units_unclear=True)))
    assert names(found) == ["1", "10", "2", "3", "4", "5"]
    assert {each.case.lines[0].units for each in found} == {*map(Decimal, (1, 2, 3, 4, 5, 10))}
    known = line("known", units=Decimal(20))
    asked = Asked(units=(Decimal(60), Decimal(2)))
    found = list(alternatives(case_of(line("units", units_unclear=True), known), asked))
    assert {each.case.lines[0].units for each in found} == {*map(Decimal, (60, 40, 1, 2, 3, 4, 5, 10))}
    assert {each.case.lines[1].units for each in found} == {Decimal(20)}
    found = read_as(case_of(line("modifiers", unclear_modifiers=("?",), modifiers=("76",))))
    assert {"26", "TC", "JW", "JZ", "59"} <= set(names(found))
    assert {each.case.lines[0].modifiers[0] for each in found} == {"76"}


def test_a_diagnosis_may_be_any() -> None:
    unknown, known = Diagnosis("", LOCAL, "Claim/1 diagnosis 1"), Diagnosis("I10", Concept(), "Claim/1 diagnosis 2")
    (found,) = read_as(case_of(line("echo", diagnoses=(unknown, known), claim_diagnoses=(known, unknown))))
    (read,) = found.case.lines
    assert [each.code for each in read.diagnoses] == [ANY_DIAGNOSIS, "I10"]
    assert [each.code for each in read.claim_diagnoses] == ["I10", ANY_DIAGNOSIS]
    assert names([found]) == ["diagnosis"]


def test_a_coverage_that_was_not_sent_may_be_of_either_kind() -> None:
    found = read_as(case_of(line("echo", coverages=("Coverage/none",))))
    assert names(found) == ["another payer than Medicare", "fee-for-service Medicare"]
    assert {each.question.text for each in found if each.question} == {"Who pays?"}


# --- charges --------------------------------------------------------------------------------------------------------


def test_a_charge_under_a_local_code_may_be_each_code_that_matters() -> None:
    found = read_as(case_of(line("echo"), line("local", LOCAL, "")), "99999")
    said = names(found)
    assert found[0].reason.endswith("it may be 99999")
    billed = {entry.code for entry in STUDIES if entry.system == BILLING}
    others = {*(entry.code for entry in ADD_ONS), *(product.code for product in PRODUCTS)}
    assert set(said) == {"99999", *billed, *others, *(f"{code}-{part}" for code in billed for part in ("26", "TC"))}
    assert {each.case.lines[1].code for each in found} == {"99999", *billed, *others}
    assert {each.case.lines[0].code for each in found} == {"93350"}


def test_a_charge_of_a_product_may_be_its_supply_only() -> None:
    product = Concept(codes=(Code(NDC, "11994-0011-04"),))
    found = read_as(case_of(line("echo"), line("product", product, "")))
    assert names(found) == ["Q9957"]


def test_of_charges_that_differ_in_their_code_only_one_is_read_at_a_time() -> None:
    same = [line(f"local {number}", Concept(codes=(Code("urn:local", str(number)),)), "") for number in range(3)]
    other = line("other", LOCAL, "", modifiers=("59",))
    found = read_as(case_of(line("echo"), *same, other), "93352")[0]
    assert [each.code for each in found.case.lines] == ["93350", "93352", "", "", "93352"]


def test_of_such_charges_the_one_that_looks_like_the_code_is_read_as_it() -> None:
    first = line("first", Concept(codes=(Code("urn:local", "1"),)), "")
    alike = line("alike", Concept(codes=(Code("urn:local", "93352 "),)), "")
    found = {each.reason.rpartition(" ")[2]: each.case for each in read_as(case_of(line("echo"), first, alike))}
    assert [each.code for each in found["93352"].lines] == ["93350", "", "93352"]
    assert [each.code for each in found["93351"].lines] == ["93350", "93351", ""]


# --- practitioners, and what could not be parsed --------------------------------------------------------------------


def test_a_role_may_be_each_person_who_charges_or_another() -> None:
    lines = [
        line("a", performers=frozenset({"Practitioner/A"})),
        line("b", performers=frozenset({"Practitioner/B"})),
        line("role", performers=frozenset({"PractitionerRole/1"})),
    ]
    found = read_as(case_of(*lines))
    assert [sorted(each.case.lines[2].performers) for each in found] == [
        ["Practitioner/PractitionerRole/1"],
        ["Practitioner/A"],
        ["Practitioner/B"],
    ]
    assert [each.case.lines[0].performers for each in found] == [frozenset({"Practitioner/A"})] * 3
    assert {each.record for each in found} == {lines[2]}


def test_of_many_persons_none_is_tried() -> None:
    many = [line(f"{number}", performers=frozenset({f"Practitioner/{number}"})) for number in range(9)]
    role = line("role", performers=frozenset({"PractitionerRole/1"}))
    assert len(read_as(case_of(*many, role))) == 1
    assert len(read_as(case_of(*many[:8], role))) == 9


def test_the_role_on_a_procedure_may_be_another_practitioner() -> None:
    done = Procedure(status="done", concept=ECHO, performers=frozenset({"PractitionerRole/1"}), **at("done"))
    (found,) = read_as(case_of(procedures=[done]))
    assert found.case.procedures[0].performers == {"Practitioner/PractitionerRole/1"}


def test_what_could_not_be_parsed_may_show_contrast_on_each_day() -> None:
    given = read_as(case_of(unreadable_parts=frozenset({"medicationAdministrations"})))
    assert len(given) == len(DRUGS)
    assert {each.case.administrations[0].day for each in given} == {DAY}
    done = read_as(case_of(unreadable_parts=frozenset({"procedures"})))
    assert [[each.day for each in found.case.procedures] for found in done] == [[DAY]]
    assert {each.why for each in (*given, *done)} == {"record"}
    assert read_as(case_of(unreadable_parts=frozenset({"observations"}))) == []


def test_a_payer_that_is_not_understood_stands_beside_every_other_reading_and_every_other_day() -> None:
    """A drug may matter to one payer only, and on another day only."""
    charged = line("echo", coverages=("Coverage/none",))
    given = [Administration(status="given", concept=LOCAL, **at("drug"))]
    payers = len(read_as(case_of(charged)))
    drugs = len(read_as(case_of(administrations=given)))
    both = read_as(case_of(charged, administrations=given))
    assert len(both) == (payers + 1) * (drugs + 1) - 1
    of_payers = [each for each in both if "Coverage/none" in each.reason]
    assert of_payers
    assert all(each.question for each in of_payers)
    evening = [Administration(status="given", concept=LOCAL, **at("drug") | {"utc_hour": 1})]
    days = read_as(case_of(charged, administrations=evening))
    assert len(days) == (payers + 1) * (drugs + 1) * 2 - 1
    assert {(bool(each.case.coverages), each.case.administrations[0].day) for each in days} == {
        (is_read, day) for is_read in (True, False) for day in (DAY, date(2026, 3, 1))
    }
