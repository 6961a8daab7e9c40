"""Professional or facility, and who pays: read from the bills and coverages, unknown where they do not say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from cds_service.core.case import Case, Coverage, Line, cached_fact
from hooks.coding.studies import Study

Setting = Literal["professional", "facility", "unknown"]
Payer = Literal["medicare", "other", "unknown"]

# Places of service in which the facility, not the practitioner, owns the equipment and the supplies.
# Source: MedLearn 2018: off-campus outpatient hospital, inpatient, on-campus outpatient hospital, emergency room.
FACILITY_PLACES = frozenset({"19", "21", "22", "23"})

SOPT = "https://nahdo.org/sopt"

# What a site's file may say of a payer. What it leaves unsaid is unknown.
QUESTIONS = {
    "medicare": "fee-for-service Medicare (Part A or B), and not an Advantage plan",
    "c_codes": "takes the hospital outpatient C codes for an echo with contrast",
    "waste_modifiers": "wants JW or JZ on supply lines",
    "a9700": "wants A9700 for the agent in place of the product's own code",
}


def is_split(line: Line) -> bool:
    """Whether a line charges only one component, professional (26) or technical (TC)."""
    return bool({"26", "TC"} & set(line.modifiers))


def is_professional_only(line: Line) -> bool:
    """Whether a line is the practitioner's share of a study done in a facility: the supply is then the facility's."""
    return "26" in line.modifiers or (line.claim_type == "professional" and line.place_of_service in FACILITY_PLACES)


def setting_of(study: Study) -> Setting:
    """On which kind of claim the study is charged."""
    forms = {line.claim_type for line in study.lines} - {"unknown"}
    if forms == {"professional"} or any("26" in line.modifiers for line in study.lines):
        return "professional"
    return "facility" if forms == {"institutional"} else "unknown"


def payer_of(case: Case, lines: Iterable[Line] = ()) -> Payer:
    """Who pays: the coverage that the claims name, else the patient's first coverage.

    The site's own list comes first. A Medicare Advantage plan is not fee-for-service Medicare, and an unclear one may
    be either: both are unknown.
    """
    return _payer_among(_names_in(lines), case)


@cached_fact
def _payer_among(names: frozenset[str], case: Case) -> Payer:
    candidates = {_payer(each, case) for each in _payers_named(names, case)}
    return candidates.pop() if len(candidates) == 1 else "unknown"


def payer_says(case: Case, lines: Iterable[Line], question: str) -> bool | None:
    """What the site says of who pays, to one of QUESTIONS; None where it says nothing, or the payers differ."""
    return _said_of(question, _names_in(lines), case)


@cached_fact
def _said_of(question: str, names: frozenset[str], case: Case) -> bool | None:
    answers = {_answers(each, case).get(question) for each in _payers_named(names, case)}
    return answers.pop() if len(answers) == 1 else None


def takes_hospital_codes(case: Case, lines: Iterable[Line]) -> bool | None:
    """Whether who pays takes the C codes: as the site says, else Medicare does, and others are to be asked."""
    every = tuple(lines)
    said = payer_says(case, every, "c_codes")
    return True if said is None and payer_of(case, every) == "medicare" else said


def _names_in(lines: Iterable[Line]) -> frozenset[str]:
    """What the claims name as coverages: by reference, or otherwise."""
    return frozenset(name for line in lines for name in line.coverages)


def _payers_named(named: frozenset[str], case: Case) -> list[Coverage | str]:
    """The coverages that are named, the payers that are named otherwise, else the patient's first coverage."""
    chosen: list[Coverage | str] = [coverage for coverage in case.coverages if coverage.identity in named]
    bare_names = named - {coverage.identity for coverage in case.coverages}
    return [*(chosen or ([] if bare_names else _first(case.coverages))), *sorted(bare_names)]


def _payer(named: Coverage | str, case: Case) -> Payer:
    is_medicare = _answers(named, case).get("medicare")
    if is_medicare is not None:
        return "medicare" if is_medicare else "other"
    return _payer_by_name(named) if isinstance(named, str) else _payer_of_coverage(named)


def _answers(named: Coverage | str, case: Case) -> Mapping[str, bool]:
    """What the site's list says of a payer; the first entry that names it counts."""
    names, identifiers, types = _known_as(named)
    for each in case.site.payers:
        if names & each.names or identifiers & each.identifiers or types & each.types:
            return each.answers
    return {}


def _known_as(named: Coverage | str) -> tuple[set[str], set[str], set[str]]:
    """Names in lower case, identifiers and coverage types; the latter two with and without their system."""
    if isinstance(named, str):
        return {named.strip().lower()}, _with_bare(named), set()
    names = {each.strip().lower() for each in (*named.payors, *named.concept.words)}
    types = {part for code in named.concept.codes for part in (code.value, f"{code.system}|{code.value}")}
    return names, {part for each in (named.identity, *named.identifiers) for part in _with_bare(each)}, types


def _with_bare(identifier: str) -> set[str]:
    return {identifier, identifier.rsplit("|", 1)[-1]}


def _first(coverages: Sequence[Coverage]) -> list[Coverage]:
    ranks = [coverage.order for coverage in coverages if coverage.order is not None]
    return [coverage for coverage in coverages if coverage.order == min(ranks)] if ranks else list(coverages)


def _payer_of_coverage(coverage: Coverage) -> Payer:
    types = coverage.concept.values(SOPT)
    if any(code.startswith("11") for code in types):
        return "unknown"
    if any(code.startswith("1") for code in types):
        return "medicare"
    if types:
        return "other"
    names = [_payer_by_name(name) for name in (*coverage.payors, *coverage.concept.words)]
    return next((name for name in names if name != "unknown"), "unknown")


def _payer_by_name(name: str) -> Payer:
    """Only the plain name of the programme is fee-for-service; `<insurer> Medicare` is usually an Advantage plan."""
    text = name.lower().strip()
    if re.fullmatch(r"(original |traditional |cms )?medicare( part [ab]| ffs| fee.for.service)?", text):
        return "medicare"
    return "unknown" if "medicare" in text or "/" in text or not text else "other"
