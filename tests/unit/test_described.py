"""A case read from FHIR in billers' notation: the words behind an item, names, and what there are no words for."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from cds_service.core.case import (
    ALWAYS,
    Administration,
    Case,
    Coverage,
    Diagnosis,
    Document,
    Line,
    Observation,
    Order,
    Origin,
    Part,
    Procedure,
    Record,
    Term,
)
from cds_service.core.concepts import BILLING, LOINC, NDC, NO_SYSTEM, RXNORM, SNOMED, Code, Concept
from cds_service.core.lazy_records import Records
from cds_service.intake.described import Described
from cds_service.intake.text import text_of
from cds_service.intake.typed import Named
from cds_service.wiring import describe

DAY, OTHER_DAY = date(2026, 3, 2), date(2026, 3, 3)
STRESS = Concept((Code(BILLING, "93351"),))


def origin(name: str, within: str = "") -> Origin:
    return Origin(f"entry[{name}].resource", name, within)


def charge(code: str = "93351", name: str = "ChargeItem/1", **members: Any) -> Line:
    fixed: dict[str, Any] = {"day": DAY, "under_review": True, "identity": name, "billable": True}
    return Line(origin=origin(name), code=code, **fixed | members)


def claimed(code: str = "93351", claim: str = "Claim/1", kind: str = "professional", **members: Any) -> Line:
    fixed: dict[str, Any] = {"day": DAY, "under_review": True, "claim": claim, "claim_type": kind}
    within = members.pop("within", f"item[{code}]")
    return Line(origin=origin(claim, within), code=code, **fixed | members)


def done(name: str = "Procedure/1", concept: Concept = STRESS, **members: Any) -> Procedure:
    fixed: dict[str, Any] = {"day": DAY, "identity": name, "status": "done"}
    return Procedure(origin=origin(name), concept=concept, **fixed | members)


def given(concept: Concept, **members: Any) -> Administration:
    fixed: dict[str, Any] = {"day": DAY, "status": "given"}
    return Administration(origin=origin("MedicationAdministration/1"), concept=concept, **fixed | members)


def ordered(concept: Concept = STRESS, **members: Any) -> Order:
    fixed: dict[str, Any] = {"day": DAY, "kind": "service", "identity": "ServiceRequest/1"}
    return Order(origin=origin("ServiceRequest/1"), concept=concept, **fixed | members)


_PART_OF: dict[type[Record], str] = {
    Line: "lines", Procedure: "procedures", Administration: "administrations", Order: "orders",
    Observation: "observations", Document: "documents", Coverage: "coverages",
}  # fmt: skip


def told(*records: Record, stage: Any = "claim", **members: Any) -> Described:
    parts: dict[str, Any] = {
        name: Records([each for each in records if type(each) is kind]) for kind, name in _PART_OF.items()
    }
    return describe(Case(stage=stage, **parts, **members))


def text(*records: Record, **members: Any) -> str:
    """The case as lines, without its day."""
    found = told(*records, **members)
    assert found.left_out == ()
    return text_of(found.case).replace("day: 2026-03-02\n", "").rstrip("\n")


def diagnosis(code: str, reference: str = "Claim/1 diagnosis 1") -> Diagnosis:
    return Diagnosis(code, Concept(), reference)


# --- charges ----------------------------------------------------------------------------------------------------------


def test_a_charge_has_the_words_that_fit() -> None:
    line = charge(
        modifiers=("26", "59"),
        units=Decimal(2),
        performers=frozenset({"Practitioner/dr"}),
        diagnoses=(diagnosis("I10"), diagnosis("R07.9")),
        certain=False,
    )
    assert text(line) == "charged: 93351x2-26-59 by dr dx I10+R07.9 bare"
    assert text(charge(units=Decimal(1))) == "charged: 93351x1"
    assert text(charge(), charge("93352", "ChargeItem/2", day=OTHER_DAY)) == "charged: 93351, 93352 on 2026-03-03"
    assert text(charge(billable=False)) == "charged: 93351 status planned"
    assert text(charge(), charge("93306", "ChargeItem/2", under_review=False)) == "charged: 93351\nearlier: 93306"
    assert told(charge(billable=False, open=False)).case.lines[0].words.status == "billed"
    assert text(charge(day=DAY), stage="order") == "hook: order\ncharged: 93351"


def test_a_claim_has_its_place_its_bill_and_its_diagnoses() -> None:
    both = (diagnosis("I10"), diagnosis("R07.9"))
    lines = [
        claimed(place_of_service="11", diagnoses=both[:1], claim_diagnoses=both),
        claimed("93352", place_of_service="11", diagnoses=both, claim_diagnoses=both),
    ]
    assert text(*lines) == "professional: 93351 dx I10, 93352\nplace: 11\ndiagnoses: R07.9"
    hospital = claimed("93350", kind="institutional", bill_type="13", diagnoses=both, claim_diagnoses=both)
    assert text(hospital) == "institutional: 93350\nbill: 131\ndiagnoses: I10, R07.9"
    assert text(claimed(), claimed("93350", "Claim/2", "institutional")) == "professional: 93351\ninstitutional: 93350"
    assert text(claimed(billable=False)) == "professional: 93351", "a line of a claim has no status"


def test_a_product_of_a_line_is_told_by_its_ndc() -> None:
    ndc = Concept((Code(NDC, "11994-011-04"),))
    detail = claimed("", concept=ndc, within="item[1].detail[0]")
    assert text(claimed("Q9957", within="item[1]"), claimed("93351", within="item[0]"), detail) == (
        "professional: Q9957 ndc 11994-011-04, 93351"
    )
    assert text(charge("Q9957", concept=ndc)) == "charged: Q9957 ndc 11994-011-04"
    odd = Concept((Code(NDC, "12"),))
    assert text(charge("Q9957", concept=odd)) == "charged: Q9957"
    assert told(claimed("", concept=odd, within="item[1].detail[0]")).left_out == (
        "Claim/1: a charge without a billing code",
    )
    assert told(claimed("", concept=ndc, within="item[1]")).left_out == ("Claim/1: a charge without a billing code",)


UNREAD = diagnosis("", "Claim/1 diagnosis 2")


@pytest.mark.parametrize(
    ("records", "left_out"),
    [
        ([charge("ABC")], ["ChargeItem/1: a charge without a billing code"]),
        ([charge("")], ["ChargeItem/1: a charge without a billing code"]),
        ([claimed(kind="unknown")], ["Claim/1: a claim of unknown type"]),
        ([claimed(), claimed(claim="Claim/2")], ["Claim/2: a second professional claim"]),
        (
            [claimed(kind="institutional"), claimed(claim="Claim/2", kind="institutional")],
            ["Claim/2: a second institutional claim"],
        ),
        ([claimed(under_review=False)], ["Claim/1: a claim on record"]),
        ([charge(unclear_modifiers=("x",))], ["ChargeItem/1: modifiers in an unknown form"]),
        ([charge(units_unclear=True)], ["ChargeItem/1: units in an unknown form"]),
        ([charge(open=False)], ["ChargeItem/1: status: billed, which cannot be changed"]),
        (
            [charge(performers=frozenset({"Practitioner/a", "Practitioner/b"}))],
            ["ChargeItem/1: several practitioners of a line", "ChargeItem/1: several practitioners"],
        ),
        ([charge(day=None)], ["ChargeItem/1: no date of service"]),
        ([charge(utc_hour=0)], ["ChargeItem/1: the hour of an instant in UTC"]),
        ([charge(last_day=OTHER_DAY)], ["ChargeItem/1: the last day of a period"]),
        ([charge(links=frozenset({"Procedure/1", "Procedure/2"}))], ["ChargeItem/1: links to several records"]),
        ([charge(links=frozenset({"Observation/1", "Observation/2"}))], []),
        ([claimed(place_of_service="11"), claimed("93352", place_of_service="22")], ["other places of service"]),
        ([claimed(place_of_service="11"), claimed("93352")], []),
        (
            [claimed(kind="institutional", bill_type="13"), claimed("93352", kind="institutional", bill_type="85")],
            ["other types of bill"],
        ),
        (
            [claimed(diagnoses=(UNREAD,), claim_diagnoses=(UNREAD,))],
            ["Claim/1 diagnosis 2: a diagnosis without an ICD-10-CM code"],
        ),
        ([given(Concept())], ["MedicationAdministration/1: no code that the notation can state"]),
        (
            [given(Concept((Code(RXNORM, "1"),)), parts=(Part(Concept()),))],
            ["MedicationAdministration/1: the parts of a mixture"],
        ),
        ([done(used=(STRESS,))], ["Procedure/1: materials used"]),
        ([done(notes=("A note",))], ["Procedure/1: notes"]),
        ([done(reports=("DiagnosticReport/1",))], ["Procedure/1: links to reports"]),
        ([done(reasons=("Chest pain", "I10"), diagnoses=(diagnosis("I10"),))], ["Procedure/1: reasons in words"]),
        ([done(reasons=("I10",), diagnoses=(diagnosis("I10"),))], []),
        ([done(performers=frozenset({"Practitioner/a", "Practitioner/b"}))], ["Procedure/1: several practitioners"]),
        (
            [done(concept=Concept((Code(BILLING, "93351"), Code(NO_SYSTEM, "x"))))],
            ["codes of a system or a form that the notation cannot state"],
        ),
        ([structs.replace(done(day=None), origin=Origin("x", ""))], ["a record: no date of service"]),
    ],
)  # fmt: skip
def test_what_the_notation_has_no_words_for_is_listed(records: list[Record], left_out: list[str]) -> None:
    assert [*map(str, told(*records).left_out)] == left_out


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [("images", "imaging studies"), ("condition", "conditions"), ("document", "documents"), ("report", "reports")],
)
def test_documents_are_listed_by_their_kind(kind: Any, left_out: str) -> None:
    document = Document(origin=origin("X/1"), day=DAY, kind=kind, concept=Concept())
    assert told(document, document).left_out == (left_out,)
    if kind == "report":
        spoken = structs.replace(document, words=("Contrast was", 'given  "well"'))
        assert text(spoken) == """reported: words "Contrast was given 'well'\""""
    else:
        assert told(structs.replace(document, words=("x",))).left_out == (left_out,)


