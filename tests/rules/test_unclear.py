"""The records of a case that were not understood: of each kind, where a rule could look at them."""

from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.core.case import Administration, Case, Coverage, Diagnosis, Line, Order, Origin, Procedure
from cds_service.core.concepts import BILLING, MODIFIER, NO_SYSTEM, REFERENCE, REVENUE, RXNORM, Code, Concept
from cds_service.core.lazy_records import Records
from cds_service.core.site import Site
from hooks.coding.unclear import (
    procedures_with_unclear_use,
    records_with_unclear_diagnosis,
    unclear_administrations,
    unclear_diagnosis,
    unclear_lines,
    unclear_orders,
    unclear_payers,
    unclear_procedures,
    unclear_records,
)

DAY = date(2026, 3, 2)
LOCAL = Concept(codes=(Code("urn:local", "777"),))
ECHO, DEFINITY = Concept(codes=(Code(BILLING, "93350"),)), Concept(codes=(Code(BILLING, "Q9957"),))
ASPIRIN = Concept(codes=(Code(RXNORM, "1191"),), words=("Aspirin 81 mg tablet",))


def at(name: str, **members: Any) -> dict[str, Any]:
    return {"origin": Origin("record", name), "identity": name, "day": DAY} | members


def line(name: str, concept: Concept = LOCAL, code: str = "", **members: Any) -> Line:
    return Line(concept=concept, code=code, **at(name, under_review=True, **members))


CHARGE = line("echo", ECHO, "93350")


def case_of(stage: Any = "claim", *lines: Line, site: Site | None = None, **members: Any) -> Case:
    records: dict[str, Any] = {name: Records(each) for name, each in members.items()}
    return Case(stage=stage, lines=Records([CHARGE, *lines]), site=site or Site(), **records)


def names(records: Any) -> list[str]:
    return [each.identity for each in records]


def test_a_charge_under_a_local_code_is_not_understood_unless_the_site_maps_its_system() -> None:
    lines = (line("local"), line("visit", Concept(codes=(Code(BILLING, "99213"),)), "99213"))
    assert names(unclear_lines(case_of("claim", *lines))) == ["local"]
    mapped = Site(mapped_systems=frozenset({"urn:local"}))
    assert names(unclear_lines(case_of("claim", *lines, site=mapped))) == []
    maps_another = Site(mapped_systems=frozenset({"urn:another"}))
    assert names(unclear_lines(case_of("claim", *lines, site=maps_another))) == ["local"]


@pytest.mark.parametrize(
    ("words", "is_understood"),
    [
        ("", True),
        ("Cardiology - general", True),
        ("room and board", True),
        ("doppler study", False),
        ("hexa", True),
        ("octafluoropropane", False),
        ("treadmill", False),
    ],
)
def test_a_cost_center_alone_charges_nothing_unless_its_words_speak_of_an_echo_or_an_agent(
    words: str, is_understood: bool
) -> None:
    charged = line("center", Concept(codes=(Code(REVENUE, "0480"),), words=(words,) if words else ()))
    assert names(unclear_lines(case_of("claim", charged))) == ([] if is_understood else ["center"])


def test_a_cost_center_beside_a_local_code_is_not_understood() -> None:
    concept = Concept(codes=(Code(REVENUE, "0480"), *LOCAL.codes))
    assert names(unclear_lines(case_of("claim", line("center", concept)))) == ["center"]


@pytest.mark.parametrize(("name", "is_understood"), [("Advil", True), ("Xyzal", True), ("Zyrt", False), ("KCl", False)])
def test_a_local_code_with_a_name_of_five_letters_is_another_drug(name: str, is_understood: bool) -> None:
    """A shorter name is mostly an abbreviation, of whatever."""
    given = Administration(status="given", concept=Concept(LOCAL.codes, (name,)), **at("drug"))
    assert names(unclear_administrations(case_of(administrations=(given,)))) == ([] if is_understood else ["drug"])


