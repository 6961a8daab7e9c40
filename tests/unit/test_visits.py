"""The end of an encounter: what was done in it is under review, and the charges that are of it or may be."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

from cds_service.core.case import Line, Order, Origin, Record, Term, Visit
from cds_service.core.concepts import Concept
from cds_service.review.advisor import Advisor
from hooks.coding.studies import studies
from tests.rules.test_cases import SERVICES
from tests.support.ehr import not_checked, topics, warned
from tests.support.notation import bundle
from tests.unit.test_actions import ENCODER
from tests.unit.test_records import case_of, claim, coded, resource

Json = dict[str, Any]

SERVICE = SERVICES["contrast-echo-encounter-discharge"]
DAY, BEFORE, AFTER, LATER = (date(2026, 5, day) for day in (5, 4, 6, 9))
HERE, ELSEWHERE = {"reference": "Encounter/e1"}, {"reference": "Encounter/e2"}
UNKNOWN = [
    None,
    {"reference": "EpisodeOfCare/1"},
    {"identifier": {"system": "urn:visits", "value": "1"}},
    {"display": "Visit of May 5"},
    {"reference": "urn:uuid:5a6b1c1e-0000-4000-8000-000000000000"},
]
EMPTY: list[Json] = []


def numbered(made: Json, identity: str) -> Json:
    return made | {"id": identity}


def done(code: str = "93351", visit: Json | None = HERE, day: date | str = DAY, identity: str = "p") -> Json:
    named = {"encounter": visit} if visit else {}
    fields = {"code": coded(code), "performedDateTime": str(day)} | named
    return numbered(resource("Procedure", "completed", **fields), identity)


def given(visit: Json | None = HERE, day: date = DAY, identity: str = "m") -> Json:
    fields = {
        "medicationCodeableConcept": {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "11994-0011-04"}]},
        "effectiveDateTime": str(day),
        "dosage": {"dose": {"value": 1.3, "unit": "mL"}},
    } | ({"context": visit} if visit else {})
    return numbered(resource("MedicationAdministration", "completed", **fields), identity)


def charged(
    code: str = "93351", visit: Json | None = HERE, day: date | None = DAY, units: int = 1, **more: Any
) -> Json:
    fields = {"code": coded(code), "quantity": {"value": units}} | more
    fields |= {"occurrenceDateTime": str(day)} if day else {}
    fields |= {"context": visit} if visit else {}
    return numbered(resource("ChargeItem", "billable", **fields), f"c-{code}-{day}")


def at_end(advisor: Advisor, *records: Json, charges: Iterable[Json] = EMPTY, encounter: Json | None = None) -> Json:
    """The answer at the end of the encounter, with all of the patient's charges."""
    found: dict[str, list[Json]] = {"procedures": [], "medicationAdministrations": []}
    for each in records:
        found["procedures" if each["resourceType"] == "Procedure" else "medicationAdministrations"].append(each)
    prefetch = {name: bundle(each) for name, each in (found | {"chargeItems": list(charges), "coverages": []}).items()}
    prefetch |= {"encounter": encounter} if encounter else {}
    request = {
        "hook": "encounter-discharge",
        "hookInstance": "0b6c8d1e-5a52-4f0c-9d59-0c3b6a2f7a11",
        "context": {"userId": "Practitioner/d1", "patientId": "p1", "encounterId": "e1"},
        "prefetch": prefetch,
    }
    answer: Json = json.loads(ENCODER.encode(advisor.answer(SERVICE, json.dumps(request).encode()).response))
    return answer


MISSING = ["contrast-add-on-missing", "performed-not-charged"]
ADD_ON = ["contrast-add-on-missing"]
SOUND = (("93351", 1), ("93352", 1), ("Q9957", 2))


# --- what was done and not charged ----------------------------------------------------------------------------------