# --- the record -------------------------------------------------------------------------------------------------------


def test_what_was_given_has_its_dose_and_what_was_discarded() -> None:
    drug = Concept((Code(RXNORM, "283753"),))
    assert text(given(drug, ml=Decimal("1.3"), mg=Decimal(4))) == "given: RxNorm 283753 1.3 mL"
    assert text(given(drug, mg=Decimal(4))) == "given: RxNorm 283753 4 mg"
    assert text(given(drug)) == "given: RxNorm 283753"
    assert text(given(drug, ml=Decimal(0), discarded_ml=Decimal(1))) == "given: RxNorm 283753 0 mL, 1 mL discarded"
    assert text(given(drug, status="not given")) == "given: RxNorm 283753 status not-done"
    assert text(given(drug, status="unclear")) == "given: RxNorm 283753 status unknown"


def test_a_procedure_has_its_status_its_doctor_and_its_reasons() -> None:
    record = done(
        status="not done",
        performers=frozenset({"Practitioner/dr"}),
        diagnoses=(diagnosis("I10"), diagnosis("I10"), diagnosis("R07.9"), diagnosis("")),
    )
    assert text(record) == "done: 93351 by dr status not-done dx I10+R07.9"
    assert text(done(status="unclear")) == "done: 93351 status unknown"
    assert text(done(day=OTHER_DAY), charge(), charge("93352", "ChargeItem/2")) == (
        "charged: 93351, 93352\ndone: 93351 on 2026-03-03"
    )


