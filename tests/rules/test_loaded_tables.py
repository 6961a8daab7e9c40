"""Loaded tables of CMS: the rules of every code speak of any code, by the release of the day, and of nothing else."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.cdshooks.messages import Card
from cds_service.cms.lookup import Tables
from cds_service.cms.quarters import Quarter
from cds_service.core.rules import Finding
from cds_service.core.site import CodeScope, HospitalKind
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.report import report_of
from tests.rules.test_cases import SERVICES
from tests.support.cms_release import Release, load
from tests.support.notation import body_of, request_of, service_of

IN_2018, IN_Q2, IN_GAP, IN_Q4 = "2018-05-01", "2026-05-04", "2026-08-03", "2026-11-02"
MEDICARE, OTHER, UNKNOWN = {"payer": "SOPT 121"}, {"payer": "SOPT 512"}, {"payer": "SOPT 111"}

Q2 = Release(
    Quarter(2026, 2),
    limits={"professional": [("20550", "2", "2")], "facility": [("20550", "3", "2")]},
    components=[("20550", "1")],
    statuses=[("20550", "B"), ("97597", "T")],
    level_ii=[("J1030", "20000101", "")],
)
PRACTITIONER_PAIRS = (
    ("11042", "97597", "20100101", "*", "1"),
    ("20550", "20551", "20100101", "20171231", "0"),
    ("20550", "20551", "20200101", "20260630", "1"),
    ("20550", "20551", "20260701", "*", "0"),
    ("20600", "20604", "20260101", "20260101", "9"),
    ("64483", "64400", "20150101", "*", "0"),
    ("93350", "64400", "20150101", "*", "0"),
    ("99213", "20550", "20150101", "*", "1"),
)
HOSPITAL_PAIRS = (
    ("11042", "97597", "20100101", "*", "0"),
    ("76942", "20550", "20200101", "*", "1"),
    ("76942", "64400", "20200101", "*", "0"),
)
Q4 = Release(
    Quarter(2026, 4),
    pairs={"professional": PRACTITIONER_PAIRS, "facility": HOSPITAL_PAIRS},
    limits={
        "professional": [
            ("20550", "5", "2"),
            ("97110", "6", "3"),
            ("95115", "1", "1"),
            ("99999", "0", "2"),
            ("00790", "1", "2"),
            ("29881", "1", "2"),
            ("E0601", "0", "2"),
            ("A4253", "2", "3"),
            ("93350", "2", "2"),
        ],
        "facility": [("20550", "4", "3"), ("97110", "8", "3"), ("15004", "0", "2")],
        "dme": [("E0601", "1", "2")],
    },
    add_ons=[
        ("1", "97598", "97597", "2013-04-01", ""),
        ("1", "11045", "11042", "2013-04-01", "2020-12-31"),
        ("1", "11045", "11043", "2021-01-01", ""),
        ("2", "99292", "CCCCC", "2013-04-01", ""),
        ("3", "64484", "64483", "2013-04-01", ""),
        ("1", "15003", "15002", "2013-04-01", ""),
        ("1", "15003", "CCCCC", "2013-04-01", ""),
        ("1", "93352", "93351", "2013-04-01", ""),
    ],
    components=[("20550", "0"), ("76942", "1"), ("93352", "0"), ("36415", "9")],
    statuses=[("20550", "T"), ("99214", "B"), ("15777", "M"), ("97597", "T")],
    level_ii=[
        ("J1030", "20000101", ""),
        ("J9999", "20200101", "20260930"),
        ("J8888", "20261201", ""),
        ("Q9956", "20040101", "20260930"),
        ("C9757", "20200101", ""),
        ("E0601", "20000101", ""),
        ("A4253", "20000101", ""),
    ],
)


@dataclass(frozen=True)
class Site:
    """An advisor with the loaded releases."""

    advisor: Advisor

    def answer(self, case: dict[str, Any]) -> Answer:
        return self.advisor.answer(SERVICES[service_of(case)], body_of({"day": IN_Q4} | case))

    def found(self, case: dict[str, Any]) -> list[tuple[str, Finding]]:
        return [(rule.id, finding) for rule, finding in self.answer(case).review.findings]

    def open(self, case: dict[str, Any]) -> list[tuple[str, str]]:
        return [(rule.id, each.reason) for rule, each in self.answer(case).review.not_checked]

    def cards(self, case: dict[str, Any]) -> tuple[Card, ...]:
        return self.answer(case).response.cards


MakeSite = Callable[..., Site]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second and the fourth quarter, not the third."""
    return load(tmp_path_factory.mktemp("tables"), Q2, Q4)


