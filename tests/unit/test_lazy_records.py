"""Records are found by what is written in their resources as if all of them had been made."""

import json
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.core.case import Case, Record
from cds_service.core.lazy_records import Records
from cds_service.core.site import Site
from cds_service.fhir.read import read_case
from cds_service.fhir.sources import SourceResource

# One type for each way in which a resource states its day, with the members of a moment and of a period.
TYPES: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "Procedure": ({"status": "completed"}, "performedDateTime", "performedPeriod"),
    "MedicationAdministration": (
        {"status": "completed", "medicationCodeableConcept": {"text": "saline"}},
        "effectiveDateTime",
        "effectivePeriod",
    ),
    "ServiceRequest": ({"status": "active", "intent": "order"}, "occurrenceDateTime", "occurrencePeriod"),
    "MedicationRequest": ({"status": "active", "intent": "order"}, "authoredOn", None),
    "Observation": ({"status": "final", "code": {"text": "ECG"}}, "effectiveDateTime", "effectivePeriod"),
    "DiagnosticReport": ({"status": "final", "code": {"text": "ECG"}}, "effectiveDateTime", "effectivePeriod"),
    "ImagingStudy": ({"status": "available"}, "started", None),
    "DocumentReference": ({"status": "current", "content": []}, "date", None),
    "ChargeItem": ({"status": "billable", "code": {"text": "visit"}}, "occurrenceDateTime", "occurrencePeriod"),
}
MEMBERS = ("lines", "procedures", "administrations", "orders", "observations", "documents")

DAYS = st.integers(12, 20).map(lambda day: f"2026-03-{day:02}")
CLOCKS = st.sampled_from(["", "T00:00:00Z", "T03:30:00Z", "T23:59:59Z", "T23:00:00-05:00", "T01:00:00+13:00"])
DATED = st.builds("{}{}".format, DAYS, CLOCKS)
MOMENTS = st.one_of(
    DATED,
    DATED,
    DATED,
    st.sampled_from(["2026", "2026-03", "2026-02-30", "2026-13-45", "2026-03-17Tnoon", "17.03.2026", "0001-01-01"]),
)
PERIODS = st.fixed_dictionaries({}, optional={"start": MOMENTS, "end": MOMENTS})


@st.composite
def resources(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(TYPES)))
    members, moment, period = TYPES[kind]
    when: dict[str, Any] = {}
    if period and draw(st.booleans()):
        when[period] = draw(PERIODS)
    else:
        when[moment] = draw(MOMENTS)
    if kind == "ServiceRequest" and draw(st.booleans()):
        when["authoredOn"] = draw(MOMENTS)
    if kind == "Observation" and draw(st.booleans()):
        when["partOf"] = [{"reference": "Procedure/1"}]
    return {"resourceType": kind, **members, **when}


def case_of(bundle: list[dict[str, Any]], reviewed: set[int], zone: str | None) -> Case:
    site = Site(time_zone=ZoneInfo(zone)) if zone else Site()
    sources = [
        SourceResource(
            f"entry[{number}]",
            msgspec.Raw(json.dumps(resource | {"id": str(number)}).encode()),
            under_review=number in reviewed,
        )
        for number, resource in enumerate(bundle)
    ]
    return read_case(sources, stage="order", site=site).case


def is_of(record: Record, days: frozenset[date]) -> bool:
    return record.day is None or record.day in days


@given(
    bundle=st.lists(resources(), min_size=4, max_size=8),
    reviewed=st.sets(st.integers(0, 7)),
    days=st.frozensets(st.dates(date(2026, 3, 13), date(2026, 3, 19)), min_size=1, max_size=4),
    zone=st.sampled_from([None, "America/Los_Angeles", "Pacific/Kiritimati"]),
)
def test_what_is_found_by_what_is_written_is_what_would_be_found_among_the_records(
    bundle: list[dict[str, Any]], reviewed: set[int], days: frozenset[date], zone: str | None
) -> None:
    found, made = case_of(bundle, reviewed, zone), case_of(bundle, reviewed, zone)
    for member in MEMBERS:
        records: Records[Record] = getattr(found, member)
        every: list[Record] = list(getattr(made, member))
        assert list(records.near(days)) == [each for each in every if is_of(each, days)]
        assert list(records.matching_near(days, bool)) == [
            each for each in every if each.under_review or is_of(each, days)
        ]
        assert list(records.candidates_on(days)) == [each for each in every if each.links or is_of(each, days)]
        names = frozenset(each.identity for each in every[::2])
        assert list(records.identified_by(names)) == every[::2]
        assert list(records.under_review()) == [each for each in every if each.under_review]
        assert list(records) == every


@pytest.mark.parametrize("kind", TYPES)
def test_no_record_is_made_to_see_that_it_is_of_a_distant_day(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    members, moment, period = TYPES[kind]
    dated = {"resourceType": kind, **members, moment: "2026-03-16"}
    bundle = [dated] + ([{"resourceType": kind, **members, period: {"start": "2026-03-16"}}] if period else [])
    case = case_of(bundle, set(), None)
    held = [records for records in (getattr(case, member) for member in MEMBERS) if len(records)]
    assert len(held) == 1
    made = list[int]()
    monkeypatch.setattr(Records, "_at", lambda _, number: made.append(number))
    assert list(held[0].near(frozenset({date(2026, 3, 18)}))) == []
    assert made == []