def test_an_order_says_when_it_is_planned() -> None:
    planned = ordered(planned=True, diagnoses=(diagnosis("I10"),))
    assert text(planned) == "ordered: 93351 planned 2026-03-02 dx I10"
    assert text(charge(), charge("93352", "ChargeItem/2"), ordered(planned=True, day=OTHER_DAY)) == (
        "charged: 93351, 93352\nordered: 93351 planned 2026-03-03"
    )
    assert text(ordered(day=OTHER_DAY), charge(), charge("93352", "ChargeItem/2")) == (
        "charged: 93351, 93352\nordered: 93351 on 2026-03-03"
    )
    drug = Concept((Code(RXNORM, "283753"),))
    assert (
        text(ordered(drug, kind="medication", planned=True, diagnoses=(diagnosis("I10"),))) == "ordered: RxNorm 283753"
    )
    assert told(ordered(planned=True, day=None)).case.ordered[0].words.planned == ""


def test_links_between_records_are_names() -> None:
    linked = charge(links=frozenset({"Procedure/1", "ServiceRequest/1"}))
    assert text(linked, done()) == "charged: 93351 for 1\ndone: 93351 as 1"
    long = "Procedure/a-name-of-many-letters"
    assert text(charge(links=frozenset({long})), done(long)) == "charged: 93351 for P1\ndone: 93351 as P1"
    assert text(charge(links=frozenset({"Procedure/a_b"})), done("Procedure/a_b")).endswith("done: 93351 as P1")
    assert text(charge(links=frozenset({"Procedure/12345"})), done("Procedure/12345")).endswith("as 12345")
    assert text(charge(links=frozenset({"Procedure/123456"})), done("Procedure/123456")).endswith("as P1")
    assert text(done(links=frozenset({"ServiceRequest/1"})), ordered()) == "done: 93351 for 1\nordered: 93351 as 1"
    two = [charge(links=frozenset({f"Procedure/{'x' * each}"}), name=f"ChargeItem/{each}") for each in (8, 9)]
    assert text(*two, done(f"Procedure/{'x' * 8}"), done(f"Procedure/{'x' * 9}")) == (
        "charged: 93351 for P1, 93351 for P2\ndone: 93351 as P1, 93351 as P2"
    )
    taken = [
        charge(links=frozenset({target}), name=f"ChargeItem/{number}")
        for number, target in enumerate(("Procedure/P1", "Procedure/long-one"))
    ]
    assert text(*taken, done("Procedure/P1"), done("Procedure/long-one")) == (
        "charged: 93351 for P1, 93351 for P2\ndone: 93351 as P1, 93351 as P2"
    )
    assert text(done("Procedure/1#part")) == "done: 93351", "a contained record has no name of its own"
    within = charge(links=frozenset({"Procedure/1#part"}))
    assert text(within, done("Procedure/1#part")) == "charged: 93351 for P1\ndone: 93351"
    assert text(charge(), done()) == "charged: 93351\ndone: 93351", "what nothing refers to needs no name"


