"""Rule: an add-on charged more than once per study."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from cds_service.core.case import Case, Line
from cds_service.core.notation import counted_units
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Passed, Undecided, Verdict, rule
from cds_service.languages.worded import counted, worded
from hooks.codes.tables import ADD_ONS, CODES
from hooks.coding.claims import by_claim_type, charge_evidence, may_be_several, units_of
from hooks.coding.fixes import keep_units
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, on_day
from hooks.coding.studies import Study, studies


@rule(
    order=WARNING,
    claim=WARNING,
    about=(studies,),
    tables=(ADD_ONS, CODES),
    sources=(ADD_ONS.sources["ncci-add-ons"],),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no add-on that is charged once per study is under review"),
)
def add_on_repeated(case: Case) -> Iterator[Verdict]:
    """93352 or 0439T is charged more than once for one study.

    Why:
        Each of these codes covers all contrast use in a study, however many injections were given. A second unit is
        denied (Medicare allows one per day).

    Flags:
        Two lines, or one line with two units, for the same study and claim type.

    Passes:
        One unit per study; one line each for two studies; a charge and the claim made from it. Not checked if the study
        itself is charged or recorded more than once.
    """
    for study in studies(case):
        for code in sorted({line.code for line in study.lines if _is_once_per_study(line)}):
            for lines in by_claim_type(study.lines_for(code)):
                if study.under_review:
                    yield _verdict(code, lines, study)


def _verdict(code: str, lines: tuple[Line, ...], study: Study) -> Verdict:
    if _count(lines) <= 1:
        return Passed(_once, code, lines, study)
    if may_be_several(study):
        reason = worded("{code} may belong to one of several echo studies of the day", code=code)
        return Undecided("studies", reason, (*charge_evidence(lines), *charge_evidence(study.primaries)))
    return _finding(code, lines, study)


def _once(code: str, lines: tuple[Line, ...], study: Study) -> Because:
    text = worded(
        "{code} is charged with {units} for the study{on_day}",
        code=code,
        units=counted_units(_count(lines)),
        on_day=on_day(study.day),
    )
    return because_of(text, lines)


def _is_once_per_study(line: Line) -> bool:
    return any(entry.once_per_study for entry in ADD_ONS.history(line.code))


def _count(lines: Iterable[Line]) -> Decimal:
    return sum((units_of(line) for line in lines), Decimal(0))


def _finding(code: str, lines: tuple[Line, ...], study: Study) -> Finding:
    certain = all(line.certain for line in lines)
    changes = keep_units(lines, Decimal(1)) if certain else ()
    return Finding(
        summary=counted(
            "{code} is charged {count} time for one study: keep one unit.",
            "{code} is charged {count} times for one study: keep one unit.",
            _count(lines),
            code=code,
        ),
        evidence=charge_evidence(lines),
        fixes=(Fix(worded("Keep one unit of {code}", code=code), changes, recommended=True),) if changes else (),
        notes=(worded("{code} is charged once per study, however many injections were given.", code=code),),
        day=study.day,
        indicator=None if certain else INFO,
    )
