"""The payer of a claim: from the coverages that it names, else from the patient's first; unknown where they differ."""

from datetime import date
from typing import Any

import pytest

from cds_service.audit.sites import NOT_NAMED
from cds_service.audit.sites import payer_of as audited_payer
from cds_service.core.case import ALWAYS, Case, Coverage, Line, Origin, Procedure, Term
from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.core.lazy_records import Records
from cds_service.core.site import Payer, Site
from cds_service.review.advisor import Advisor
from hooks.coding.questions import WHO_PAYS
from hooks.coding.setting_and_payer import (
    SOPT,
    is_outside_opps,
    names_of_payer,
    payer_answer,
    payer_of,
    setting_of_lines,
    takes_hospital_codes,
    unnamed_coverages,
    unresolved_coverages,
    with_payer,
)
from tests.rules.test_cases import advise, findings, not_checked

HERE = Origin("record", "Record/1")


def line(*coverages: str, names: tuple[str, ...] = (), **members: Any) -> Line:
    return Line(
        origin=HERE, under_review=True, **({"code": "93350", "coverages": coverages, "payer_names": names} | members)
    )


def coverage(name: str, sopt: str = "", *payors: str, **members: Any) -> Coverage:
    concept = Concept(codes=(Code(SOPT, sopt),) if sopt else ())
    own: dict[str, Any] = {"concept": concept, "payors": payors}
    return Coverage(origin=HERE, identity=f"Coverage/{name}", **(own | members))


def case_of(*coverages: Coverage, site: Site | None = None, lines: tuple[Line, ...] = ()) -> Case:
    return Case(stage="claim", coverages=Records(coverages), lines=Records(lines), site=site or Site())


MEDICARE, AETNA, UNNAMED = coverage("m", "121"), coverage("a", "5"), coverage("u")
FIRST, SECOND = coverage("f", "121", order=1), coverage("s", "5", order=2)

# The coverages received, the lines of the claim, and the payer.
CLAIMS: dict[str, tuple[tuple[Coverage, ...], tuple[Line, ...], str]] = {
    "the only coverage": ((MEDICARE,), (line(),), "medicare"),
    "no coverage": ((), (line(),), "unknown"),
    "no claim": ((AETNA,), (), "other"),
    "two coverages without an order": ((MEDICARE, AETNA), (line(),), "unknown"),
    "the first of two": ((FIRST, SECOND), (line(),), "medicare"),
    "the first of two, which comes last": ((SECOND, FIRST), (line(),), "medicare"),
    "an ordered one beside one without an order": ((AETNA, FIRST), (line(),), "medicare"),
    "two of the first order": ((FIRST, coverage("o", "5", order=1)), (line(),), "unknown"),
    "the one that the claim names": ((FIRST, SECOND), (line("Coverage/s"),), "other"),
    "two that the claim names": ((FIRST, SECOND), (line("Coverage/s", "Coverage/f"),), "unknown"),
    "one for each of two lines": ((FIRST, SECOND), (line("Coverage/s"), line("Coverage/f")), "unknown"),
    "by identifier": ((MEDICARE, coverage("i", "5", identifiers=("urn:x|7",))), (line("urn:x|7"),), "other"),
    "one that was not sent": ((MEDICARE,), (line("Coverage/none"),), "unknown"),
    "one that was sent and one that was not": ((MEDICARE,), (line("Coverage/m", "Coverage/none"),), "unknown"),
    "a name": ((AETNA,), (line(names=("Medicare",)),), "medicare"),
    "two names": ((), (line(names=("Medicare", "Aetna")),), "unknown"),
    "two names of other payers": ((), (line(names=("Cigna", "Aetna")),), "other"),
    "a reference is no name": ((), (line("Medicare"),), "unknown"),
    "a coverage without a payer": ((UNNAMED,), (line(),), "unknown"),
}


@pytest.mark.parametrize(("coverages", "lines", "payer"), CLAIMS.values(), ids=CLAIMS)
def test_the_payer_is(coverages: tuple[Coverage, ...], lines: tuple[Line, ...], payer: str) -> None:
    assert payer_of(case_of(*coverages), lines) == payer


# --- the days on which a coverage is in force -----------------------------------------------------------------------