@pytest.fixture(scope="module")
def make(advisor: Advisor) -> MakeSite:
    """Makes a site with the tables of a folder."""

    def made(folder: Path | None, scope: CodeScope = "all", hospital: HospitalKind = "outpatient") -> Site:
        site = replace(advisor.site, scope=scope, hospital=hospital)
        return Site(replace(advisor, tables=Tables(folder), site=site))

    return made


@pytest.fixture(scope="module")
def site(folder: Path, make: MakeSite) -> Site:
    """`scope: all` with the loaded tables."""
    return make(folder)


# --- what each rule flags -------------------------------------------------------------------------------------------

PTP_Q4, PTP_HOSPITAL_Q4 = "PTP edits, practitioner, 2026Q4", "PTP edits, hospital, 2026Q4"
MUE_Q2, MUE_Q4, MUE_HOSPITAL_Q4 = (
    "MUE, practitioner, 2026Q2",
    "MUE, practitioner, 2026Q4",
    "MUE, outpatient hospital, 2026Q4",
)
ADD_ONS_Q4, FEES_Q4 = "Add-on codes, 2026Q4", "Fee schedule, nonQPP, 2026Q4"
OPPS_Q2, OPPS_Q4, LEVEL_II_Q4 = "OPPS Addendum B, 2026Q2", "OPPS Addendum B, 2026Q4", "HCPCS Level II, 2026Q4"

FLAGS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "pair of indicator 1": ("pair-conflict", {"professional": "11042, 97597"}, "97597 with 11042: not paid", PTP_Q4),
    "pair of indicator 0": ("pair-conflict", {"professional": "64483, 64400"}, "64400 is not paid with", PTP_Q4),
    "an echo's code with another": ("pair-conflict", {"professional": "93350, 64400"}, "64400 is not paid", PTP_Q4),
    "pair of indicator 0 with a modifier": ("pair-conflict", {"professional": "64483, 64400-59"}, "64400 is", PTP_Q4),
    "pair with a repeat modifier": ("pair-conflict", {"professional": "11042, 97597-76"}, "97597 with 11042", PTP_Q4),
    "hospital's pair": ("pair-conflict", {"institutional": "11042, 97597"}, "97597 is not paid", PTP_HOSPITAL_Q4),
    "first period of a pair": (
        "pair-conflict",
        {"professional": "20550, 20551", "day": "2017-12-31"},
        "20551 is not paid",
        PTP_Q4,
    ),
    "second period": (
        "pair-conflict",
        {"professional": "20550, 20551", "day": "2026-06-30"},
        "20551 with 20550: not",
        PTP_Q4,
    ),
    "third period": (
        "pair-conflict",
        {"professional": "20550, 20551", "day": "2026-07-01"},
        "20551 is not paid",
        PTP_Q4,
    ),
    "pair of 2018": ("pair-conflict", {"professional": "11042, 97597", "day": IN_2018}, "97597 with 11042", PTP_Q4),
    "units of one quarter": ("units-over-limit", {"professional": "20550x3", "day": IN_Q2}, "3 units", MUE_Q2),
    "units of the next": ("units-over-limit", {"professional": "20550x6"}, "Medicare pays at most 5", MUE_Q4),
    "hospital's units": ("units-over-limit", {"institutional": "20550x5"}, "pays at most 4", MUE_HOSPITAL_Q4),
    "units of several lines": ("units-over-limit", {"professional": "97110x4, 97110x3-59"}, "7 units", MUE_Q4),
    "units of a line": ("units-over-limit", {"professional": "95115x2"}, "2 units", MUE_Q4),
    "limit of 0": ("units-over-limit", {"professional": "99999"} | MEDICARE, "Medicare pays none", MUE_Q4),
    "a practitioner's part of equipment": (
        "units-over-limit",
        {"professional": "E0601-26"} | MEDICARE,
        "Medicare pays none",
        MUE_Q4,
    ),
    "add-on of type I": (
        "add-on-without-primary",
        {"professional": "97598, 36415"},
        "97598 is charged without",
        ADD_ONS_Q4,
    ),
    "add-on alone": ("add-on-without-primary", {"institutional": "97598"}, "97598 is charged without", ADD_ONS_Q4),
    "ended primary": (
        "add-on-without-primary",
        {"professional": "11045, 11042"},
        "11045 is charged without",
        ADD_ONS_Q4,
    ),
    "primary not begun": (
        "add-on-without-primary",
        {"professional": "11045, 11043", "day": IN_2018},
        "11045 is charged without",
        ADD_ONS_Q4,
    ),
    "26 on an undivided code": ("add-on-modifier", {"professional": "20550-26"}, "20550 never takes 26", FEES_Q4),
    "TC on one": ("add-on-modifier", {"professional": "20550-TC"}, "20550 never takes TC", FEES_Q4),
    "ended code": ("code-not-active", {"professional": "J9999"}, "J9999 is not in effect", LEVEL_II_Q4),
    "code not begun": ("code-not-active", {"institutional": "J8888"}, "J8888 is not in effect", LEVEL_II_Q4),
    "C code in an office": (
        "code-for-other-setting",
        {"professional": "C9757", "place": "11"},
        "C9757 on a practi",
        LEVEL_II_Q4,
    ),
    "status B": ("code-for-other-setting", {"institutional": "99214"} | MEDICARE, "99214 is not paid on a M", OPPS_Q4),
    "status M": ("code-for-other-setting", {"institutional": "15777"} | MEDICARE, "15777 is not paid on a M", OPPS_Q4),
    "status of another quarter": (
        "code-for-other-setting",
        {"institutional": "20550", "day": IN_Q2} | MEDICARE,
        "20550 is not paid on a Medicare",
        OPPS_Q2,
    ),
    "TC on a hospital claim": ("code-for-other-setting", {"institutional": "76942-TC"}, "76942 with TC", FEES_Q4),
}


