"""Rule: contrast charged, with documentation missing from the record."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.rules import INFO, Because, Evidence, Finding, Passed, Verdict, rule
from hooks.codes.tables import DOCUMENTATION
from hooks.coding.contrast import contrast_in
from hooks.coding.documentation import DocumentationCheck, documentation_of, is_incomplete
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, left_to
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON


@rule(
    order=INFO,
    claim=INFO,
    about=(studies,),
    tables=(DOCUMENTATION,),
    sources=(DOCUMENTATION.sources["reference-pages"], DOCUMENTATION.sources["bracco-2016"]),
    override_reasons=WRONG_CHARGE,
    if_none="93352 is not submitted",
)
def documentation_incomplete(case: Case) -> Iterator[Verdict]:
    """93352 is charged, but supporting documentation is missing from the record.

    Why:
        Payers that request the record look for the reason for the study, the need for contrast (borders not seen
        without it), agent and amount, images, report, ECG, protocol and result. Missing items are easier to add before
        the claim is submitted.

    Flags:
        93352 is submitted, the part of the record that should contain an item is complete, and the item is not in it.

    Passes:
        Every item is found, or may be in a part of the record that was not sent.
    """
    for study in studies(case) if case.stage == "claim" else ():
        lines = tuple(line for line in study.lines_for(CONTRAST_ADD_ON) if line.under_review)
        if not lines:
            continue
        if contrast_in(study, case).given in {"no", "contradicted"}:
            yield Passed(left_to, "contrast-not-supported", f"{CONTRAST_ADD_ON} without contrast on record", lines)
        elif is_incomplete(study, case):
            yield _finding(study, lines, case)
        else:
            yield Passed(_none_missing, study, lines, case)


def _none_missing(study: Study, lines: tuple[Line, ...], case: Case) -> Because:
    checked = documentation_of(study, case)
    found = sum(each.state == "found" for each in checked)
    rest = "" if found == len(checked) else ", and the others may be in parts that were not sent"
    return because_of(f"{found} of {len(checked)} supporting items found{rest}", lines)


def _finding(study: Study, lines: tuple[Line, ...], case: Case) -> Finding:
    checked = documentation_of(study, case)
    absent = [each for each in checked if each.state == "not found"]
    return Finding(
        summary=f"93352: {len(absent)} of {len(checked)} supporting items are missing from the record: add them.",
        evidence=tuple(Evidence(f"{line} is charged", line) for line in lines),
        checklist=tuple(_row(each) for each in checked),
        notes=("Not found: " + "; ".join(each.item.name for each in absent) + ".",),
        day=study.day,
    )


def _row(checked: DocumentationCheck) -> tuple[str, str, str]:
    return checked.item.name, checked.state, ", ".join(dict.fromkeys(each.origin.reference for each in checked.records))