def test_a_study_of_which_nothing_is_charged_is_asked_for(advisor: Advisor) -> None:
    assert warned(at_end(advisor, done(), given())) == MISSING
    assert warned(at_end(advisor, done())) == ["performed-not-charged"]
    assert topics(at_end(advisor, done("93306"))) == []
    assert topics(at_end(advisor, given())) == []


@pytest.mark.parametrize("visit", [HERE, *UNKNOWN], ids=str)
def test_charges_that_may_be_of_the_encounter_are_reviewed(advisor: Advisor, visit: Json | None) -> None:
    assert warned(at_end(advisor, done(), given(), charges=[charged(visit=visit)])) == ADD_ON
    sound = [charged(code, visit, units=units) for code, units in SOUND]
    assert topics(at_end(advisor, done(), given(), charges=sound)) == []


def test_a_charge_without_a_day_may_be_of_the_encounter(advisor: Advisor) -> None:
    undated = charged(visit=None, day=None)
    answer = at_end(advisor, done(), given(), charges=[undated])
    assert (topics(answer), not_checked(answer)) == ([], set(ADD_ON))
    linked = undated | {"service": [{"reference": "Procedure/p"}]}
    assert warned(at_end(advisor, done(), given(), charges=[linked])) == ADD_ON


@pytest.mark.parametrize("visit", UNKNOWN, ids=str)
def test_a_study_of_no_known_encounter_is_reviewed_on_a_day_of_this_one(advisor: Advisor, visit: Json | None) -> None:
    study = done(visit=visit)
    assert warned(at_end(advisor, study, given())) == MISSING, "the agent was given in the encounter"
    assert warned(at_end(advisor, study, given(visit), done("71046", identity="x"))) == MISSING
    assert topics(at_end(advisor, study, given(visit), done("71046", day=LATER, identity="x"))) == []


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"start": "2026-05-05"}, MISSING),
        ({"start": "2026-05-01", "end": "2026-05-05"}, MISSING),
        ({"start": "2026-05-05T14:00:00Z", "end": "2026-05-05T16:00:00Z"}, MISSING),
        ({"start": "2026-05-06", "end": "2026-05-07"}, []),
        ({"start": "2026-05-01", "end": "2026-05-04"}, []),
        ({"end": "2026-05-07"}, []),
        ({"start": "today"}, []),
    ],
    ids=str,
)
def test_the_period_of_the_encounter_tells_its_days(
    advisor: Advisor, period: dict[str, str], expected: list[str]
) -> None:
    encounter = {"resourceType": "Encounter", "id": "e1", "status": "finished", "period": period}
    records = (done(visit=None), given(None))
    assert warned(at_end(advisor, *records, encounter=encounter)) == expected
    assert topics(at_end(advisor, *records, encounter=numbered(encounter, "e2"))) == []


# --- what is not under review ---------------------------------------------------------------------------------------


def test_studies_of_other_encounters_and_of_earlier_days_are_left_alone(advisor: Advisor) -> None:
    elsewhere = (done(visit=ELSEWHERE), given(ELSEWHERE))
    assert topics(at_end(advisor, *elsewhere)) == []
    assert topics(at_end(advisor, *elsewhere, charges=[charged(visit=ELSEWHERE)])) == []
    now = (done(day=LATER, identity="now"), given(day=LATER, identity="given-now"))
    sound = [charged(code, day=LATER, units=units) for code, units in SOUND]
    earlier = (done(visit=None), given(None))
    for charges in (EMPTY, [charged(visit=None)]):
        assert topics(at_end(advisor, *now, *earlier, charges=[*sound, *charges])) == []
        assert topics(at_end(advisor, *now, *elsewhere, charges=[*sound, *charges])) == []


def test_where_nothing_tells_the_days_of_the_encounter_nothing_is_of_it(advisor: Advisor) -> None:
    answer = at_end(advisor, done(visit=None), given(None), charges=[charged(visit=None)])
    assert topics(answer) == []