@pytest.mark.parametrize(("rule", "case", "says", "cites"), FLAGS.values(), ids=FLAGS)
def test_flags(site: Site, rule: str, case: dict[str, Any], says: str, cites: str) -> None:
    ((found, finding),) = site.found(case)
    assert found == rule
    assert says in finding.summary
    assert [source.document.split(" (")[0] for source in finding.sources] == [cites], (
        "exactly the release that answered"
    )
    (card,) = site.cards(case)
    assert cites in card.source.label


@pytest.mark.parametrize("case", [each[1] for each in FLAGS.values()], ids=FLAGS)
def test_cards_of_other_codes_do_not_speak_of_echoes(site: Site, case: dict[str, Any]) -> None:
    (card,) = site.cards(case)
    assert card.source.topic is not None
    labels = [each.label for each in card.suggestions or ()]
    reasons = [each.display or "" for each in card.override_reasons or ()]
    notes = (card.detail or "").split("**Why**")[0]
    for text in (card.summary, card.source.label, card.source.topic.display or "", notes, *labels, *reasons):
        assert not re.search(r"\becho|contrast|\bstudy\b", text, re.IGNORECASE), text


# --- what passes ----------------------------------------------------------------------------------------------------

PASSES: dict[str, dict[str, Any]] = {
    "a pair on another claim": {"professional": "11042", "institutional": "97597"},
    "a pair of the other setting": {"institutional": "64483, 64400"},
    "the reverse order has no edit of its own": {"professional": "97597, 20600"},
    "an edit that never was in force": {"professional": "20600, 20604", "day": "2026-01-01"},
    "between two periods of a pair": {"professional": "20550, 20551", "day": IN_2018},
    "before a pair": {"professional": "64483, 64400", "day": "2014-12-31"},
    "59 on the second code": {"professional": "11042, 97597-59"},
    "XS on the first": {"professional": "11042-XS, 97597"},
    "25 on a visit": {"professional": "99213-25, 20550"},
    "57 on a visit": {"professional": "99213-57, 20550"},
    "two sites": {"professional": "11042-RT, 97597-LT"},
    "a finger": {"professional": "11042, 97597-F5"},
    "a toe": {"professional": "11042-TA, 97597"},
    "an eyelid": {"professional": "11042, 97597-E1"},
    "an artery": {"professional": "11042, 97597-RI"},
    "another encounter": {"professional": "11042, 97597-27"},
    "a repeated test": {"professional": "11042, 97597-91"},
    "a modifier on charges that may be of either setting": {"lines": "76942-59, 20550"},
    "a hospital's pair beside a practitioner's share": {"lines": "76942, 64400-26"},
    "another practitioner": {"professional": "11042 by A, 97597 by B"},
    "units up to the limit": {"professional": "20550x5"},
    "units up to the other quarter's": {"professional": "20550x2", "day": IN_Q2},
    "several lines, each within a limit per line": {"professional": "95115, 95115-59"},
    "a repeat on a line of its own": {"professional": "95115, 95115-76, 95115-76"},
    "both sides": {"professional": "29881-50"},
    "an assistant": {"professional": "29881, 29881-80"},
    "an assistant who is no physician": {"professional": "29881-RT, 29881-AS"},
    "two surgeons": {"professional": "29881-62 by A, 29881-62 by B"},
    "a code without a published limit": {"professional": "36415x40"},
    "minutes of anesthesia": {"professional": "00790x95"},
    "a limit of 0 with another payer": {"professional": "99999"} | OTHER,
    "a supplier": {"professional": "E0601", "place": "12"} | MEDICARE,
    "an add-on with its primary": {"professional": "97597, 97598x3"},
    "an add-on of 2018 with the primary of then": {"professional": "11042, 11045", "day": "2018-05-01"},
    "an add-on of today with the primary of today": {"professional": "11043, 11045"},
    "an add-on of type III with a listed primary": {"institutional": "64483, 64484"},
    "a primary on another claim of the day": {"professional": "97598", "lines": "97597"},
    "26 on a code of two components": {"professional": "76942-26"},
    "26 where components do not apply": {"professional": "36415-26"},
    "26 on a code in another quarter": {"professional": "20550-26", "day": IN_Q2},
    "26 on a code without a row": {"professional": "99999-26"} | OTHER,
    "a code on its last day": {"professional": "J9999", "day": "2026-09-30"},
    "a code on its first day": {"professional": "J8888", "day": "2026-12-01"},
    "a dentist's code": {"professional": "D0120"},
    "a state's code": {"professional": "W9999"},
    "a C code in a surgery center": {"professional": "C9757", "place": "24"},
    "a C code on a hospital claim": {"institutional": "C9757"} | MEDICARE,
    "status B with another payer": {"institutional": "99214"} | OTHER,
    "status B on a practitioner's claim": {"professional": "99214"} | MEDICARE,
    "status T": {"institutional": "20550"} | MEDICARE,
    "a code that Addendum B does not list": {"institutional": "36415"} | MEDICARE,
}


