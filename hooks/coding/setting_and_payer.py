"""Setting (professional or facility) and payer of claims and coverages; unknown if they do not state it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from math import inf
from typing import Literal, NamedTuple

from msgspec.structs import replace

from cds_service.core.case import Case, Coverage, Line, cached_fact
from cds_service.core.concepts import Code, Concept
from cds_service.core.site import Payer as SitePayer
from hooks.coding.lines import days_under_review, relevant_lines
from hooks.coding.studies import Study, studies

Setting = Literal["professional", "facility", "unknown"]
Payer = Literal["medicare", "other", "unknown"]

# Places of service (POS). In a facility the hospital owns the equipment and buys the agent: off-campus outpatient
# hospital, inpatient, on-campus outpatient hospital, emergency room (MedLearn 2018). In an office the practice does:
# office, mobile unit, urgent care, independent clinic. Any other POS leaves the owner open.
FACILITY_PLACES = frozenset({"19", "21", "22", "23"})
OFFICE_PLACES = frozenset({"11", "15", "20", "49"})

# Types of bill that Medicare pays under OPPS: hospital inpatient under Part B, outpatient, other.
_OPPS_BILLS = frozenset({"12", "13", "14"})

COMPONENT_MODIFIERS = ("26", "TC")

SOPT = "https://nahdo.org/sopt"

# Types of plan that are fee-for-service Medicare, and those that say Medicare and leave the program open: managed care
# (11x), the drug benefit (122), a medical savings account (123), hospice (13), managed plans for patients with Medicaid
# (14x), other (19x). From memory of the Source of Payment Typology; not verified.
_FEE_FOR_SERVICE = frozenset({"1", "12", "121"})
_MEDICARE_OF_ANY_KIND = "1"

# Payers that a statement of the site may name without an entry in its file: fee-for-service Medicare.
PAYERS = ("medicare",)

# Questions that a site file may answer for a payer. Unanswered questions are unknown.
QUESTIONS = {
    "medicare": "fee-for-service Medicare (Part A or B), not an Advantage plan",
    "c_codes": "takes the hospital outpatient C codes for an echo with contrast",
    "waste_modifiers": "requires JW or JZ on supply lines",
    "a9700": "requires A9700 for the agent instead of the product's own code",
}


def is_facility(line: Line) -> bool:
    """True if the line's place of service is a facility (19, 21, 22, 23); False if none is stated."""
    return line.place_of_service in FACILITY_PLACES


def is_office(line: Line) -> bool:
    """True if the line's place of service is an office (11, 15, 20, 49); False if none is stated."""
    return line.place_of_service in OFFICE_PLACES


def is_professional_in_facility(line: Line) -> bool:
    """True for a professional claim line with a facility place of service."""
    return line.claim_type == "professional" and is_facility(line)


def is_professional_in_office(line: Line) -> bool:
    """True for a professional claim line with an office place of service."""
    return line.claim_type == "professional" and is_office(line)


def is_split(line: Line) -> bool:
    """True if the line charges one component only, professional (26) or technical (TC)."""
    return any(modifier in line.modifiers for modifier in COMPONENT_MODIFIERS)


def is_professional_only(line: Line) -> bool:
    """True if the line is only the professional share of a study done in a facility; the supply is the facility's."""
    return "26" in line.modifiers or is_professional_in_facility(line)


def setting_of(study: Study) -> Setting:
    """The claim type on which the study is charged."""
    return setting_of_lines(study.lines)


def setting_of_lines(lines: Iterable[Line]) -> Setting:
    """The claim type on which lines are charged; unknown if they do not state it, or differ."""
    every = tuple(lines)
    claim_types = {line.claim_type for line in every} - {"unknown"}
    if claim_types == {"professional"} or any("26" in line.modifiers for line in every):
        return "professional"
    return "facility" if claim_types == {"institutional"} else "unknown"


def payer_of(case: Case, lines: Iterable[Line] = ()) -> Payer:
    """The payer: from the coverage named on the claims, else from the patient's first coverage that is in force on the
    days of the lines.

    The site file takes precedence. A Medicare Advantage plan is not fee-for-service Medicare; Advantage plans and
    unclear names are unknown.
    """
    return _payer_among(_named_on_claims(lines, case), case)


@cached_fact
def _payer_among(claimed: "Claimed", case: Case) -> Payer:
    candidates = {_payer(each, case) for each in _payers_named(claimed, case)}
    return candidates.pop() if len(candidates) == 1 else "unknown"


def payer_answer(case: Case, lines: Iterable[Line], question: str) -> bool | None:
    """The site file's answer for the payer to one of QUESTIONS; None if it has none, or if the payers differ."""
    return _answer_for(question, _named_on_claims(lines, case), case)


@cached_fact
def _answer_for(question: str, claimed: "Claimed", case: Case) -> bool | None:
    answers = {_site_answers(each, case).get(question) for each in _payers_named(claimed, case)}
    return answers.pop() if len(answers) == 1 else None


