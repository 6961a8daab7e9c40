"""Rule: an add-on code without any of its primaries."""

from collections.abc import Iterator
from decimal import Decimal

from cds_service.core.case import Case, Line, Order
from cds_service.core.changes import AddLine, RemoveLine, RemoveOrder
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.tables import ADD_ONS, CODES, STUDIES, AddOn
from hooks.coding.contrast import contrast_in, procedure_codes
from hooks.coding.hospital import hospital_code_for, medicare_hospital_lines, plain_code_for
from hooks.coding.lines import days_under_review, lines_on
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.performed import code_to_charge
from hooks.coding.primaries import has_primary, ordered_codes
from hooks.coding.studies import Study, records_of_echo, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, is_hospital_code, study_kind

# More alternatives than this do not help anybody to choose; the card then names them and leaves the choice.
MOST_ALTERNATIVES = 5


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(ADD_ONS,),
    sources=(ADD_ONS.sources["ncci-add-ons"],),
    override_reasons=WRONG_CHARGE,
)
def add_on_without_primary(case: Case) -> Iterator[Finding | Undecided]:
    """An add-on code is charged without any of the primaries that it belongs to.

    Why:
        An add-on is paid only beside one of its primaries, for the same patient, the same date of service and the same
        practitioner. Medicare's list of primaries for these add-ons is closed.

    Flags:
        An add-on of the table (93352, 0439T, Doppler, colour flow, strain) on a day on which none of its primaries is
        charged by the same practitioner. 93352 beside a rest echo or beside a hospital C code is such a case.

    Passes:
        One of its primaries is charged that day; at order time, one is ordered. 93352 on a Medicare hospital claim is
        left to the rule for C codes.
    """
    for study in studies(case):
        for line in study.lines if study.under_review else ():
            if not _is_hospitals(line, study, case):
                yield from _verdict(line, study, case)
        for order in study.orders if case.stage == "order" else ():
            yield from _ordered_alone(order, case)


def _verdict(line: Line, study: Study, case: Case) -> Iterator[Finding | Undecided]:
    if line.code not in ADD_ONS or (case.stage == "claim" and not _is_reviewed(line, case)):
        return
    entry = ADD_ONS.on(line.code, line.day)
    if entry is None:
        yield Undecided(
            "table",
            f"the table of primaries does not reach the date of service of {line.code}",
            (Evidence("charged", line),),
        )
    elif not has_primary(line, entry, case):
        yield _unread(line, entry, case) or _finding(line, entry, study, case)


def _unread(alone: Line | Order, entry: AddOn, case: Case) -> Undecided | None:
    """That a primary may be there, in a charge or an order that could not be read."""
    may_be = sorted(case.unreadable_codes & set(entry.primaries))
    reason = f"{' or '.join(may_be)} may be there, in a resource that could not be read"
    evidence = Evidence("charged" if isinstance(alone, Line) else "ordered", alone)
    return Undecided("record", reason, (evidence,)) if may_be else None


def _is_hospitals(line: Line, study: Study, case: Case) -> bool:
    """Whether 93352 stands on a Medicare hospital claim: the rule for C codes takes it off."""
    return line.code == CONTRAST_ADD_ON and line in medicare_hospital_lines(study, case)


def _is_reviewed(line: Line, case: Case) -> bool:
    """What is about to go out, and what went before on a day that is about to go out."""
    return line.under_review or line.day in days_under_review(case)


def _finding(line: Line, entry: AddOn, study: Study, case: Case) -> Finding:
    primaries = _possible(line, entry, study, case)
    return Finding(
        summary=f"{line.code} is charged without a primary: {_what_to_do(primaries)}.",
        evidence=(
            Evidence(f"{line} is charged", line),
            *(
                Evidence(f"{other} is charged by another practitioner", other)
                for other in _of_others(line, entry, case)
            ),
            *_shown(study, primaries),
        ),
        fixes=_remedies(line, study, case, primaries) if line.certain and line.open else (),
        notes=(f"Primaries of {line.code} on this date of service: {', '.join(entry.primaries)}.",),
        day=line.day,
        indicator=None if line.certain else INFO,
    )