@pytest.mark.parametrize("case", PASSES.values(), ids=PASSES)
def test_passes(site: Site, case: dict[str, Any]) -> None:
    answer = site.answer(case)
    assert [(rule.id, each.summary) for rule, each in answer.review.findings] == []
    quarterly = f"no loaded release has {case.get('day', IN_Q4)}"
    assert {quarterly in each.reason for _, each in answer.review.not_checked} <= {True}
    assert answer.response.cards == ()
    assert not answer.review.empty


# Why a rule passes, for some of these.
BECAUSE: dict[str, tuple[str, str]] = {
    "a pair on another claim": ("pair-conflict", "11042 and 97597 are not on one party's claim"),
    "a pair of the other setting": ("pair-conflict", "64483 and 64400 are paid together as billed on 2026-11-02"),
    "before a pair": ("pair-conflict", "no NCCI pair is among 64483 and 64400 on 2014-12-31"),
    "59 on the second code": ("pair-conflict", "11042 and 97597 are paid together as billed on 2026-11-02"),
    "another practitioner": ("pair-conflict", "11042 and 97597 are charged by different practitioners"),
    "units up to the limit": ("units-over-limit", "20550: 5 units on 2026-11-02, at most 5"),
    "units up to the other quarter's": ("units-over-limit", "20550: 2 units on 2026-05-04, at most 2"),
    "several lines, each within a limit per line": (
        "units-over-limit",
        "95115: no line has more than 1 unit on 2026-11-02",
    ),
    "an assistant": ("units-over-limit", "29881: 1 unit on 2026-11-02, at most 1"),
    "two surgeons": ("units-over-limit", "29881: 1 unit on 2026-11-02, at most 1"),
    "a code without a published limit": ("units-over-limit", "36415 has no unit limit of Medicare"),
    "minutes of anesthesia": ("units-over-limit", "nothing whose unit limit this rule checks is charged"),
    "a limit of 0 with another payer": ("units-over-limit", "the payer of 99999 is not Medicare"),
    "a supplier": ("units-over-limit", "E0601: 1 unit on 2026-11-02, at most 1"),
    "an add-on with its primary": ("add-on-without-primary", "97598 stands beside 97597 on 2026-11-02"),
    "26 on a code of two components": ("add-on-modifier", "the fee schedule does not refuse 26 on 76942"),
    "a code on its last day": ("code-not-active", "J9999 is in effect on 2026-09-30"),
    "a C code in a surgery center": (
        "code-for-other-setting",
        "the practitioner's claim has no hospital outpatient code: C9757",
    ),
    "status B with another payer": ("code-for-other-setting", "the payer of 99214 is not Medicare"),
    "status T": ("units-over-limit", "20550: 1 unit on 2026-11-02, at most 4"),
}