DAY, BEFORE, AFTER = date(2026, 5, 5), date(2026, 5, 4), date(2026, 5, 6)
ENDED, NOT_YET = Term(last=BEFORE), Term(first=AFTER)
IN_FORCE = (ALWAYS, Term(first=DAY), Term(last=DAY), Term(DAY, DAY), Term(BEFORE, AFTER))
IN_DOUBT = (Term(unclear=True), Term(last=DAY, unsure=frozenset({DAY})))
ON_DAY = (line(day=DAY),)


def first(term: Term, name: str = "f") -> Coverage:
    return coverage(name, "121", order=1, term=term)


def then(term: Term = ALWAYS) -> Coverage:
    return coverage("t", "5", order=2, term=term)


@pytest.mark.parametrize("term", IN_FORCE)
def test_the_first_coverage_in_force_pays(term: Term) -> None:
    assert payer_of(case_of(first(term), then()), ON_DAY) == "medicare"
    assert payer_of(case_of(first(ENDED), then(term)), ON_DAY) == "other"


@pytest.mark.parametrize("term", [ENDED, NOT_YET, Term(first=AFTER, unclear=True)])
def test_a_coverage_that_is_not_in_force_pays_only_where_the_claim_names_it(term: Term) -> None:
    assert payer_of(case_of(first(term)), ON_DAY) == "unknown"
    assert payer_of(case_of(first(term), then(term)), ON_DAY) == "unknown"
    assert payer_of(case_of(first(term), coverage("a", "5")), ON_DAY) == "other", "one without an order is next"
    assert payer_of(case_of(first(term), then()), [line("Coverage/f", day=DAY)]) == "medicare"


@pytest.mark.parametrize("term", IN_DOUBT)
def test_a_coverage_that_may_be_in_force_may_pay(term: Term) -> None:
    assert payer_of(case_of(first(term)), ON_DAY) == "medicare"
    assert payer_of(case_of(first(term), then()), ON_DAY) == "unknown"
    assert payer_of(case_of(first(term), first(ALWAYS, "g"), then()), ON_DAY) == "medicare", "the first are alike"


def test_without_a_day_a_coverage_with_an_end_may_be_in_force() -> None:
    assert payer_of(case_of(first(ENDED), then()), [line()]) == "unknown"
    assert payer_of(case_of(first(ALWAYS), then(ENDED)), [line()]) == "medicare"


def test_the_payers_of_several_days_may_differ() -> None:
    changed = case_of(first(Term(last=DAY)), then())
    assert payer_of(changed, [line(day=DAY)]) == "medicare"
    assert payer_of(changed, [line(day=DAY), line(day=AFTER)]) == "unknown"
    assert payer_of(changed, [line(day=BEFORE, last_day=AFTER)]) == "unknown"
    assert payer_of(changed, [line(day=AFTER)]) == "other"


def test_where_nothing_is_charged_yet_the_days_under_review_decide() -> None:
    both = (first(ENDED), then())
    assert payer_of(case_of(*both, lines=(line(day=DAY),))) == "other"
    done = Procedure(origin=HERE, status="done", day=DAY, concept=Concept((Code(BILLING, "93351"),)), under_review=True)
    assert payer_of(case_of(*both).with_records(procedures=[done])) == "other"
    assert payer_of(case_of(*both)) == "unknown"


def test_an_audit_names_the_first_coverage_that_may_be_in_force() -> None:
    ended, next_one = coverage("e", "", "Medicare", term=ENDED), coverage("n", "", "Aetna", term=Term(first=DAY))
    both = case_of(ended, next_one)
    assert audited_payer([line(day=DAY)], both) == "Aetna"
    assert audited_payer([line(day=BEFORE)], both) == "Medicare"
    assert audited_payer([line()], both) == "Medicare", "the day is not known"
    assert audited_payer([line("Coverage/e", day=DAY)], both) == "Medicare"
    assert audited_payer([line(day=DAY)], case_of(ended)) == NOT_NAMED


TYPES_OF_PLAN = {
    "medicare": "1 12 121",
    "unknown": "11 111 112 113 119 122 123 129 13 14 141 142 19 191 1x",
    "other": "2 21 5 512 9",
}


@pytest.mark.parametrize(
    ("payer", "sopt"), [(payer, each) for payer, types in TYPES_OF_PLAN.items() for each in types.split()]
)
def test_a_type_of_plan_tells_the_payer(payer: str, sopt: str) -> None:
    assert payer_of(case_of(coverage("x", sopt, "Somebody"))) == payer


