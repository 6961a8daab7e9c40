"""Rule: a code, or TC, that only the other setting reports."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal

from cds_service.core.case import Case, Line
from cds_service.core.changes import AddModifier, Change, RemoveLine, RemoveModifier, ReplaceCode
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Indicator, Passed, Undecided, Verdict, rule
from cds_service.core.tables import Source
from cds_service.languages.worded import Worded, counted, linked, worded
from hooks.codes.tables import CODES, CROSSWALK, OPPS, PC_TC
from hooks.coding.claims import charge_evidence, days_checked, is_submitted, lines_with_units
from hooks.coding.contrast import contrast_in
from hooks.coding.fixes import add_code, describe, named_fix
from hooks.coding.hospital import cpt_code_for, is_hospital_code_of_practice, status_on_hospital_claim
from hooks.coding.lines import grouped, lines_on
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.pairs import edit_in_table
from hooks.coding.passing import because_of, codes_of, left_to, not_under_review, number_of_codes
from hooks.coding.published import (
    InForce,
    Status,
    Unknown,
    component_indicator,
    level_ii_dates,
    refuses_hospital,
)
from hooks.coding.questions import WHO_PAYS, not_in_tables
from hooks.coding.setting_and_payer import is_outside_opps, is_professional_in_facility, payer_of
from hooks.coding.studies import study_of
from hooks.coding.study_codes import CONTRAST_ADD_ON


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(OPPS, CROSSWALK, PC_TC),
    sources=(OPPS.sources["opps"], CODES.sources["hcpcs"], PC_TC.sources["fee-schedule"]),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no code that this rule looks at is on a claim of the other setting"),
    every_code=True,
)
def code_for_other_setting(case: Case) -> Iterator[Verdict]:
    """A claim reports a code that belongs on the claim of the other setting.

    Why:
        C codes are codes of hospital outpatient departments: a practice reports the CPT code for the same service.
        Medicare in turn refuses some codes on a hospital outpatient claim: those of a practitioner's work (OPPS status
        M), and those for which the hospital has another code (status B). A hospital's charge is the technical part as
        it stands, so TC adds nothing to it.

    Flags:
        A hospital outpatient C code on a professional claim. On the day of an echo, a code of status B or M on a
        hospital claim to fee-for-service Medicare. TC on a hospital claim, as information.

    Passes:
        The C code on the hospital's claim, the practitioner's code on the practitioner's; another payer; 93352 on a
        hospital claim (see hospital-contrast-code). Not checked for a critical access hospital (type of bill 85x).
    """
    lines = lines_with_units(case)
    of_practice = [line for line in lines if line.claim_type == "professional"]
    hospital_codes = [line for line in of_practice if is_hospital_code_of_practice(line, case)]
    yield from _by_day(hospital_codes, case, _hospital_codes)
    if of_practice and not hospital_codes:
        yield Passed(_no_hospital_code, of_practice)
    days = days_checked(case)
    on_hospital_claims = [line for line in lines if line.claim_type == "institutional" and line.day in days]
    refused = [line for line in on_hospital_claims if _may_be_refused(line, case)]
    yield from _by_day(refused, case, _refused)
    if on_hospital_claims and not refused:
        yield Passed(_none_refused, on_hospital_claims)
    yield from _by_day([line for line in on_hospital_claims if _has_needless_component(line, case)], case, _components)


Verdicts = Iterator[Verdict]


def _no_hospital_code(lines: list[Line]) -> Because:
    text = worded("the practitioner's claim has no hospital outpatient code: {codes}", codes=codes_of(lines))
    return because_of(text, lines)


def _none_refused(lines: list[Line]) -> Because:
    return because_of(worded("no OPPS status on file keeps {codes} off a hospital claim", codes=codes_of(lines)), lines)


def _by_day(lines: list[Line], case: Case, verdict: Callable[[list[Line], Case], Verdicts]) -> Verdicts:
    by_day = grouped(lines, lambda line: line.day)
    for day in sorted(by_day, key=str):
        if is_submitted(by_day[day], case):
            yield from verdict(by_day[day], case)
        else:
            yield Passed(not_under_review, by_day[day])


def _finding(
    summary: str,
    lines: list[Line],
    fixes: Iterable[Fix],
    notes: tuple[str, ...],
    source: Source,
    indicator: Indicator | None = None,
) -> Finding:
    certain = all(line.certain for line in lines)
    return Finding(
        summary=summary,
        evidence=charge_evidence(lines),
        fixes=tuple(fixes) if certain and all(line.open for line in lines) else (),
        notes=notes,
        day=lines[0].day,
        indicator=indicator if certain else INFO,
        sources=(source,),
    )


def _codes_beside(line: Line, case: Case) -> frozenset[str]:
    """The codes on the line's claim and day that our tables know, or that are under review."""
    return frozenset(other.code for other in lines_on(line.day, case) if other.claim == line.claim)


