"""Why a user may set advice aside: few reasons, each worth choosing, with the nearest of HL7's codes.

HL7's codes: `http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes`, suggested by CDS Hooks 3.0.0-ballot.
"""

from cds_service.rules import OverrideReason

NOT_PERFORMED = OverrideReason("not-performed", "It was not done, or the agent was not given", "patient-ineligible")
PERFORMED = OverrideReason("performed", "It was done; the record is incomplete", "need-more-info")
CHARGED_ELSEWHERE = OverrideReason("charged-elsewhere", "It is charged on another claim", "action-completed")
NOT_OURS = OverrideReason("other-party-bills", "Another party bills it", "inappropriate-recipient")
DISTINCT = OverrideReason(
    "distinct-service", "These were distinct services, and that is documented", "patient-ineligible"
)
PAYER_RULE = OverrideReason("payer-rule", "This payer asks for something else", "policy-contradicts")
RECORD_WRONG = OverrideReason("record-incorrect", "The record is wrong and will be corrected", "need-more-info")
LATER = OverrideReason("later", "Too early: it will be charged when the study is done", "wrong-time-workflow")
NOT_COVERED = OverrideReason("not-covered", "The payer does not cover it", "too-costly-uncovered")

MISSING_CHARGE = (NOT_PERFORMED, CHARGED_ELSEWHERE, NOT_OURS, LATER, PAYER_RULE, NOT_COVERED, RECORD_WRONG)
WRONG_CHARGE = (PERFORMED, DISTINCT, CHARGED_ELSEWHERE, PAYER_RULE, RECORD_WRONG)

ALL = tuple(dict.fromkeys((*MISSING_CHARGE, *WRONG_CHARGE)))