def _possible(line: Line, entry: AddOn, study: Study, case: Case) -> tuple[str, ...]:
    """The primaries that may have been done: what the record shows; all, where it shows nothing against them.

    None where a primary is charged by somebody else: it is not to be charged twice.
    """
    if _of_others(line, entry, case):
        return ()
    contrast = contrast_in(study, case).given == "yes"
    hospital = line in medicare_hospital_lines(study, case)
    done = (code_to_charge(code, study, hospital, contrast) for code, _ in procedure_codes(study))
    shown = tuple(dict.fromkeys(code for code in done if code in entry.primaries))
    if shown:
        return shown
    may_be = tuple(code for code in entry.primaries if _fits(code, line, contrast) and CODES.on(code, line.day))
    if hospital and contrast:
        may_be = tuple(code for code in may_be if hospital_code_for(code, line.day) not in may_be)
    kinds = {study_kind(each) for each in study.procedures if each.status == "done"} - {None}
    if any(is_hospital_code(each) or study_kind(each) for each in study.lines):
        return ()
    if kinds:
        return tuple(code for code in may_be if any(each.kind in kinds for each in STUDIES.history(code)))
    return () if "procedures" in case.complete else may_be


def _of_others(line: Line, entry: AddOn, case: Case) -> list[Line]:
    """Primaries that other practitioners charge on that day."""
    return [other for other in lines_on(line.day, case) if other.code in entry.primaries]


def _fits(code: str, line: Line, contrast: bool) -> bool:
    """A hospital code for an echo with contrast is no primary on a professional claim, or where none was given."""
    return not is_hospital_code(code) or (contrast and line.claim_type != "professional")


def _what_to_do(possible: tuple[str, ...]) -> str:
    if 0 < len(possible) <= MOST_ALTERNATIVES:
        return f"add {' or '.join(possible)} if that was done, or remove it"
    return "remove it, or charge the study that it belongs to"


def _shown(study: Study, primaries: tuple[str, ...]) -> tuple[Evidence, ...]:
    done = tuple(
        Evidence(f"{code}, done", procedure)
        for code, procedure in procedure_codes(study)
        if {code, hospital_code_for(code, study.day), plain_code_for(code, study.day)} & set(primaries)
    )
    others = tuple(Evidence(f"{each} is charged", each) for each in study.lines if study_kind(each))
    return done or others


def _remedies(line: Line, study: Study, case: Case, possible: tuple[str, ...]) -> tuple[Fix, ...]:
    offered = possible if len(possible) <= MOST_ALTERNATIVES else ()
    decided = len(possible) == 1 and bool(procedure_codes(study))
    additions = tuple(
        Fix(f"Add {code}", (_primary_line(code, line, study, case),), recommended=decided) for code in offered
    )
    return (*additions, Fix(f"Remove {line.code}", (RemoveLine(line),)))


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


def _ordered_alone(order: Order, case: Case) -> Iterator[Finding | Undecided]:
    """An unsigned order for the add-on alone: nothing that it could be added to is ordered, done or charged."""
    for code in sorted(ordered_codes(order) & {entry.code for entry in ADD_ONS}) if case.is_in_focus(order) else ():
        entry = ADD_ONS.on(code, order.day)
        if entry is None or _has_study(entry, case):
            continue
        yield _unread(order, entry, case) or Finding(
            summary=f"{code} is ordered without a study that it belongs to.",
            evidence=(Evidence(f"{code} is ordered", order),),
            fixes=(Fix(f"Remove the order for {code}", (RemoveOrder(order, code),)),) if _alone(order) else (),
            notes=(f"{code} belongs to one of {', '.join(entry.primaries)}.",),
            day=order.day,
        )


def _alone(order: Order) -> bool:
    return len(ordered_codes(order)) == 1 and "/" in order.identity


def _has_study(entry: AddOn, case: Case) -> bool:
    return any(study_kind(each) == "stress" for each in records_of_echo(case)) or any(
        ordered_codes(each) & set(entry.primaries) for each in case.orders
    )