def names_of_payer(case: Case, lines: Iterable[Line]) -> frozenset[str]:
    """The names of the payer, in lower case: `medicare`, and those of its entry in the site's file.

    Of several payers, those that all of them share; empty if the payer is unknown.
    """
    return _names_among(_named_on_claims(lines, case), case)


@cached_fact
def _names_among(claimed: "Claimed", case: Case) -> frozenset[str]:
    candidates = [_names_of(each, case) for each in _payers_named(claimed, case)]
    return candidates[0].intersection(*candidates[1:]) if candidates else frozenset()


def _names_of(named: "Coverage | NamedPayer", case: Case) -> frozenset[str]:
    entry = _site_entry(named, case)
    own = (*entry.names, *(each.lower() for each in entry.identifiers)) if entry else ()
    return frozenset((*own, *(PAYERS if _payer(named, case) == "medicare" else ())))


def takes_hospital_codes(case: Case, lines: Iterable[Line]) -> bool | None:
    """True if the payer takes C codes: by the site file, else if it is Medicare under OPPS; None if unknown."""
    all_lines = tuple(lines)
    answer = payer_answer(case, all_lines, "c_codes")
    by_opps = payer_of(case, all_lines) == "medicare" and not is_outside_opps(all_lines, case)
    return True if answer is None and by_opps else answer


def is_outside_opps(lines: Iterable[Line], case: Case) -> bool:
    """True if Medicare pays one of the lines outside OPPS: by its type of bill, or by the site's kind of hospital.

    A critical access hospital (85x) is paid otherwise, and so are inpatient stays (11x) and other providers.
    """
    by_site = case.site.hospital == "critical-access"
    return any(
        line.bill_type not in _OPPS_BILLS if line.bill_type else by_site and line.claim_type == "institutional"
        for line in lines
    )


class NamedPayer(NamedTuple):
    """A coverage as a claim names it: by name, or by a reference or identifier, which names no payer by itself."""

    written: str
    is_name: bool


class Claimed(NamedTuple):
    """The coverages that claims name, and the days of service, on which a coverage that they do not name is in force;
    None among the days for one that is not known.
    """

    named: frozenset[NamedPayer]
    days: frozenset[date | None]


def _named_on_claims(lines: Iterable[Line], case: Case) -> Claimed:
    """Coverages named on the claims, and their days; without lines, the days under review."""
    every = tuple(lines)
    named = frozenset(
        NamedPayer(written, is_name)
        for line in every
        for names, is_name in ((line.coverages, False), (line.payer_names, True))
        for written in names
    )
    days = frozenset(day for line in every for day in (line.day, line.last_day or line.day))
    return Claimed(named, days or _days_under_review(case))


@cached_fact
def _days_under_review(case: Case) -> frozenset[date | None]:
    days = days_under_review(case).union(study.day for study in studies(case) if study.under_review)
    return days or frozenset({None})


def _payers_named(claimed: Claimed, case: Case) -> list[Coverage | NamedPayer]:
    """The coverages named, those that were not received, else the patient's first coverage."""
    references = {each.written for each in claimed.named if not each.is_name}
    chosen: list[Coverage | NamedPayer] = []
    found: set[str] = set()
    for coverage in case.coverages:
        if matched := references & {coverage.identity, *coverage.identifiers}:
            chosen.append(coverage)
            found |= matched
    others = sorted(each for each in claimed.named if each.is_name or each.written not in found)
    return [*(chosen or ([] if others else _primary_coverages(case.coverages, claimed.days))), *others]


def _payer(named: Coverage | NamedPayer, case: Case) -> Payer:
    is_medicare = _site_answers(named, case).get("medicare")
    if is_medicare is not None:
        return "medicare" if is_medicare else "other"
    if isinstance(named, Coverage):
        return _payer_of_coverage(named)
    return _payer_by_name(named.written) if named.is_name else "unknown"


def unresolved_coverages(case: Case) -> dict[str, Line]:
    """The coverages that claims name by a reference or identifier which leads to no payer, each with its first line."""
    known = {name for coverage in case.coverages for name in (coverage.identity, *coverage.identifiers)}
    found: dict[str, Line] = {}
    for line in relevant_lines(case):
        for written in line.coverages:
            if written not in known and not _site_answers(NamedPayer(written, is_name=False), case):
                found.setdefault(written, line)
    return found


def unnamed_coverages(case: Case) -> tuple[Coverage, ...]:
    """The coverages that state neither a type of plan nor a payor's name."""
    return tuple(
        each
        for each in case.coverages
        if not each.payors
        and not _plan_names(each.concept)
        and not each.concept.values(SOPT)
        and not _site_answers(each, case)
    )


@cached_fact
def with_payer(medicare: bool, case: Case) -> Case:
    """The case with fee-for-service Medicare, or another payer, for each coverage whose payer is not understood.

    Made once for all rules, which share what they derive from it.
    """
    plan = Concept((Code(SOPT, "1" if medicare else "5"),))
    unnamed = {id(each) for each in unnamed_coverages(case)}
    read = [replace(each, concept=plan) if id(each) in unnamed else each for each in case.coverages]
    added = [
        Coverage(origin=line.origin, identity=written, concept=plan)
        for written, line in unresolved_coverages(case).items()
    ]
    return case.with_records(coverages=[*read, *added])