def _linked(codes: list[str]) -> Worded:
    return linked(dict.fromkeys(codes))


# --- hospital codes on a professional claim -------------------------------------------------------------------------


def _hospital_codes(lines: list[Line], case: Case) -> Verdicts:
    """One finding for a day; none where `contrast-not-supported` replaces the code already."""
    wrong = [line for line in lines if not _is_unsupported(line, case)]
    if not wrong:
        because = worded("{codes} without contrast on record", codes=codes_of(lines))
        yield Passed(left_to, "contrast-not-supported", because, tuple(lines))
        return
    yield _finding(
        _hospital_code_summary(wrong),
        wrong,
        _replacements(wrong, case),
        tuple(worded("{code}.", code=describe(code)) for code in dict.fromkeys(line.code for line in wrong)),
        _source_of_hospital_codes(wrong[0], case),
    )


def _hospital_code_summary(lines: list[Line]) -> Worded:
    codes = _linked([line.code for line in lines])
    targets = [target for line in lines if (target := cpt_code_for(line.code, line.day))]
    if not targets:
        return worded(
            "{codes} on a practitioner's claim: a hospital outpatient code. Charge the CPT code instead.", codes=codes
        )
    return worded(
        "{codes} on a practitioner's claim: a hospital outpatient code. Charge {targets} instead.",
        codes=codes,
        targets=_linked(targets),
    )


def _source_of_hospital_codes(line: Line, case: Case) -> Source:
    found = level_ii_dates(line.code, line.day, case)
    return found.source if isinstance(found, InForce) else CODES.sources["hcpcs"]


def _is_unsupported(line: Line, case: Case) -> bool:
    study = study_of(line, case)
    return (
        case.stage == "claim"
        and line.under_review
        and study is not None
        and contrast_in(study, case).given in {"no", "contradicted"}
    )


def _replacements(lines: list[Line], case: Case) -> Iterator[Fix]:
    """The CPT codes, and 93352 with a stress echo in an office; without 93352 too, unless contrast is on record."""
    targets = [cpt_code_for(line.code, line.day) for line in lines]
    if None in targets:
        return
    changes: list[Change] = []
    for line, target in zip(lines, targets, strict=True):
        changes += _replaced(line, str(target), case)
    added = [add for line in lines for add in _contrast_add_on(line, case)]
    given = all(_contrast_is_given(line, case) for line in lines)
    if added:
        yield named_fix([*changes, *added], recommended=given)
    if not (added and given):
        yield named_fix(changes, recommended=not added)


def _replaced(line: Line, target: str, case: Case) -> Iterator[Change]:
    if target in _codes_beside(line, case):
        yield RemoveLine(line)
        return
    if is_professional_in_facility(line) and "26" not in line.modifiers:
        yield AddModifier(line, "26")
    yield ReplaceCode(line, target)


def _contrast_add_on(line: Line, case: Case) -> Iterator[Change]:
    study = study_of(line, case)
    if study is None or study.kind != "stress" or is_professional_in_facility(line) or "26" in line.modifiers:
        return
    if not study.lines_for(CONTRAST_ADD_ON):
        yield add_code(study, case, CONTRAST_ADD_ON, Decimal(1), line)


def _contrast_is_given(line: Line, case: Case) -> bool:
    study = study_of(line, case)
    return study is not None and contrast_in(study, case).given == "yes"


