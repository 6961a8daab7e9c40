"""Rule: an add-on code without a primary."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice

from cds_service.core.case import Case, Line, Order, cached_fact
from cds_service.core.changes import AddLine, RemoveLine, RemoveOrder
from cds_service.core.rules import INFO, WARNING, Because, Evidence, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import Worded, joined, linked, worded
from hooks.codes.tables import ADD_ONS, CODES, STUDIES
from hooks.coding.claims import charge_evidence, is_submitted, lines_with_units
from hooks.coding.contrast import contrast_in
from hooks.coding.hospital import cpt_code_for, hospital_code_for, is_hospital_code_of_practice, medicare_hospital_lines
from hooks.coding.lines import alike, days_under_review
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, left_to, on_day
from hooks.coding.performed import code_to_charge
from hooks.coding.primaries import has_primary, ordered_codes, primaries_charged, primaries_of_anybody
from hooks.coding.published import Primaries, Unknown, primaries_of
from hooks.coding.questions import not_in_tables
from hooks.coding.studies import Study, procedure_codes, records_of_echo, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, is_hospital_code, study_kind
from hooks.coding.unclear import shifted_day

# With more alternatives, the card lists them in a note and offers no fix for each.
MOST_ALTERNATIVES = 5
MOST_LISTED = 12  # codes or charges that a finding lists


@rule(
    order=WARNING,
    claim=WARNING,
    about=(studies,),
    tables=(ADD_ONS,),
    sources=(ADD_ONS.sources["ncci-add-ons"],),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no add-on is under review"),
    every_code=True,
)
def add_on_without_primary(case: Case) -> Iterator[Verdict]:
    """An add-on code is charged without a primary.

    Why:
        Medicare pays an add-on only with one of its primaries, for the same patient, date of service and practitioner.
        Its list of primaries for these add-ons is closed. Of other add-ons (types II and III) contractors define the
        primaries, or some of them; without a listed primary that is not decided.

    Flags:
        An add-on (93352, 0439T, Doppler, color flow, strain) on a day on which the same practitioner charges none of
        its primaries. Examples: 93352 with a rest echo, or 93352 with a hospital C code.

    Passes:
        A primary is charged that day or, at order time, ordered; 93352 on a Medicare hospital claim (see
        hospital-contrast-code). With every code of the claim checked, not decided if another practitioner charges the
        primary of another code: practitioners of one group may share a service.
    """
    for study in studies(case):
        for lines in alike(line for line in study.lines if line.code in ADD_ONS) if study.under_review else ():
            if _is_on_medicare_hospital_claim(lines[0], study, case):
                because = worded("{code} is on a Medicare hospital claim", code=lines[0].code)
                yield Passed(left_to, "hospital-contrast-code", because, lines)
            else:
                yield from _verdict(lines, study, case)
        for order in study.orders if case.stage == "order" else ():
            yield from _check_order(order, case)
    if case.every_code:
        yield from _other_add_ons(case)


def _verdict(lines: tuple[Line, ...], study: Study, case: Case) -> Iterator[Verdict]:
    """The verdict on lines that are alike."""
    line = lines[0]
    if case.stage == "claim" and not _is_on_reviewed_day(line, case):
        return
    found = primaries_of(line.code, line.day, case)
    if isinstance(found, Unknown):
        yield not_in_tables(found.reason, lines)
    elif found is None:
        yield Passed(_no_add_on, line)
    elif has_primary(line, found.codes, case):
        yield Passed(_beside_primary, line, found, case)
    else:
        yield _finding(lines, found, study, case) if found.is_closed else _by_contractors(lines)


def _no_add_on(line: Line) -> Because:
    return because_of(worded("{code} is no add-on{on_day}", code=line.code, on_day=on_day(line.day)), [line])


def _beside_primary(line: Line, entry: Primaries, case: Case) -> Because:
    """The add-on with the primary that it stands beside; at order time, the primary may be ordered."""
    beside = next(primaries_charged(line, entry.codes, case), None)
    if beside is None:
        return because_of(worded("the primary of {code} is ordered", code=line.code), [line])
    text = worded(
        "{code} stands beside {primary}{on_day}", code=line.code, primary=beside.code, on_day=on_day(line.day)
    )
    return because_of(text, [line, beside])


def _is_on_medicare_hospital_claim(line: Line, study: Study, case: Case) -> bool:
    """True for 93352 on a Medicare hospital claim; `hospital-contrast-code` removes it."""
    return line.code == CONTRAST_ADD_ON and line in medicare_hospital_lines(study, case)


def _is_primary_replaced(line: Line, study: Study, case: Case) -> bool:
    """True if a primary is charged by the hospital's code on a practitioner's claim: `code-for-other-setting` replaces
    it, and the add-on stays.
    """
    of_practice = (each for each in study.primaries if is_hospital_code_of_practice(each, case))
    return line.code == CONTRAST_ADD_ON and any(cpt_code_for(each.code, each.day) for each in of_practice)


def _is_on_reviewed_day(line: Line, case: Case) -> bool:
    """True for lines under review and for earlier charges of the days under review."""
    return line.under_review or line.day in days_under_review(case)


def _finding(lines: tuple[Line, ...], entry: Primaries, study: Study, case: Case) -> Finding:
    line = lines[0]
    primaries = _possible_primaries(line, entry, study, case)
    near = _on_neighboring_days(line.day, entry.codes, case)
    is_fixable = line.certain and line.open and not _is_primary_replaced(line, study, case)
    return Finding(
        summary=_summary(line.code, primaries),
        evidence=(
            *charge_evidence(lines),
            *_by_other_practitioners(line.day, entry.codes, case),
            *near,
            *_study_shown(study, primaries),
        ),
        fixes=_fixes(lines, study, case, primaries, may_be_misdated=bool(near)) if is_fixable else (),
        notes=(_primaries_note(line.code, joined(", ", entry.codes)),),
        day=line.day,
        indicator=None if line.certain else INFO,
        sources=(entry.source,),
    )


def _possible_primaries(line: Line, entry: Primaries, study: Study, case: Case) -> tuple[str, ...]:
    """Primaries that may have been performed: those on record, else all that the record does not rule out.

    Empty if another practitioner charges a primary, which must not be charged twice.
    """
    if _by_other_practitioners(line.day, entry.codes, case):
        return ()
    contrast = contrast_in(study, case).given == "yes"
    hospital = line in medicare_hospital_lines(study, case)
    done = (code_to_charge(code, study, hospital, contrast) for code, _ in procedure_codes(study))
    shown = tuple(dict.fromkeys(code for code in done if code in entry.codes))
    if shown:
        return shown
    candidates = tuple(code for code in entry.codes if _fits(code, line, contrast) and CODES.on(code, line.day))
    if hospital and contrast:
        candidates = tuple(code for code in candidates if hospital_code_for(code, line.day) not in candidates)
    kinds = {study_kind(each) for each in study.procedures if each.status == "done"} - {None}
    if any(is_hospital_code(each) or study_kind(each) for each in study.lines):
        return ()
    if kinds:
        return tuple(code for code in candidates if any(each.kind in kinds for each in STUDIES.history(code)))
    return () if case.is_complete("procedures", line.day) else candidates


@cached_fact
def _by_other_practitioners(day: date | None, primaries: tuple[str, ...], case: Case) -> tuple[Evidence, ...]:
    """Some primaries that are charged on a day by others: made once for all add-ons that have none of their own."""
    charged = islice(primaries_of_anybody(day, primaries, case), MOST_LISTED)
    return tuple(
        Evidence(worded("{line} is charged by another practitioner", line=str(each)), each) for each in charged
    )


@cached_fact
def _on_neighboring_days(day: date | None, primaries: tuple[str, ...], case: Case) -> tuple[Evidence, ...]:
    """Some primaries that are charged the day before or after."""
    days = [near for by in (-1, 1) if (near := shifted_day(day, by))]
    charged = (each for near in days for each in primaries_of_anybody(near, primaries, case))
    return charge_evidence(islice(charged, MOST_LISTED))


def _fits(code: str, line: Line, contrast: bool) -> bool:
    """A hospital code with contrast is no primary on a professional claim, or if no contrast was given."""
    return not is_hospital_code(code) or (contrast and line.claim_type != "professional")


def _summary(code: str, possible: tuple[str, ...]) -> Worded:
    if 0 < len(possible) <= MOST_ALTERNATIVES:
        return worded(
            "{code} is charged without a primary: add {primaries} if performed, or remove it.",
            code=code,
            primaries=linked(possible, "or"),
        )
    return worded("{code} is charged without a primary: remove it, or charge its primary study.", code=code)


def _primaries_note(code: str, primaries: Worded) -> Worded:
    return worded("Primaries of {code} on this date of service: {primaries}.", code=code, primaries=primaries)


def _study_shown(study: Study, primaries: tuple[str, ...]) -> tuple[Evidence, ...]:
    done = tuple(
        Evidence(worded("{code} performed", code=code), procedure)
        for code, procedure in procedure_codes(study)
        if {code, hospital_code_for(code, study.day), cpt_code_for(code, study.day)} & set(primaries)
    )
    return done or charge_evidence(each for each in study.lines if study_kind(each))


def _fixes(
    lines: tuple[Line, ...], study: Study, case: Case, possible: tuple[str, ...], *, may_be_misdated: bool
) -> tuple[Fix, ...]:
    """One primary is enough for lines that are alike; without it, all of them go.

    It is not recommended where one is charged the day before or after: one of the dates may be wrong.
    """
    offered = possible if len(possible) <= MOST_ALTERNATIVES else ()
    is_performed = any(done.within is None for _, done in procedure_codes(study))
    decided = len(possible) == 1 and is_performed and not may_be_misdated
    additions = tuple(
        Fix(worded("Add {lines}", lines=code), (_primary_line(code, lines[0], study, case),), recommended=decided)
        for code in offered
    )
    return (*additions, _removal(lines))


def _removal(lines: tuple[Line, ...]) -> Fix:
    return Fix(worded("Remove {codes}", codes=lines[0].code), tuple(map(RemoveLine, lines)))


def _primary_line(code: str, line: Line, study: Study, case: Case) -> AddLine:
    return AddLine(
        code=code,
        units=Decimal(1),
        sibling=line,
        references=study.references,
        day=line.day,
        performers=line.performers,
        encounter=line.encounter or case.encounter,
    )


def _check_order(order: Order, case: Case) -> Iterator[Verdict]:
    """An unsigned order for an add-on while no primary is ordered, performed or charged."""
    for code in sorted(ordered_codes(order) & {entry.code for entry in ADD_ONS}) if case.is_in_focus(order) else ():
        entry = primaries_of(code, order.day, case)
        if not isinstance(entry, Primaries):
            continue
        if _has_study(entry, case):
            yield Passed(_ordered_with_primary, code, order)
            continue
        yield Finding(
            summary=worded(
                "{code} is ordered without a primary: order its primary study, or remove the order.", code=code
            ),
            evidence=(_is_ordered(code, order),),
            fixes=(_order_removal(code, order),) if _is_only_code(order) else (),
            notes=(worded("Primaries of {code}: {primaries}.", code=code, primaries=joined(", ", entry.codes)),),
            day=order.day,
            sources=(entry.source,),
        )


def _ordered_with_primary(code: str, order: Order) -> Because:
    text = worded("{code} is ordered with a study that may be its primary", code=code)
    return Because(text, (_is_ordered(code, order),))


def _is_ordered(code: str, order: Order) -> Evidence:
    return Evidence(worded("{code} is ordered", code=code), order)


def _order_removal(code: str, order: Order) -> Fix:
    return Fix(worded("Remove the order for {code}", code=code), (RemoveOrder(order, code),))


def _is_only_code(order: Order) -> bool:
    return len(ordered_codes(order)) == 1 and "/" in order.identity


def _has_study(entry: Primaries, case: Case) -> bool:
    return any(study_kind(each) == "stress" for each in records_of_echo(case)) or any(
        ordered_codes(each) & set(entry.codes) for each in case.orders
    )


# --- add-ons of other specialties -----------------------------------------------------------------------------------


def _other_add_ons(case: Case) -> Iterator[Verdict]:
    """Add-ons that only the loaded tables know."""
    others = (line for line in lines_with_units(case) if line.code and line.code not in ADD_ONS)
    unknown: dict[str, list[Line]] = {}
    for lines in alike(others):
        line = lines[0]
        found = primaries_of(line.code, line.day, case)
        if not is_submitted(lines, case) or found is None:
            continue
        if isinstance(found, Unknown):
            unknown.setdefault(found.reason, []).extend(lines)
        elif has_primary(line, found.codes, case):
            yield Passed(_beside_primary, line, found, case)
        else:
            yield _other_verdict(lines, found, case)
    for reason, of_reason in unknown.items():
        yield not_in_tables(reason, of_reason)


def _by_contractors(lines: Sequence[Line]) -> Undecided:
    reason = worded(
        "contractors define primaries of {code}, and none of the listed ones is charged: ask your MAC",
        code=lines[0].code,
    )
    return Undecided("table", reason, charge_evidence(lines))


def _other_verdict(lines: tuple[Line, ...], entry: Primaries, case: Case) -> Finding | Undecided:
    """Practitioners of one group and specialty may share a service, such as the hours of critical care."""
    others = _by_other_practitioners(lines[0].day, entry.codes, case)
    if not entry.is_closed:
        return _by_contractors(lines)
    if others:
        reason = worded(
            "another practitioner charges the primary of {code}: paid only if both are of one group",
            code=lines[0].code,
        )
        return Undecided("claim", reason, (*charge_evidence(lines), *others))
    return _other_finding(lines, entry)


def _other_finding(lines: tuple[Line, ...], entry: Primaries) -> Finding:
    line = lines[0]
    listed = sorted(entry.codes)
    primaries = joined(", ", listed[:MOST_LISTED])
    if len(listed) > MOST_LISTED:
        primaries = worded("{codes} and {number} more", codes=primaries, number=len(listed) - MOST_LISTED)
    return Finding(
        summary=worded("{code} is charged without a primary: remove it, or charge its primary.", code=line.code),
        evidence=charge_evidence(lines),
        fixes=(_removal(lines),) if line.certain and line.open else (),
        absent=entry.codes,
        notes=(_primaries_note(line.code, primaries),),
        day=line.day,
        indicator=None if line.certain else INFO,
        sources=(entry.source,),
    )
