"""Rule: contrast charged, and the record says that none was given."""

from collections.abc import Iterator

from cds_service.core.case import Case, Line
from cds_service.core.changes import Change, RemoveLine, ReplaceCode
from cds_service.core.rules import INFO, WARNING, Evidence, Finding, Fix, Undecided, rule
from hooks.codes.sources import ASE_2018
from hooks.codes.tables import CODES, CROSSWALK, PRODUCTS, STUDIES
from hooks.coding.contrast import ContrastUse, contrast_in
from hooks.coding.hospital import plain_code_for
from hooks.coding.override_reasons import WRONG_CHARGE
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
)
def contrast_not_supported(case: Case) -> Iterator[Finding | Undecided]:
    """Contrast is charged, and the record says that no agent was given.

    Why:
        93352 and the supply are charged for an agent that was given to the patient. Opened and not given, or planned
        and not needed, it is not charged; what the record does not support has to be paid back.

    Flags:
        93352, a supply code or a hospital code for an echo with contrast goes out, while the administration or the
        study is recorded as not done, or the record of administrations is complete and holds none for the study.

    Passes:
        An administration, a contrast echo done or an agent used is on the record; the record of administrations did not
        come along; an administration was begun, or may belong to the study.
    """
    for study in studies(case):
        charged = tuple(line for line in study.lines if line.under_review and _charges_contrast(line))
        use = contrast_in(study, case)
        if case.stage == "claim" and charged and use.given in {"no", "contradicted"}:
            yield _unread(charged, case) or _finding(study, use, charged)


def _unread(charged: tuple[Line, ...], case: Case) -> Undecided | None:
    """That contrast may be in a record that could not be read, or belong to a study whose charge could not."""
    if not {"medicationAdministrations", "procedures"} & case.unreadable_parts and not any(
        code in STUDIES for code in case.unreadable_codes
    ):
        return None
    evidence = tuple(Evidence(f"{line} is charged", line) for line in charged)
    reason = "a record or a charge that could not be read may show what contrast was given for"
    return Undecided("record", reason, evidence)


def _charges_contrast(line: Line) -> bool:
    return line.code == CONTRAST_ADD_ON or is_supply(line.code) or is_hospital_code(line)


def _finding(study: Study, use: ContrastUse, charged: tuple[Line, ...]) -> Finding:
    certain = all(line.certain for line in charged)
    mendable = certain and all(line.open for line in charged)
    changes = tuple(_change(line, study) for line in charged)
    codes = " and ".join(sorted({line.code for line in charged}))
    label = ", ".join(str(change) for change in changes)
    return Finding(
        summary=f"{codes}: charged, and the record {_what_it_says(use)}: {_what_to_do(changes)}.",
        evidence=(*(Evidence(f"{line} is charged", line) for line in charged), *use.against),
        fixes=(Fix(label[:1].upper() + label[1:], changes, recommended=bool(use.against)),) if mendable else (),
        notes=() if use.against else (_KNOWN_TO_HOLD_NONE,),
        day=study.day,
        indicator=None if certain else INFO,
    )


_KNOWN_TO_HOLD_NONE = (
    "The record of administrations came whole and holds no contrast agent for this study. If one was given, for "
    "instance by a hospital that keeps its own record, have that documented before the claim goes out."
)


def _what_it_says(use: ContrastUse) -> str:
    return "says that no contrast was given" if use.against else "holds no contrast given"


def _what_to_do(changes: tuple[Change, ...]) -> str:
    return "correct it" if any(isinstance(change, ReplaceCode) for change in changes) else "remove it"


def _change(line: Line, study: Study) -> Change:
    """A hospital code gives way to the code without contrast, unless that is charged already."""
    plain = plain_code_for(line.code, line.day or study.day)
    others = {
        each.code
        for each in study.lines
        if study_kind(each) and each.claim_type == line.claim_type and each is not line
    }
    return ReplaceCode(line, plain) if plain and plain not in others else RemoveLine(line)