@pytest.mark.parametrize("name", BECAUSE)
def test_a_rule_passes_because(site: Site, name: str) -> None:
    rule, reason = BECAUSE[name]
    assert [each.reason for each in report_of(site.answer(PASSES[name])).passed if each.rule == rule] == [reason]


# --- what is not decided --------------------------------------------------------------------------------------------

ABSTAINS: dict[str, tuple[str, dict[str, Any], str]] = {
    "units of 2018": (
        "units-over-limit",
        {"professional": "20550x9", "day": IN_2018},
        "MUE, practitioner: no loaded release has 2018-05-01",
    ),
    "units of charges that may be of either setting": (
        "units-over-limit",
        {"lines": "20550x9", "day": IN_2018},
        "MUE, practitioner: no loaded release has 2018-05-01",
    ),
    "units between two quarters": (
        "units-over-limit",
        {"professional": "20550x9", "day": IN_GAP},
        "MUE, practitioner: no loaded release has 2026-08-03",
    ),
    "units after the last quarter": (
        "units-over-limit",
        {"professional": "20550x9", "day": "2027-01-04"},
        "MUE, practitioner: the loaded releases end on 2026-12-31",
    ),
    "status between two quarters": (
        "code-for-other-setting",
        {"institutional": "99214", "day": IN_GAP} | MEDICARE,
        "OPPS Addendum B: no loaded release has 2026-08-03",
    ),
    "26 between two quarters": (
        "add-on-modifier",
        {"professional": "20550-26", "day": IN_GAP},
        "Fee schedule, nonQPP: no loaded release has 2026-08-03",
    ),
    "pairs after the last quarter": (
        "pair-conflict",
        {"professional": "11042, 97597", "day": "2027-01-04"},
        "PTP edits, practitioner: the loaded releases end on 2026-12-31",
    ),
    "pairs before 1996": (
        "pair-conflict",
        {"professional": "11042, 97597", "day": "1995-05-04"},
        "PTP edits, practitioner: no loaded release has 1995-05-04",
    ),
    "an add-on before the first edits": (
        "add-on-without-primary",
        {"professional": "97598", "day": "2012-05-04"},
        "Add-on codes: no loaded release has 2012-05-04",
    ),
    "add-on of type II": ("add-on-without-primary", {"professional": "99292"}, "contractors define primaries of 99292"),
    "add-on of type III": (
        "add-on-without-primary",
        {"professional": "64484"},
        "contractors define primaries of 64484",
    ),
    "add-on of type I that contractors complete": (
        "add-on-without-primary",
        {"professional": "15003"},
        "contractors define primaries of 15003",
    ),
    "a primary by another practitioner": (
        "add-on-without-primary",
        {"professional": "97597 by A, 97598 by B"},
        "another practitioner charges the primary of 97598",
    ),
    "a code that is in no release": (
        "code-not-active",
        {"professional": "J7777"},
        "J7777 is not in the HCPCS release of",
    ),
    "dates after the last quarter": (
        "code-not-active",
        {"professional": "J1030", "day": "2027-01-04"},
        "HCPCS Level II: the loaded releases end on 2026-12-31",
    ),
    "status B with an unknown payer": (
        "code-for-other-setting",
        {"institutional": "99214"} | UNKNOWN,
        "Medicare may not take 99214 on a hospital outpatient claim; whether the payer does is unknown",
    ),
    "status B at a critical access hospital": (
        "code-for-other-setting",
        {"institutional": "99214", "bill": "851"} | MEDICARE,
        "this hospital is not paid under OPPS",
    ),
    "a pair at a critical access hospital": (
        "pair-conflict",
        {"institutional": "11042, 97597", "bill": "851"} | MEDICARE,
        "this hospital is not paid under OPPS",
    ),
    "a limit of 0 with an unknown payer": (
        "units-over-limit",
        {"professional": "99999"} | UNKNOWN,
        "Medicare never pays for 99999 on this claim; whether the payer of the claim does is unknown",
    ),
    "charges that may be of either setting": (
        "pair-conflict",
        {"lines": "64483, 64400"},
        "64483 with 64400: the NCCI tables",
    ),
}