def test_names_begin_with_the_kind_of_record() -> None:
    far = "-a-long-name"
    lines = [
        charge(performers=frozenset({f"Practitioner/d{far}"}), encounter=f"Encounter/e{far}"),
        charge("93352", "ChargeItem/2", encounter="Encounter/e2"),
    ]
    assert text(*lines) == "charged: 93351 by D1 in E1, 93352 in e2"
    assert text(charge(performers=frozenset({f"Organization/o{far}"}))) == "charged: 93351 by R1"
    order = ordered(identity=f"ServiceRequest/s{far}")
    assert text(done(links=frozenset({f"ServiceRequest/s{far}"})), order) == "done: 93351 for O1\nordered: 93351 as O1"
    whole = f"https://ehr.example.org/fhir/Practitioner/d{far}"
    assert text(charge(performers=frozenset({whole}))) == "charged: 93351 by D1"


def test_one_visit_of_all_needs_no_name() -> None:
    assert text(charge(encounter="Encounter/1"), done(encounter="Encounter/1")) == "charged: 93351\ndone: 93351"
    assert text(charge(encounter="Encounter/1"), done()) == "charged: 93351\ndone: 93351"
    two = charge(encounter="Encounter/v1"), done(encounter="Encounter/v2")
    assert text(*two) == "charged: 93351 in v1\ndone: 93351 in v2"


@pytest.mark.parametrize(
    ("concept", "names"),
    [
        (Concept((Code(BILLING, "c8928"),)), "C8928"),
        (Concept((Code(NDC, "11994-011-04"),)), "Definity"),
        (Concept((Code(NDC, "00378-0018-01"),)), "NDC 00378-0018-01"),
        (Concept((Code(SNOMED, "80146002"), Code(LOINC, "18107-3"))), "SNOMED 80146002 + LOINC 18107-3"),
        (Concept((Code(RXNORM, "283753"), Code(RXNORM, "283753"))), "RxNorm 283753"),
        (Concept((), ("Stress", "echo")), 'words "Stress echo"'),
        (Concept((Code(SNOMED, "80146002"),), ("Stress echo",)), "SNOMED 80146002"),
    ],
    ids=["code", "product", "NDC", "two", "twice", "words", "code and words"],
)
def test_the_names_of_a_thing_are_its_product_its_codes_or_its_words(concept: Concept, names: str) -> None:
    assert text(done(concept=concept)) == f"done: {names}"
    observed = Observation(origin=origin("Observation/1"), day=DAY, concept=concept, links=frozenset({"Procedure/1"}))
    found = text(observed, done())
    assert found.startswith("done: 93351 as 1\nobserved: ")
    assert "for 1" in found