def test_charges_that_may_be_incomplete_leave_it_open(advisor: Advisor) -> None:
    local = {"code": {"coding": [{"system": "urn:local", "code": "ECHO"}]}}
    answer = at_end(advisor, done(), given(), charges=[charged("x", visit=None) | local])
    assert topics(answer) == []
    assert set(MISSING) <= not_checked(answer)


# --- the law --------------------------------------------------------------------------------------------------------

VISIT = Visit("Encounter/e1", frozenset({DAY}), None, frozenset({"Procedure/here"}), frozenset({"Procedure/there"}))


def line(**members: Any) -> Line:
    return Line(origin=Origin("record", "Record/1"), code="93351", **members)


def referring(*links: str, **members: Any) -> Line:
    return line(links=frozenset(links), **members)


@pytest.mark.parametrize(
    ("record", "may_be"),
    [
        (line(encounter="Encounter/e1"), True),
        (line(encounter="Encounter/e2", day=DAY), False),
        (referring("Procedure/here", encounter="Encounter/e2", day=DAY), False),
        (line(day=DAY), True),
        (line(day=BEFORE), False),
        (line(day=AFTER), False),
        (line(day=AFTER, utc_hour=1), True),
        (line(day=BEFORE, last_day=DAY), True),
        (line(), False),
        (referring("Procedure/here"), True),
        (referring("Procedure/here", day=LATER), True),
        (referring("Procedure/there", day=DAY), False),
        (referring("Procedure/here", "Procedure/there", day=DAY), True),
        (referring("Procedure/unknown", day=DAY), True),
        (line(encounter="EpisodeOfCare/1", day=DAY), True),
        (line(day=date.min, utc_hour=0), False),
    ],
)
def test_a_record_may_be_of_a_visit(record: Record, may_be: bool) -> None:
    assert VISIT.may_hold(record) is may_be


def test_a_visit_without_an_end_goes_on() -> None:
    visit = Visit("Encounter/e1", term=Term(first=DAY))
    assert [visit.may_hold(line(day=day)) for day in (BEFORE, DAY, LATER)] == [False, True, True]
    unsure = Visit("Encounter/e1", term=Term(BEFORE, DAY, unsure=frozenset({BEFORE})))
    assert [unsure.may_hold(line(day=day)) for day in (BEFORE, DAY, AFTER)] == [True, True, False]


def visit_of(*resources: Json) -> Visit | None:
    return case_of(*resources, encounter_id="e1", review_encounter=True).visit


def test_the_resources_of_an_encounter_tell_its_days() -> None:
    item = {"sequence": 1, "productOrService": coded("93350"), "servicedDate": "2026-05-09", "encounter": [HERE]}
    told = visit_of(
        done(),
        done("93306", ELSEWHERE, LATER, "other"),
        given(None, AFTER),
        done("93306", day="2026-05-04T01:30:00Z", identity="utc"),
        resource("ServiceRequest", "active", encounter=HERE, occurrenceDateTime="2026-06-01"),
        resource("Procedure", "entered-in-error", encounter=HERE, performedDateTime="2026-06-02") | {"id": "wrong"},
        claim(item),
    )
    days = frozenset({date(2026, 5, 3), BEFORE, DAY, LATER})
    here, elsewhere = frozenset({"Procedure/p", "Procedure/utc"}), frozenset({"Procedure/other"})
    assert told == Visit("Encounter/e1", days, None, here, elsewhere)


def test_other_hooks_review_no_encounter() -> None:
    case = case_of(done(), given(), reviewed=0, encounter_id="e1")
    assert case.visit is None
    assert [each.under_review for each in studies(case)] == [False]


def test_an_order_is_never_of_the_visit() -> None:
    """It may have been written for another one."""
    case = case_of(done(), encounter_id="e1", review_encounter=True)
    order = Order(origin=Origin("record", "Record/1"), kind="service", concept=Concept(), encounter="Encounter/e1")
    assert (case.is_of_visit(order), case.is_of_visit(case.procedures[0])) == (False, True)