@pytest.mark.parametrize(("name", "is_understood"), [("tonsils", True), ("brain", True), ("knee", False)])
def test_a_local_code_with_a_name_of_five_letters_is_another_service(name: str, is_understood: bool) -> None:
    done = Procedure(status="done", concept=Concept(LOCAL.codes, (name,)), **at("service"))
    assert names(unclear_procedures(case_of(procedures=(done,)))) == ([] if is_understood else ["service"])


def test_a_drug_under_a_local_code_is_not_understood() -> None:
    given = [
        Administration(status="given", concept=concept, **at(name))
        for name, concept in (("local", LOCAL), ("definity", DEFINITY), ("aspirin", ASPIRIN))
    ]
    assert names(unclear_administrations(case_of(administrations=given))) == ["local"]


def test_a_procedure_under_a_local_code_and_a_material_are_not_understood() -> None:
    done = [
        Procedure(status="done", concept=LOCAL, **at("local")),
        Procedure(status="done", concept=ECHO, **at("echo")),
        Procedure(status="done", concept=ECHO, used=(DEFINITY, ASPIRIN), **at("with definity")),
        Procedure(status="done", concept=ECHO, used=(DEFINITY, LOCAL), **at("with a material")),
        Procedure(status="done", concept=ASPIRIN, used=(LOCAL,), **at("of no echo")),
    ]
    read = case_of(procedures=done)
    assert names(unclear_procedures(read)) == ["local"]
    assert names(procedures_with_unclear_use(read)) == ["with a material"]


@pytest.mark.parametrize(("stage", "expected"), [("order", ["service", "drug"]), ("claim", [])])
def test_orders_that_are_not_understood_matter_at_order_time(stage: str, expected: list[str]) -> None:
    orders = [
        Order(kind="service", concept=LOCAL, **at("service")),
        Order(kind="medication", concept=LOCAL, **at("drug")),
        Order(kind="service", concept=ECHO, **at("echo")),
        Order(kind="medication", concept=DEFINITY, **at("definity")),
        Order(kind="medication", concept=ASPIRIN, **at("aspirin")),
    ]
    assert names(unclear_orders(case_of(stage, orders=orders))) == expected


UNKNOWN, KNOWN = Diagnosis("", LOCAL, "Claim/1 diagnosis 1"), Diagnosis("I10", Concept(), "Claim/1 diagnosis 2")


def test_a_diagnosis_that_is_not_understood_is_of_what_is_under_review_or_linked_to_it() -> None:
    lines = (
        line("states it", diagnoses=(KNOWN, UNKNOWN)),
        line("its claim states it", diagnoses=(KNOWN,), claim_diagnoses=(UNKNOWN,)),
        line("is understood", diagnoses=(KNOWN,), links=frozenset({"P1", "O1"})),
    )
    done = [Procedure(status="done", concept=ECHO, diagnoses=(UNKNOWN,), **at(name)) for name in ("P1", "P2")]
    ordered = [
        Order(kind="service", concept=ECHO, diagnoses=(UNKNOWN,), **at(name, under_review=name == "O2"))
        for name in ("O1", "O2", "O3")
    ]
    found = records_with_unclear_diagnosis(case_of("claim", *lines, procedures=done, orders=ordered))
    assert sorted(names(found)) == ["O1", "O2", "P1", "its claim states it", "states it"]
    assert unclear_diagnosis(lines[0]) == UNKNOWN
    assert unclear_diagnosis(lines[2]) is None


# --- in words -------------------------------------------------------------------------------------------------------


def said(read: Case) -> list[str]:
    return [str(each).partition(" ")[2] for each in unclear_records(read)]


def coded(system: str, value: str) -> Concept:
    return Concept((Code(system, value),))


