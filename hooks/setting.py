"""Professional or facility, and who pays: read from the bills and coverages, unknown where they do not say."""

import re
from collections.abc import Iterable
from typing import Literal

from cds_service.case import Case, Coverage, Line
from hooks.echo import Study

Setting = Literal["professional", "facility", "unknown"]
Payer = Literal["medicare", "other", "unknown"]

# Places of service in which the facility, not the practitioner, owns the equipment and the supplies.
# Source: MedLearn 2018: off-campus outpatient hospital, inpatient, on-campus outpatient hospital, emergency room.
FACILITY_PLACES = frozenset({"19", "21", "22", "23"})

SOPT = "https://nahdo.org/sopt"


def is_split(line: Line) -> bool:
    """Whether a line charges only one component, professional (26) or technical (TC)."""
    return bool({"26", "TC"} & set(line.modifiers))


def is_professional_only(line: Line) -> bool:
    """Whether a line is the practitioner's share of a study done in a facility: the supply is then the facility's."""
    return "26" in line.modifiers or (line.form == "professional" and line.place_of_service in FACILITY_PLACES)


def setting_of(study: Study) -> Setting:
    """On which kind of claim the study is charged."""
    forms = {line.form for line in study.lines} - {"unknown"}
    if forms == {"professional"} or any("26" in line.modifiers for line in study.lines):
        return "professional"
    return "facility" if forms == {"institutional"} else "unknown"


def payer_of(case: Case, lines: Iterable[Line] = ()) -> Payer:
    """Who pays: the coverage that the claims name, else the patient's first coverage.

    A Medicare Advantage plan is not fee-for-service Medicare, and an unclear one may be either: both are unknown.
    """
    named = {name for line in lines for name in line.coverages}
    chosen = [coverage for coverage in case.coverages if coverage.identity in named]
    bare_names = named - {coverage.identity for coverage in case.coverages}
    candidates = [_payer_of_coverage(each) for each in chosen or ([] if bare_names else _first(case.coverages))]
    candidates += [_payer_by_name(name) for name in bare_names]
    return candidates[0] if len(set(candidates)) == 1 else "unknown"


def _first(coverages: tuple[Coverage, ...]) -> list[Coverage]:
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