def test_of_two_types_of_medicare_one_may_not_be_fee_for_service() -> None:
    several = Concept((Code(SOPT, "12"), Code(SOPT, "122")))
    assert payer_of(case_of(coverage("x", concept=several))) == "unknown"
    assert payer_of(case_of(coverage("x", concept=Concept((Code(SOPT, "12"), Code(SOPT, "121")))))) == "medicare"


NAMES = {
    "medicare": "Medicare|medicare part b|Original Medicare|Traditional Medicare|CMS Medicare|Part A|Medicare FFS|"
    "Medicare fee-for-service",
    "other": "Aetna|Blue Cross|Medicaid of Ohio|Cigna PPO|United Healthcare",
    "unknown": "Humana Medicare Advantage|Medicare/Aetna|Aetna/Cigna|CMS|Noridian|Palmetto GBA|MCR|Aetna Medicare",
}


@pytest.mark.parametrize(
    ("payer", "name"), [(payer, name) for payer, names in NAMES.items() for name in names.split("|")]
)
def test_only_the_plain_name_is_fee_for_service_medicare(payer: str, name: str) -> None:
    assert payer_of(case_of(), [line(names=(name,))]) == payer
    assert payer_of(case_of(coverage("x", "", name))) == payer


def test_a_name_that_tells_the_payer_counts_more_than_one_that_does_not() -> None:
    assert payer_of(case_of(coverage("x", "", "Noridian", "Medicare"))) == "medicare"
    assert payer_of(case_of(coverage("x", "", "Noridian"))) == "unknown"


@pytest.mark.parametrize(
    ("words", "system", "payer"),
    [
        (("Medicare",), "", "medicare"),
        (("Aetna",), "", "other"),
        (("extended healthcare",), "", "unknown"),
        (("Health Insurance Plan Policy",), "", "unknown"),
        (("Aetna PPO",), "urn:local", "other"),
        (("Gold",), "urn:local", "unknown"),
        (("Gold",), "", "other"),
    ],
)
def test_the_words_of_a_type_of_plan_name_the_payer(words: tuple[str, ...], system: str, payer: str) -> None:
    concept = Concept(codes=(Code(system, "x"),) if system else (), words=words)
    found = coverage("x", concept=concept)
    assert payer_of(case_of(found)) == payer
    assert (unnamed_coverages(case_of(found)) == (found,)) is (payer == "unknown")


# --- coverages that tell nothing ------------------------------------------------------------------------------------

ENTRY = Payer(names=frozenset({"plan x"}), identifiers=frozenset({"77"}), types=frozenset(), answers={"medicare": True})
SITE = Site(payers=(ENTRY,))


def test_a_coverage_is_named_by_its_type_its_payor_or_the_site() -> None:
    known = (MEDICARE, AETNA, coverage("p", "", "Aetna"), coverage("i", identifiers=("urn:x|77",)))
    assert unnamed_coverages(case_of(*known, UNNAMED, site=SITE)) == (UNNAMED,)
    assert unnamed_coverages(case_of(*known, UNNAMED)) == (known[3], UNNAMED)


def test_a_reference_that_leads_nowhere_is_unresolved() -> None:
    lines = (line("Coverage/m"), line("Coverage/none"), line("Coverage/none", "urn:x|77", code="93352"))
    assert list(unresolved_coverages(case_of(MEDICARE, lines=lines))) == ["Coverage/none", "urn:x|77"]
    assert unresolved_coverages(case_of(MEDICARE, lines=lines))["Coverage/none"].code == "93350"
    assert list(unresolved_coverages(case_of(MEDICARE, site=SITE, lines=lines))) == ["Coverage/none"]


@pytest.mark.parametrize(("medicare", "payer"), [(True, "medicare"), (False, "other")])
def test_a_reading_gives_each_coverage_that_tells_nothing_one_payer(medicare: bool, payer: str) -> None:
    claim = line("Coverage/none")
    read = with_payer(medicare, case_of(UNNAMED, AETNA, lines=(claim,)))
    assert payer_of(read, [claim]) == payer
    assert payer_of(read, [line("Coverage/u")]) == payer
    assert payer_of(read, [line("Coverage/a")]) == "other"


# --- what the site says of its payers -------------------------------------------------------------------------------

YES = Payer(names=frozenset({"plan y"}), identifiers=frozenset(), types=frozenset({"5"}), answers={"c_codes": True})
NO = Payer(names=frozenset({"plan n"}), identifiers=frozenset(), types=frozenset(), answers={"c_codes": False})
SAYS = Site(payers=(YES, NO))


