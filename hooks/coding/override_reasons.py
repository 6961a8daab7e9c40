"""Override reasons: a short list, each mapped to the nearest HL7 code.

HL7's codes: `http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes`, suggested by CDS Hooks 3.0.0-ballot.
"""

from cds_service.core.rules import OverrideReason
from cds_service.languages.worded import worded

NOT_PERFORMED = OverrideReason(
    "not-performed", worded("Not performed, or the agent was not given"), "patient-ineligible", only="claim"
)
PERFORMED = OverrideReason("performed", worded("Performed; the record is incomplete"), "need-more-info", only="claim")
CHARGED_ELSEWHERE = OverrideReason(
    "charged-elsewhere", worded("Charged on another claim"), "action-completed", only="claim"
)
NOT_PLANNED = OverrideReason(
    "not-planned", worded("Not planned, or only if image quality requires it"), "patient-ineligible", only="order"
)
ORDERED_ELSEWHERE = OverrideReason(
    "ordered-elsewhere", worded("The primary study is ordered elsewhere"), "indication-order-exists", only="order"
)
NOT_OURS = OverrideReason("other-party-bills", worded("Another party bills it"), "inappropriate-recipient")
DISTINCT = OverrideReason("distinct-service", worded("Distinct services, as documented"), "patient-ineligible")
PAYER_RULE = OverrideReason("payer-rule", worded("This payer has a different rule"), "policy-contradicts")
RECORD_WRONG = OverrideReason("record-incorrect", worded("The record is wrong and will be corrected"), "need-more-info")
LATER = OverrideReason(
    "later", worded("Too early: will be charged after the study"), "wrong-time-workflow", only="order"
)
ARTICLE_READ = OverrideReason("article-read", worded("Article and record were read"), "recipient-disagrees-evidence")
NOT_COVERED = OverrideReason("not-covered", worded("Not covered by the payer"), "too-costly-uncovered")

MISSING_CHARGE = (
    NOT_PERFORMED, CHARGED_ELSEWHERE, NOT_PLANNED, LATER, NOT_OURS, PAYER_RULE, NOT_COVERED, RECORD_WRONG,
)  # fmt: skip
WRONG_CHARGE = (PERFORMED, DISTINCT, CHARGED_ELSEWHERE, ORDERED_ELSEWHERE, PAYER_RULE, RECORD_WRONG)
COVERAGE = (ARTICLE_READ, PAYER_RULE, NOT_OURS, RECORD_WRONG)

ALL = tuple(dict.fromkeys((*MISSING_CHARGE, *WRONG_CHARGE, *COVERAGE)))