def _site_answers(named: Coverage | NamedPayer, case: Case) -> Mapping[str, bool]:
    """The site file's answers for a payer."""
    entry = _site_entry(named, case)
    return entry.answers if entry else {}


def _site_entry(named: Coverage | NamedPayer, case: Case) -> SitePayer | None:
    """The site file's entry for a payer; the first that matches counts."""
    names, identifiers, types = _identifiers_of(named)
    for each in case.site.payers:
        if names & each.names or identifiers & each.identifiers or types & each.types:
            return each
    return None


def _identifiers_of(named: Coverage | NamedPayer) -> tuple[set[str], set[str], set[str]]:
    """Names in lower case, identifiers and coverage types; the latter two with and without their system."""
    if isinstance(named, NamedPayer):
        names = {named.written.strip().lower()} if named.is_name else set()
        return names, _with_and_without_system(named.written), set()
    names = {each.strip().lower() for each in (*named.payors, *named.concept.words)}
    types = {part for code in named.concept.codes for part in (code.value, f"{code.system}|{code.value}")}
    return (
        names,
        {part for each in (named.identity, *named.identifiers) for part in _with_and_without_system(each)},
        types,
    )


def _with_and_without_system(identifier: str) -> set[str]:
    return {identifier, identifier.rsplit("|", 1)[-1]}


def _primary_coverages(coverages: Sequence[Coverage], days: Iterable[date | None]) -> list[Coverage]:
    """The coverages that may be the first in force on one of the days; of those without an order, all."""
    ranked = sorted(coverages, key=_rank)
    first = {id(each) for day in days for each in _first_in_force(ranked, day)}
    return [each for each in coverages if id(each) in first]


def _rank(coverage: Coverage) -> float:
    """The place of a coverage in the order of payment; those without one come last."""
    return inf if coverage.order is None else coverage.order


def _first_in_force(ranked: Iterable[Coverage], day: date | None) -> Iterator[Coverage]:
    """Those of the first rank of which one is in force, and all before them that may be."""
    for _, same in groupby(ranked, _rank):
        in_force = [(each, each.term.covers(day)) for each in same]
        yield from (each for each, covers in in_force if covers is not False)
        if any(covers for _, covers in in_force):
            return


def _payer_of_coverage(coverage: Coverage) -> Payer:
    types = coverage.concept.values(SOPT)
    if types_of_medicare := {code for code in types if code.startswith(_MEDICARE_OF_ANY_KIND)}:
        return "medicare" if types_of_medicare <= _FEE_FOR_SERVICE else "unknown"
    if types:
        return "other"
    names = [_payer_by_name(name) for name in (*coverage.payors, *_plan_names(coverage.concept))]
    return next((name for name in names if name != "unknown"), "unknown")


# Types of coverage that leave the payer open, as of FHIR's own codes: `extended healthcare`, `public healthcare`.
_NO_PLAN = re.compile(
    r"(?:(?:extended|public|subsidized|managed|primary|secondary|medical|active|group|mandatory)\b|health|"
    r"insurance|policy|plan|program|coverage|care|\W)+",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"medicare|medicaid|commercial|blue (?:cross|shield)|\bbcbs\b|self.?pay|work(?:er|man)'?s?'? comp|tricare|veteran|"
    r"champva|aetna|cigna|humana|kaiser|united ?health",
    re.IGNORECASE,
)
# Those who run or process fee-for-service Medicare, among other programs; and its name cut short.
_MEDICARE_OFFICES = re.compile(
    r"\b(?:cms|centers? for medicare.*|noridian|novitas|first coast|palmetto|wps|wisconsin physicians|ngs|"
    r"national government services|cgs|mcr|mcare|mac)\b",
    re.IGNORECASE,
)


def _plan_names(plan: Concept) -> list[str]:
    """The texts that name a plan: of a type under another system than SOPT, only those of well-known payers."""
    named = [text for text in plan.words if not _NO_PLAN.fullmatch(text)]
    is_foreign = bool(plan.codes) and not plan.values(SOPT)
    return [text for text in named if _PLAN.search(text)] if is_foreign else named


def _payer_by_name(name: str) -> Payer:
    """Only the program's plain name is fee-for-service; `<insurer> Medicare` is usually an Advantage plan.

    CMS itself names a coverage by its part alone; the name of CMS, or of its contractors, leaves the program open.
    """
    text = name.lower().strip()
    if text in {"part a", "part b"}:
        return "medicare"
    if re.fullmatch(r"(original |traditional |cms )?medicare( part [ab]| ffs| fee.for.service)?", text):
        return "medicare"
    is_open = "medicare" in text or "/" in text or not text or _MEDICARE_OFFICES.search(text)
    return "unknown" if is_open else "other"