# --- codes that Medicare refuses on a hospital claim ----------------------------------------------------------------


def _may_be_refused(line: Line, case: Case) -> bool:
    status = status_on_hospital_claim(line, case)
    return isinstance(status, Unknown) or refuses_hospital(status)


def _refused(lines: list[Line], case: Case) -> Verdicts:
    payer = payer_of(case, lines)
    codes = _linked([line.code for line in lines])
    if payer == "other":
        yield Passed(because_of, worded("the payer of {codes} is not Medicare", codes=codes), lines)
        return
    if payer == "unknown":
        reason = worded(
            "Medicare may not take {codes} on a hospital outpatient claim; whether the payer does is unknown",
            codes=codes,
        )
        yield Undecided("claim", reason, charge_evidence(lines), WHO_PAYS)
        return
    if is_outside_opps(lines, case):
        reason = worded(
            "{codes}: this hospital is not paid under OPPS, so the statuses do not apply: ask your MAC", codes=codes
        )
        yield Undecided("claim", reason, charge_evidence(lines))
        return
    statuses = [status_on_hospital_claim(line, case) for line in lines]
    unknown = [each.reason for each in statuses if isinstance(each, Unknown)]
    if unknown:
        yield not_in_tables(unknown[0], lines)
    known = [(line, status) for line, status in zip(lines, statuses, strict=True) if refuses_hospital(status)]
    if known:
        yield _refusal(known, case)


def _refusal(refused: list[tuple[Line, Status]], case: Case) -> Finding:
    lines = [line for line, _ in refused]
    codes = _linked([line.code for line in lines])
    return _finding(
        counted(
            "{codes} is not paid on a Medicare hospital outpatient claim.",
            "{codes} are not paid on a Medicare hospital outpatient claim.",
            number_of_codes(lines),
            codes=codes,
        ),
        lines,
        [named_fix([_refused_change(line, status, case) for line, status in refused], recommended=False)],
        tuple(dict.fromkeys(_status_note(line, status) for line, status in refused)),
        refused[0][1].source,
    )


def _status_note(line: Line, status: Status) -> str:
    if status.instead:
        return worded(
            "{code}: OPPS status {status}. The hospital reports {instead}.",
            code=line.code,
            status=status.value,
            instead=describe(status.instead),
        )
    if status.value == "B":
        return worded(
            "{code}: OPPS status B. Another code may be due, or it belongs on the practitioner's claim.", code=line.code
        )
    return worded(
        "{code}: OPPS status {status}. It belongs on the practitioner's claim.", code=line.code, status=status.value
    )


def _refused_change(line: Line, status: Status, case: Case) -> Change:
    """The hospital's own code, unless it is charged already or is never paid with another code of the claim."""
    if status.instead is None:
        return RemoveLine(line)
    others = _codes_beside(line, case) - {line.code}
    excluded = status.instead in others or any(_is_never_paid(status.instead, other, line.day) for other in others)
    return RemoveLine(line) if excluded else ReplaceCode(line, status.instead)


def _is_never_paid(one: str, other: str, day: date | None) -> bool:
    edits = (edit_in_table(one, other, day, "facility")[0], edit_in_table(other, one, day, "facility")[0])
    return "never" in edits


# --- TC on a hospital claim -----------------------------------------------------------------------------------------


def _has_needless_component(line: Line, case: Case) -> bool:
    found = component_indicator(line.code, line.day, case) if "TC" in line.modifiers else None
    return isinstance(found, Status) and found.value == _SPLIT


_SPLIT = "1"


def _components(lines: list[Line], case: Case) -> Verdicts:
    codes = _linked([line.code for line in lines])
    found = component_indicator(lines[0].code, lines[0].day, case)
    yield _finding(
        worded(
            "{codes} with TC on a hospital claim: the hospital's charge is the technical part without it.", codes=codes
        ),
        lines,
        [named_fix([RemoveModifier(line, "TC") for line in lines], recommended=False)],
        (worded("TC separates the parts of a practitioner's fee; some payers reject it on a hospital claim."),),
        found.source if isinstance(found, Status) else PC_TC.sources["fee-schedule"],
        INFO,
    )
