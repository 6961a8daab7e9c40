"""Why a user may set advice aside: few reasons, each worth choosing, with the nearest of HL7's codes.

HL7's codes: `http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes`, suggested by CDS Hooks 3.0.0-ballot.
"""

from cds_service.core.rules import OverrideReason

NOT_PERFORMED = OverrideReason(
    "not-performed", "It was not done, or the agent was not given", "patient-ineligible", only="claim"
)
PERFORMED = OverrideReason("performed", "It was done; the record is incomplete", "need-more-info", only="claim")
CHARGED_ELSEWHERE = OverrideReason(
    "charged-elsewhere", "It is charged on another claim", "action-completed", only="claim"
)
NOT_PLANNED = OverrideReason(
    "not-planned", "It is not planned, or only if the images call for it", "patient-ineligible", only="order"
)
ORDERED_ELSEWHERE = OverrideReason(
    "ordered-elsewhere", "What goes with it is ordered elsewhere", "indication-order-exists", only="order"
)
NOT_OURS = OverrideReason("other-party-bills", "Another party bills it", "inappropriate-recipient")
DISTINCT = OverrideReason(
    "distinct-service", "These were distinct services, and that is documented", "patient-ineligible"
)
PAYER_RULE = OverrideReason("payer-rule", "This payer asks for something else", "policy-contradicts")
RECORD_WRONG = OverrideReason("record-incorrect", "The record is wrong and will be corrected", "need-more-info")
LATER = OverrideReason(
    "later", "Too early: it will be charged when the study is done", "wrong-time-workflow", only="order"
)
NOT_COVERED = OverrideReason("not-covered", "The payer does not cover it", "too-costly-uncovered")

MISSING_CHARGE = (
    NOT_PERFORMED, CHARGED_ELSEWHERE, NOT_PLANNED, LATER, NOT_OURS, PAYER_RULE, NOT_COVERED, RECORD_WRONG,
)  # fmt: skip
WRONG_CHARGE = (PERFORMED, DISTINCT, CHARGED_ELSEWHERE, ORDERED_ELSEWHERE, PAYER_RULE, RECORD_WRONG)

ALL = tuple(dict.fromkeys((*MISSING_CHARGE, *WRONG_CHARGE)))
