"""Rule: a stress echo or a perfusion echo that was done, and that no line charges."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from cds_service.core.case import Case
from cds_service.core.changes import AddLine
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.sources import L38786
from hooks.codes.tables import ADD_ONS, CODES, CROSSWALK, STUDIES
from hooks.coding.contrast import contrast_in
from hooks.coding.fixes import add
from hooks.coding.hospital import medicare_hospital_lines
from hooks.coding.lines import lines_on
from hooks.coding.override_reasons import MISSING_CHARGE
from hooks.coding.performed import (
    UnbilledService,
    awaits_primary,
    code_to_charge,
    excludes_perfusion,
    has_perfusion_primary,
    may_conclude,
    uncharged_perfusion,
    uncharged_stress_echo,
)
from hooks.coding.setting_and_payer import is_professional_only
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import PERFUSION_ADD_ON, study_kind

# The codes that are charged by component; a C code is the hospital's alone.
SPLIT = frozenset({"93350", "93351"})


@rule(
    order=INFO,
    claim=WARNING,
    tables=(CODES, CROSSWALK, ADD_ONS, STUDIES),
    sources=(CODES.sources["fee-schedule"], CROSSWALK.sources["opps"], L38786),
    override_reasons=MISSING_CHARGE,
)
def performed_not_charged(case: Case) -> Iterator[Finding | Undecided]:
    """A stress echo or a perfusion echo was done and is not charged.

    Why:
        What was done and is on the record may be charged; left off the claim, the work is not paid.

    Flags:
        A completed procedure coded 93350, 93351, C8928, C8930 or 0439T, on a day on which no line charges it, its
        hospital equivalent, or the other of 93350 and 93351; where the charges are known to be complete or other
        charges of the study go out.

    Passes:
        It is charged, by whomever; it was not completed; an add-on without its primary is charged, which has a rule of
        its own; the bill at hand is another practitioner's.
    """
    for study in studies(case):
        if not study.under_review:
            continue
        stress = uncharged_stress_echo(study, case)
        if stress and not awaits_primary(study):
            yield _stress_verdict(stress, study, case)
        perfusion = uncharged_perfusion(study, case)
        if perfusion:
            yield _perfusion_verdict(perfusion, study, case)


def _seen(performed: UnbilledService) -> tuple[Evidence, ...]:
    named = " and ".join(performed.codes)
    return tuple(Evidence(f"procedure {named}, completed", each) for each in performed.procedures)


def _elsewhere(performed: UnbilledService) -> Undecided:
    named = " or ".join(performed.codes)
    return Undecided(
        "claim", f"{named} was done and is not on this bill; it may be charged on another one", _seen(performed)
    )


# --- the stress echo ------------------------------------------------------------------------------------------------


def _stress_verdict(performed: UnbilledService, study: Study, case: Case) -> Finding | Undecided:
    if not may_conclude(performed, study, case):
        return _elsewhere(performed)
    if any(line.claim_type == "professional" for line in study.lines) and any(
        code[0] == "C" for code in performed.codes
    ):
        return Undecided(
            "contradiction", "the record names a hospital code, and the bill is a practitioner's", _seen(performed)
        )
    if performed.contradictory:
        return Undecided(
            "contradiction", "the record names both a hospital code and a code of a practice", _seen(performed)
        )
    codes = tuple(dict.fromkeys(_code(code, study, case) for code in performed.codes))
    rest = tuple(line for line in lines_on(study.day, case) if study_kind(line) == "rest")
    fixes = tuple(Fix(f"Add {code}", (_line(code, study, case),), len(codes) == 1) for code in codes)
    return Finding(
        summary=f"A stress echo was done and is not charged: add {' or '.join(codes)}.",
        evidence=(*_seen(performed), *(Evidence(f"{line} is charged", line) for line in (*rest, *study.supplies))),
        fixes=() if rest else fixes,
        notes=(_REST,) if rest else (),
        day=study.day,
    )


_REST = "A rest echo is charged that day: check which of the two was done, or whether both were."


def _code(code: str, study: Study, case: Case) -> str:
    return code_to_charge(
        code,
        study,
        medicare_hospital=bool(medicare_hospital_lines(study, case)),
        with_contrast=contrast_in(study, case).given == "yes",
    )


def _line(code: str, study: Study, case: Case) -> AddLine:
    """One unit; with 26 where the bill at hand is a practitioner's share of a study done in a facility."""
    line = add(study, case, code, Decimal(1))
    shared = code in SPLIT and line.sibling is not None and is_professional_only(line.sibling)
    return replace(line, modifiers=("26",)) if shared else line


# --- the perfusion echo ---------------------------------------------------------------------------------------------


def _perfusion_verdict(performed: UnbilledService, study: Study, case: Case) -> Finding | Undecided:
    if excludes_perfusion(study, case):
        return Undecided(
            "contradiction", "0439T was done and 93352 is charged: Medicare pays one of the two", _seen(performed)
        )
    if not has_perfusion_primary(study, case):
        return Undecided("claim", "0439T was done, and no echo that it could be added to is charged", _seen(performed))
    if not may_conclude(performed, study, case):
        return _elsewhere(performed)
    return Finding(
        summary=f"A perfusion echo was done and is not charged: add {PERFUSION_ADD_ON}.",
        evidence=(*_seen(performed), *(Evidence(f"{line} is charged", line) for line in study.primaries)),
        fixes=(Fix(f"Add {PERFUSION_ADD_ON}", (add(study, case, PERFUSION_ADD_ON, Decimal(1)),), True),),
        notes=(
            "0439T has no national price: each Medicare contractor prices it, and covers it only under policies such "
            "as L38786. Verify the policy that holds on the date of service.",
        ),
        day=study.day,
    )