WORDS: dict[str, tuple[Concept, str]] = {
    "a code of another system": (LOCAL, "carries code 777 of urn:local, which is not mapped"),
    "a text": (Concept(words=("Something",)), "has a text and no code"),
    "nothing": (Concept(), "has no code"),
    "a code without a system": (
        Concept(codes=(Code(NO_SYSTEM, "ABC"),)),
        "carries code ABC without a code system, which is not mapped",
    ),
    "a code that is free text": (
        Concept(codes=(Code("urn:local", "John Doe"),)),
        "carries a code of urn:local, which is not mapped",
    ),
    "a long code": (coded("urn:local", "x" * 201), "carries a code of urn:local, which is not mapped"),
    "a code as long as they may be": (
        coded("urn:local", "x" * 200),
        f"carries code {'x' * 200} of urn:local, which is not mapped",
    ),
    "a code of a system that is free text": (
        coded("the billing codes of our clinic", "777"),
        "carries code 777 of a code system, which is not mapped",
    ),
    "a code of a known system": (coded(BILLING, "XYZ"), "carries code XYZ of CPT or HCPCS, which is not known"),
    "a drug's code": (coded(RXNORM, "1191"), "carries RxNorm 1191 and no CPT or HCPCS code"),
    "a drug's code that is free text": (
        coded(RXNORM, "John Doe"),
        "carries a code (RxNorm) and no CPT or HCPCS code",
    ),
    "a cost center that speaks of an echo": (
        Concept((Code(REVENUE, "0480"),), ("echo",)),
        "carries revenue code 0480 and no CPT or HCPCS code",
    ),
    "what was not sent": (coded(REFERENCE, "Medication/m1"), "refers to Medication/m1, which was not sent"),
    "a reference that is free text": (
        coded(REFERENCE, "the vial in the lab"),
        "refers to a reference, which was not sent",
    ),
    "a patient's id": (coded(REFERENCE, "Patient/p1"), "refers to a reference to a patient, which was not sent"),
    "a patient's address": (
        coded(REFERENCE, "https://fhir.example.org/RelatedPerson/p1"),
        "refers to a reference to a patient, which was not sent",
    ),
}


@pytest.mark.parametrize(("concept", "expected"), WORDS.values(), ids=WORDS)
def test_a_charge_that_is_not_understood_is_named_in_words(concept: Concept, expected: str) -> None:
    assert said(case_of("claim", line("x", concept))) == [expected]


# By kind: what a person counts as one, and the code that is to be mapped.
TOPICS: dict[str, tuple[Case, list[tuple[str, str, str, list[str]]]]] = {
    "charges": (
        case_of("claim", line("1"), line("2", coded("urn:local", "778")), line("3", coded("urn:other", "777"))),
        [
            ("charge", "urn:local", "a charge carries a code of urn:local that is not mapped", ["777", "778"]),
            ("charge", "urn:other", "a charge carries a code of urn:other that is not mapped", ["777"]),
        ],
    ),
    "charges by other codes": (
        case_of("claim", line("1", coded(RXNORM, "1191")), line("2", coded(NO_SYSTEM, "ABC"))),
        [
            ("charge", RXNORM, "a charge carries a code (RxNorm) and no CPT or HCPCS code", ["1191"]),
            ("charge", NO_SYSTEM, "a charge carries a code without a code system that is not mapped", ["ABC"]),
        ],
    ),
    "drugs": (
        case_of(
            administrations=[
                Administration(status="given", concept=concept, **at(name))
                for name, concept in (
                    ("1", coded(RXNORM, "999999")),
                    ("2", coded(REFERENCE, "Medication/m1")),
                    ("3", coded(REFERENCE, "Patient/p1")),
                    ("4", Concept(words=("Something",))),
                )
            ]
        ),
        [
            ("drug", RXNORM, "an administration carries a code of RxNorm that is not known", ["999999"]),
            ("drug", REFERENCE, "Medication/m1 was not sent", ["Medication/m1"]),
            ("drug", REFERENCE, "a reference to a patient was not sent", ["Patient/p1"]),
            ("drug", "", "an administration has a text and no code", []),
        ],
    ),
    "procedures and materials": (
        case_of(
            procedures=[
                Procedure(status="done", concept=LOCAL, **at("1")),
                Procedure(status="done", concept=Concept(), **at("2")),
                Procedure(status="done", concept=ECHO, used=(DEFINITY, LOCAL), **at("3")),
            ]
        ),
        [
            ("procedure", "urn:local", "a procedure carries a code of urn:local that is not mapped", ["777"]),
            ("procedure", "", "a procedure has no code", []),
            ("material", "urn:local", "a material used carries a code of urn:local that is not mapped", ["777"]),
        ],
    ),
    "orders": (
        case_of("order", orders=[Order(kind="service", concept=LOCAL, under_review=True, **at("1"))]),
        [("order", "urn:local", "an order carries a code of urn:local that is not mapped", ["777"])],
    ),
    "units and modifiers": (
        case_of("claim", line("1", ECHO, "93350", units_unclear=True, unclear_modifiers=("?",))),
        [
            ("modifier", MODIFIER, "a modifier was not understood", []),
            ("units", "units", "units were not understood", []),
        ],
    ),
}


