"""Rule: contrast charged, with documentation missing from the record."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.rules import INFO, Because, Finding, Passed, Verdict, rule
from cds_service.languages.worded import Worded, joined, name, prose, worded
from hooks.codes.tables import DOCUMENTATION
from hooks.coding.claims import charge_evidence
from hooks.coding.contrast import contrast_in
from hooks.coding.documentation import DocumentationCheck, State, documentation_of, is_incomplete
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
    if_none=worded("{code} is not submitted", code=CONTRAST_ADD_ON),
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
            unsupported = worded("{codes} without contrast on record", codes=CONTRAST_ADD_ON)
            yield Passed(left_to, "contrast-not-supported", unsupported, lines)
        elif is_incomplete(study, case):
            yield _finding(study, lines, case)
        else:
            yield Passed(_none_missing, study, lines, case)


def _none_missing(study: Study, lines: tuple[Line, ...], case: Case) -> Because:
    checked = documentation_of(study, case)
    found = sum(each.state == "found" for each in checked)
    if found == len(checked):
        return because_of(worded("{found} of {all} supporting items found", found=found, all=len(checked)), lines)
    text = worded(
        "{found} of {all} supporting items found, and the others may be in parts that were not sent",
        found=found,
        all=len(checked),
    )
    return because_of(text, lines)


def _finding(study: Study, lines: tuple[Line, ...], case: Case) -> Finding:
    checked = documentation_of(study, case)
    absent = [each for each in checked if each.state == "not found"]
    return Finding(
        summary=worded(
            "{code}: {absent} of {all} supporting items are missing from the record: add them.",
            code=CONTRAST_ADD_ON,
            absent=len(absent),
            all=len(checked),
        ),
        evidence=charge_evidence(lines),
        checklist=tuple(_row(each) for each in checked),
        notes=(worded("Not found: {items}.", items=joined("; ", (prose(each.item.name) for each in absent))),),
        day=study.day,
    )


_STATES: dict[State, Worded] = {
    "found": worded("found"),
    "not found": worded("not found"),
    "unknown": worded("unknown"),
}


def _row(checked: DocumentationCheck) -> tuple[str, str, str]:
    references = dict.fromkeys(each.origin.reference for each in checked.records)
    return prose(checked.item.name), _STATES[checked.state], name(", ".join(references))