def test_the_day_of_a_case_is_the_most_common_and_of_several_the_first() -> None:
    for days, expected in (((DAY, OTHER_DAY), DAY), ((DAY, OTHER_DAY, OTHER_DAY), OTHER_DAY), ((None,), None)):
        records = [charge(name=f"ChargeItem/{at}", day=day) for at, day in enumerate(days)]
        assert told(*records).case.day == (expected.isoformat() if expected else "")
    mixed = [charge(), done(day=OTHER_DAY), given(Concept((Code(RXNORM, "1"),)), day=OTHER_DAY)]
    assert told(*mixed).case.day == "2026-03-03"
    many = [ordered(day=OTHER_DAY), Document(origin=origin("X/1"), day=OTHER_DAY, kind="report", concept=Concept())]
    observed = Observation(origin=origin("Observation/1"), day=OTHER_DAY, concept=STRESS)
    assert told(charge(), charge("93352", "ChargeItem/2"), *many, observed).case.day == "2026-03-03"


def test_complete_parts_without_records_are_none() -> None:
    known = frozenset({"procedures", "medicationAdministrations", "chargeItems", "coverages", "observations", "other"})
    found = told(charge(), done(), complete=known).case
    assert found.known == ("medicationAdministrations", "chargeItems", "coverages", "observations")
    assert told(charge()).case.known == ()


def test_an_order_as_needed_says_so_in_words() -> None:
    named = (Named("code", "93351"), Named("words", "if needed"))
    assert [each.names for each in told(ordered(if_needed=True)).case.ordered] == [named]
    said = ordered(Concept((), ("Stress echo",)), if_needed=True)
    assert [str(each.names[0]) for each in told(said).case.ordered] == ['words "Stress echo"']


# --- payers -----------------------------------------------------------------------------------------------------------


def coverage(
    name: str, *codes: str, order: int | None = None, identity: str = "Coverage/1", term: Term = ALWAYS
) -> Coverage:
    concept = Concept(tuple(Code(NO_SYSTEM, each) for each in codes))
    names = (name,) if name else ()
    return Coverage(origin=origin(identity), identity=identity, concept=concept, payors=names, order=order, term=term)


@pytest.mark.parametrize(
    ("found", "payer"),
    [
        (coverage("Medicare"), "Medicare"),
        (coverage("Medicare", "121"), "Medicare + SOPT 121"),
        (coverage("", "121"), "SOPT 121"),
        (coverage("a plan", "5"), "SOPT 5"),
        (coverage("SOPT 5 plan"), ""),
        (coverage("Blue + Cross"), "Blue   Cross"),
        (coverage("A" * 150), "A" * 100),
        (coverage("Medicare", "MB", "123456"), "Medicare"),
        (coverage("", "x", "12345"), "SOPT 12345"),
    ],
    ids=["name", "both", "code", "a plan", "SOPT", "plus", "long", "other codes", "second code"],
)
def test_a_payer_is_a_name_and_a_code(found: Coverage, payer: str) -> None:
    assert told(charge(), found).case.payer == payer


def test_the_coverage_of_the_claim_comes_first_and_others_are_left_out() -> None:
    first, second = coverage("Aetna", order=2), coverage("Medicare", order=1, identity="Coverage/2")
    told_two = told(charge(), first, second)
    assert (told_two.case.payer, told_two.left_out) == ("Medicare", ("other coverages than the first",))
    assert told(charge(coverages=("Coverage/1",)), first, second).case.payer == "Aetna"
    assert told(charge(), coverage("Aetna"), second).case.payer == "Aetna", "one without an order is the first"
    named = told(charge(payer_names=("Humana",)), charge("93352", "ChargeItem/2", payer_names=("Humana",)))
    assert (named.case.payer, named.left_out) == ("Humana", ())
    assert told(charge(payer_names=("Humana",)), second).case.payer == "Medicare"


def test_a_coverage_of_other_days_is_left_out_unless_the_claim_names_it() -> None:
    ended = coverage("Medicare", order=1, identity="Coverage/2", term=Term(last=date(2026, 3, 1)))
    told_two = told(charge(), ended, coverage("Aetna", order=2))
    assert (told_two.case.payer, told_two.left_out) == ("Aetna", ("other coverages than the first",))
    assert (told(charge(), ended).case.payer, told(charge(), ended).left_out) == ("", told_two.left_out)
    assert told(charge(coverages=("Coverage/2",)), ended).case.payer == "Medicare"


def test_a_long_text_is_cut() -> None:
    long = Concept((), ("word " * 1000,))
    (entry,) = told(done(concept=long)).case.done
    assert len(str(entry.names[0].value)) == 2500