@pytest.mark.parametrize(
    ("names", "answer", "shared"),
    [
        (("Plan Y",), True, {"plan y"}),
        ((" plan n ",), False, {"plan n"}),
        (("Plan Y", "Plan N"), None, set()),
        (("Plan Z",), None, set()),
        (("Plan Y", "Plan Z"), None, set()),
        (("Medicare",), None, {"medicare"}),
        (("Medicare", "Plan Y"), None, set()),
        ((), None, set()),
    ],
)
def test_the_site_answers_for_its_payers(names: tuple[str, ...], answer: bool | None, shared: set[str]) -> None:
    claim = [line(names=names)]
    assert payer_answer(case_of(site=SAYS), claim, "c_codes") is answer
    assert names_of_payer(case_of(site=SAYS), claim) == shared


def test_the_site_knows_a_payer_by_the_type_of_its_plan() -> None:
    assert payer_answer(case_of(AETNA, site=SAYS), [line("Coverage/a")], "c_codes") is True
    assert payer_answer(case_of(MEDICARE, site=SAYS), [line("Coverage/m")], "c_codes") is None
    assert names_of_payer(case_of(MEDICARE, coverage("n", "121")), []) == {"medicare"}


# --- hospitals ------------------------------------------------------------------------------------------------------

CRITICAL = Site(hospital="critical-access")


@pytest.mark.parametrize(
    ("lines", "site", "is_outside"),
    [
        ([line(bill_type="13")], Site(), False),
        ([line(bill_type="85")], Site(), True),
        ([line(bill_type="13"), line(bill_type="85")], Site(), True),
        ([line(bill_type="12")], CRITICAL, False),
        ([line(claim_type="institutional")], CRITICAL, True),
        ([line(claim_type="institutional")], Site(), False),
        ([line(claim_type="professional")], CRITICAL, False),
        ([], CRITICAL, False),
    ],
)
def test_a_bill_tells_if_medicare_pays_by_opps(lines: list[Line], site: Site, is_outside: bool) -> None:
    assert is_outside_opps(lines, case_of(site=site)) is is_outside


@pytest.mark.parametrize(
    ("names", "bill", "takes"),
    [
        ("Medicare", "13", True),
        ("Medicare", "85", None),
        ("Aetna", "13", None),
        ("Plan Y", "85", True),
        ("Plan N", "13", False),
    ],
)
def test_hospital_codes_are_for_medicare_under_opps_and_as_the_site_says(
    names: str, bill: str, takes: bool | None
) -> None:
    assert takes_hospital_codes(case_of(site=SAYS), [line(names=(names,), bill_type=bill)]) is takes


@pytest.mark.parametrize(
    ("lines", "setting"),
    [
        ([line(claim_type="professional")], "professional"),
        ([line(claim_type="institutional")], "facility"),
        ([line(claim_type="institutional"), line(claim_type="professional")], "unknown"),
        ([line(claim_type="institutional"), line()], "facility"),
        ([line(claim_type="institutional"), line(modifiers=("26",))], "professional"),
        ([line(modifiers=("TC",))], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_setting_is(lines: list[Line], setting: str) -> None:
    assert setting_of_lines(lines) == setting


def test_a_payer_and_a_drug_that_are_not_understood_are_read_together(advisor: Advisor) -> None:
    """Only Medicare asks for C8930 in place of 93351, and only where contrast was given."""
    rule_id = "add-on-without-primary"
    case = {"institutional": "93320, Q9957x2", "done": ["93351"], "given": ["Definity 1.3 mL"], "payer": "Medicare"}
    (known,) = findings(advise(advisor, case), rule_id)
    assert [str(each) for fix in known.fixes if fix.recommended for each in fix.changes] == ["add C8930"]
    unclear = advise(advisor, {key: case[key] for key in case if key != "payer"} | {"given": ["RxNorm 9999999 1.3 mL"]})
    assert findings(unclear, rule_id) == []
    (undecided,) = not_checked(unclear, rule_id)
    drug, payer = str(undecided.reason).split("; ")
    assert drug.startswith("MedicationAdministration/given-5 carries code 9999999 of RxNorm")
    assert drug.endswith("it may be Definity (Q9957)")
    assert payer.startswith("Claim/claim-institutional item 1 names Coverage/coverage, which was not sent")
    assert payer.endswith("it may be fee-for-service Medicare")
    assert undecided.question == WHO_PAYS