@pytest.mark.parametrize(("rule", "case", "reason"), ABSTAINS.values(), ids=ABSTAINS)
def test_abstains(site: Site, rule: str, case: dict[str, Any], reason: str) -> None:
    assert site.found(case) == []
    found = [text for name, text in site.open(case) if name == rule]
    assert len(found) == 1
    assert reason in found[0]
    assert site.cards(case) == ()


def test_a_missing_part_of_a_release_is_not_read(make: MakeSite, tmp_path: Path) -> None:
    site = make(load(tmp_path, replace(Q4, without_parts=frozenset({2}))))
    case = {"professional": "64483, 64400"}
    assert site.found(case) == []
    reasons = [reason for rule, reason in site.open(case) if rule == "pair-conflict"]
    assert reasons == ["PTP edits, practitioner, 2026Q4: the part with this code is not loaded"]
    assert [rule for rule, _ in site.found({"professional": "11042, 20600, 97597"})] == ["pair-conflict"]


def test_each_table_that_is_not_loaded_is_a_reason(make: MakeSite, tmp_path: Path) -> None:
    site = make(load(tmp_path, Release(Quarter(2026, 4), level_ii=[("J1030", "20000101", "")])))
    case = {"professional": "20550-26x2, 97598, J1030", **MEDICARE}
    assert site.found(case) == []
    assert dict(site.open(case)) == {
        "add-on-modifier": "Fee schedule, nonQPP: no release is loaded",
        "add-on-without-primary": "Add-on codes: no release is loaded",
        "pair-conflict": "PTP edits, practitioner: no release is loaded",
        "units-over-limit": "MUE, practitioner: no release is loaded",
    }


def test_a_supplier_has_limits_of_his_own(make: MakeSite, site: Site, tmp_path: Path) -> None:
    ((rule, finding),) = site.found({"professional": "E0601x2", **MEDICARE})
    assert rule == "units-over-limit"
    assert "Practitioner or supplier unknown; the larger MUE limit was used." in finding.notes
    assert [source.document.split(" (")[0] for source in finding.sources] == [MUE_Q4, "MUE, DME supplier, 2026Q4"]
    limits = {setting: rows for setting, rows in Q4.limits.items() if setting != "dme"}
    without = make(load(tmp_path, replace(Q4, limits=limits)))
    assert without.found({"professional": "A4253x3"}) == []
    assert without.open({"professional": "A4253x3"}) == [
        ("units-over-limit", "MUE, DME supplier: no release is loaded")
    ]


def test_units_of_a_period_are_those_of_one_day(site: Site) -> None:
    def found(units: int) -> list[str]:
        request = request_of({"day": IN_Q4, "professional": f"20550x{units}"})
        (item,) = request["context"]["draftCharges"]["entry"][0]["resource"]["item"]
        del item["servicedDate"]
        item["servicedPeriod"] = {"start": IN_Q4, "end": "2026-11-04"}
        answer = site.advisor.answer(SERVICES["contrast-echo-claim-review"], json.dumps(request).encode())
        return [rule.id for rule, _ in answer.review.findings]

    assert found(15) == []
    assert found(18) == ["units-over-limit"]


# --- records that are not understood --------------------------------------------------------------------------------


