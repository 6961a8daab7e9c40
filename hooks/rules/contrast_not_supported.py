"""Rule: contrast charged although the record shows none given."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, ReplaceCode
from cds_service.core.rules import INFO, WARNING, Because, Finding, Passed, Verdict, rule
from cds_service.languages.worded import Worded, counted, linked, worded
from hooks.codes.sources import ASE_2018
from hooks.codes.tables import CODES, CROSSWALK, PRODUCTS
from hooks.coding.claims import charge_evidence
from hooks.coding.contrast import ContrastUse, contrast_in
from hooks.coding.fixes import named_fix
from hooks.coding.hospital import cpt_code_for
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.passing import because_of, codes_of
from hooks.coding.products import is_supply
from hooks.coding.studies import Study, studies
from hooks.coding.study_codes import CONTRAST_ADD_ON, is_hospital_code, study_kind


@rule(
    order=INFO,
    claim=WARNING,
    about=(studies,),
    tables=(CODES, PRODUCTS, CROSSWALK),
    sources=(CODES.sources["hcpcs"], CROSSWALK.sources["opps"], ASE_2018),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no charge for contrast is under review"),
)
def contrast_not_supported(case: Case) -> Iterator[Verdict]:
    """Contrast is charged, but the record shows that no agent was given.

    Why:
        93352 and the supply are billable only for an agent that was given to the patient. An agent that was planned, or
        opened and not given, is not billable. Payments without support in the record must be returned.

    Flags:
        93352, a supply code or a hospital code for an echo with contrast is submitted, but the administration or the
        study is recorded as not done, or the administration record is complete and lists none for the study.

    Passes:
        The record shows an administration, a contrast echo or an agent used; the administration record was not sent; an
        administration was started, or may belong to the study.
    """
    for study in studies(case):
        charged = tuple(line for line in study.lines if line.under_review and _charges_contrast(line))
        if not charged:
            continue
        use = contrast_in(study, case)
        if case.stage == "claim" and use.given in {"no", "contradicted"}:
            yield _finding(study, use, charged)
        else:
            yield Passed(_supported, use, charged, case)


def _supported(use: ContrastUse, lines: tuple[Line, ...], case: Case) -> Because:
    """The record of contrast or, where there is none, that it rules no contrast out."""
    if case.stage == "order":
        return because_of(worded("{codes} may be planned before contrast is given", codes=codes_of(lines)), lines)
    records = tuple(seen for seen in use.evidence if not isinstance(seen.record, Line))
    if records:
        text = worded("the record supports {codes}: {seen}", codes=codes_of(lines), seen=records[0].seen)
        return Because(text, records)
    text = worded("nothing on record rules out the contrast behind {codes}", codes=codes_of(lines))
    return because_of(text, lines)


def _charges_contrast(line: Line) -> bool:
    return line.code == CONTRAST_ADD_ON or is_supply(line.code) or is_hospital_code(line)


def _finding(study: Study, use: ContrastUse, charged: tuple[Line, ...]) -> Finding:
    certain = all(line.certain for line in charged)
    fixable = certain and all(line.open for line in charged)
    changes = tuple(_change(line, study) for line in charged)
    codes = linked(sorted({line.code for line in charged}))
    return Finding(
        summary=_summary(codes, use, changes),
        evidence=(*charge_evidence(charged), *use.against),
        fixes=(named_fix(changes, recommended=bool(use.against)),) if fixable else (),
        notes=() if use.against else (_COMPLETE_RECORD_NOTE,),
        day=study.day,
        indicator=None if certain else INFO,
    )


_COMPLETE_RECORD_NOTE = worded(
    "The administration record is complete and lists no contrast agent for this study. If one was given, for example "
    "by a hospital with its own record, have it documented before the claim is submitted."
)


def _summary(codes: Worded, use: ContrastUse, changes: tuple[Change, ...]) -> Worded:
    """The finding in one sentence; the numbers of codes and of lines are said by the action."""
    if use.against:
        return worded(
            "{codes} charged, but the record states that no contrast was given: {action}.",
            codes=codes,
            action=_action(changes),
        )
    return worded(
        "{codes} charged, but the record lists no contrast given: {action}.", codes=codes, action=_action(changes)
    )


def _action(changes: tuple[Change, ...]) -> Worded:
    if any(isinstance(change, ReplaceCode) for change in changes):
        return counted("correct it", "correct them", len(changes))
    return counted("remove it", "remove them", len(changes))


def _change(line: Line, study: Study) -> Change:
    """A hospital code is replaced by the code without contrast, unless that is charged already."""
    plain = cpt_code_for(line.code, line.day or study.day)
    others = {
        each.code
        for each in study.lines
        if study_kind(each) and each.claim_type == line.claim_type and each is not line
    }
    return ReplaceCode(line, plain) if plain and plain not in others else RemoveLine(line)