@pytest.mark.parametrize(("read", "expected"), TOPICS.values(), ids=TOPICS)
def test_what_is_not_understood_is_told_once_for_each_kind_and_system(read: Case, expected: list[Any]) -> None:
    found = unclear_records(read)
    assert [
        (each.kind, each.system, str(each.topic), [code.value for code in each.codes]) for each in found
    ] == expected


def test_records_of_one_reason_stand_together() -> None:
    lines = (line("1"), line("2", coded("urn:other", "777")), line("3"), line("both", units_unclear=True))
    found = unclear_records(case_of("claim", *lines))
    assert [names(each.records) for each in found] == [["1", "3", "both"], ["2"], ["both"]]


def test_units_and_modifiers_that_are_not_understood_are_named() -> None:
    lines = (
        line("units", ECHO, "93350", units_unclear=True),
        line("modifiers", ECHO, "93350", unclear_modifiers=("?",)),
        line("both", ECHO, "93350", units_unclear=True, unclear_modifiers=("?",)),
    )
    assert said(case_of("claim", *lines)) == [
        "carries a modifier in a form that was not understood",
        "states units in a form that was not understood",
    ]


@pytest.mark.parametrize(
    ("days", "is_named"), [(0, True), (1, True), (-1, True), (2, False), (-30, False), (None, True)]
)
def test_a_record_of_a_day_that_does_not_matter_is_not_named(days: int | None, is_named: bool) -> None:
    day = None if days is None else DAY + timedelta(days)
    given = [Administration(status="given", concept=LOCAL, **at("drug", day=day))]
    assert bool(said(case_of(administrations=given))) is is_named


def test_coverages_that_tell_no_payer_are_named_in_words() -> None:
    plain = Coverage(origin=Origin("record", "Coverage/1"), identity="Coverage/1", concept=Concept())
    named = Coverage(origin=Origin("record", "Coverage/2"), identity="Coverage/2", concept=Concept(), payors=("Aetna",))
    lines = (line("echo", ECHO, "93350", coverages=("Coverage/2", "Coverage/none", "urn:member|77")),)
    found = unclear_payers(case_of("claim", *lines, coverages=[plain, named]))
    assert [str(each) for each in found] == [
        "echo names Coverage/none, which was not sent",
        "echo names a coverage by identifier, which was not sent",
        "Coverage/1 states neither a type of plan nor a payor's name",
    ]
    assert [(names(each.records), each.kind, each.system, str(each.topic)) for each in found] == [
        (["echo"], "payer", REFERENCE, "Coverage/none was not sent"),
        (["echo"], "payer", REFERENCE, "a coverage by identifier was not sent"),
        (["Coverage/1"], "payer", "", "a coverage states neither a type of plan nor a payor's name"),
    ]
    assert [[code.value for code in each.codes] for each in found] == [["Coverage/none"], ["urn:member|77"], []]


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("#c1", "#c1"), ("urn:uuid:1", "urn:uuid:1"), ("Coverage/John Doe", "a coverage"),
        ("1EG4-TE5-MK73", "a coverage by identifier"),
    ],
)  # fmt: skip
def test_a_coverage_is_named_by_its_reference_only(reference: str, told: str) -> None:
    """An identifier may be a member's number, which no text repeats."""
    (found,) = unclear_payers(case_of("claim", line("echo", ECHO, "93350", coverages=(reference,))))
    assert str(found) == f"echo names {told}, which was not sent"