def test_a_local_code_may_be_the_primary(site: Site) -> None:
    def request(*codes: tuple[str, str]) -> Iterator[tuple[str, str]]:
        sent = request_of({"day": IN_Q4, "professional": ", ".join(["97598"] * len(codes))})
        for item, (system, code) in zip(
            sent["context"]["draftCharges"]["entry"][0]["resource"]["item"], codes, strict=True
        ):
            item["productOrService"] = {"coding": [{"system": system, "code": code}]}
        review = site.advisor.answer(SERVICES["contrast-echo-claim-review"], json.dumps(sent).encode()).review
        yield from ((rule.id, "finding") for rule, _ in review.findings)
        yield from ((rule.id, each.why) for rule, each in review.not_checked)

    cpt = "http://www.ama-assn.org/go/cpt"
    assert list(request((cpt, "97598"))) == [("add-on-without-primary", "finding")]
    found = list(request((cpt, "97598"), ("urn:oid:1.2.3", "DEBRIDE")))
    assert found == [("add-on-without-primary", "not-understood")]


# --- the scope ------------------------------------------------------------------------------------------------------

EVERY_CASE = {name: case for name, (_, case, *_) in (FLAGS | ABSTAINS).items()} | PASSES


@pytest.mark.parametrize("case", EVERY_CASE.values(), ids=EVERY_CASE)
def test_with_scope_echo_other_codes_are_silent(folder: Path, make: MakeSite, case: dict[str, Any]) -> None:
    answer = make(folder, "echo").answer(case)
    assert (answer.review.findings, answer.response.cards) == ((), ())
    assert {rule.every_code for rule, _ in answer.review.not_checked} <= {False}


@pytest.mark.parametrize("kind", ["professional", "institutional"])
def test_with_scope_echo_other_codes_are_silent_on_the_day_of_an_echo(folder: Path, make: MakeSite, kind: str) -> None:
    codes = "20550-26, 11042, 97597, 64483, 64400, 97598, 76942-TC, 99214, 15777, 97110x40, J9999"
    case = {kind: f"93306, {codes}", "place": "11", **MEDICARE}
    assert make(folder, "echo").found(case) == []
    assert make(folder, "echo").open(case) == []
    assert {rule for rule, _ in make(folder).found(case)} >= {"pair-conflict", "units-over-limit", "code-not-active"}


def test_codes_of_an_echo_use_the_loaded_releases_in_both_scopes(folder: Path, make: MakeSite) -> None:
    """By our own tables, two units are too many, and 93350 is a primary of 93352; the loaded ones say otherwise."""
    for scope in ("echo", "all"):
        site = make(folder, scope)
        assert [rule for rule, _ in site.found({"professional": "93350x2"})] == []
        (found,) = [
            each for each in site.found({"professional": "93350, 93352"}) if each[0] == "add-on-without-primary"
        ]
        assert ADD_ONS_Q4 in found[1].sources[0].document


@pytest.mark.parametrize("scope", ["echo", "all"])
@pytest.mark.parametrize(("day", "found"), [("2026-09-30", []), ("2026-10-01", ["code-not-active"])])
def test_a_code_of_our_own_tables_ends_as_the_loaded_release_says(
    folder: Path, make: MakeSite, scope: str, day: str, found: list[str]
) -> None:
    case = {"professional": "Q9956x3", "place": "11", "day": day, **OTHER}
    ended = make(folder, scope).found(case)
    assert [rule for rule, _ in ended] == found
    assert {source.document.split(" (")[0] for _, each in ended for source in each.sources} <= {LEVEL_II_Q4}


@pytest.mark.parametrize("case", EVERY_CASE.values(), ids=EVERY_CASE)
def test_without_loaded_tables_nothing_changes(make: MakeSite, case: dict[str, Any]) -> None:
    every, echo = make(None, "all").answer(case), make(None, "echo").answer(case)
    assert every.review.findings == echo.review.findings == ()
    assert every.review.not_checked == echo.review.not_checked


def test_at_order_time_nothing_but_the_echo_speaks(site: Site) -> None:
    lines = "20550x9, 11042, 97597, 97598, 97110-26, J9999, 64483, 64400"
    answer = site.answer({"hook": "order", "lines": lines})
    assert (answer.review.findings, answer.review.not_checked) == ((), ())
    ordered = site.answer({"hook": "order", "ordered": "97598", "lines": lines})
    assert ordered.review.findings == ()


def test_earlier_charges_of_other_days_are_not_judged(site: Site) -> None:
    case = {"professional": "36415", "lines": "11042 on 2026-10-05, 97597 on 2026-10-05"}
    assert site.found(case) == []
    assert site.found({"professional": "97597", "lines": f"11042 on {IN_Q4}"}) == []
