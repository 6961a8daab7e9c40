"""Rule: contrast charged, and parts of its documentation are not on the record."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.rules import INFO, Evidence, Finding, Undecided, rule
from hooks.codes.tables import DOCUMENTATION
from hooks.coding.contrast import contrast_in
from hooks.coding.documentation import DocumentationCheck, documentation_of, is_incomplete
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON


@rule(
    order=INFO,
    claim=INFO,
    about=(studies,),
    tables=(DOCUMENTATION,),
    sources=(DOCUMENTATION.sources["reference-pages"], DOCUMENTATION.sources["bracco-2016"]),
    override_reasons=WRONG_CHARGE,
)
def documentation_incomplete(case: Case) -> Iterator[Finding | Undecided]:
    """93352 is charged, and the record does not hold all that supports it.

    Why:
        A payer who asks for the record wants to see why contrast was needed, what was given, and how the stress echo
        went: the reason, the borders not seen without contrast, agent and amount, images, report, ECG, protocol and
        result. What is missing is easier to add before the claim goes out.

    Flags:
        93352 goes out, the part of the record in which an item stands came whole, and the item is not there.

    Passes:
        Every item is found, or may stand in a part of the record that did not come along.
    """
    for study in studies(case) if case.stage == "claim" else ():
        lines = tuple(line for line in study.charged(CONTRAST_ADD_ON) if line.under_review)
        is_supported = lines and contrast_in(study, case).given not in {"no", "contradicted"}
        if is_supported and is_incomplete(study, case):
            yield _finding(study, lines, case)


def _finding(study: Study, lines: tuple[Line, ...], case: Case) -> Finding:
    checked = documentation_of(study, case)
    absent = [each for each in checked if each.state == "not found"]
    return Finding(
        summary=f"93352 is charged, and {len(absent)} of {len(checked)} items that support it are not on record.",
        evidence=tuple(Evidence(f"{line} is charged", line) for line in lines),
        checklist=tuple(_row(each) for each in checked),
        notes=("Not found: " + "; ".join(each.item.name for each in absent) + ".",),
        day=study.day,
    )


def _row(checked: DocumentationCheck) -> tuple[str, str, str]:
    return checked.item.name, checked.state, ", ".join(dict.fromkeys(each.origin.reference for each in checked.where))
