"""The lines of a described case, completed by the fixes of the rules until none asks for more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from cds_service.core.changes import AddLine, Change
from cds_service.core.rules import WARNING, Finding, Fix, Rule
from cds_service.core.tables import Confidence
from cds_service.intake.fixes import applied
from cds_service.intake.text import text_of
from cds_service.intake.typed import TypedCase
from cds_service.intake.writer import CaseWriter
from cds_service.review.advisor import Advisor
from cds_service.review.typed_cases import ReviewedCase, review_case

MOST_ROUNDS = 8  # of fixes; each round is a review


class ProposedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line in billers' notation, with the reason and its source.

    `verified_through` is the last date of service that the source was verified for, None for a publication that does
    not change. `link` is a path of this service.
    """

    line: str
    reason: str
    source: str
    verified_through: date | None = None
    link: str = ""
    confidence: Confidence = "seen"


@dataclass
class Proposal:
    """A case after the fixes, with its last review and the reason of each line.

    `removed` are the summaries of the findings that took a line away.
    """

    reviewed: ReviewedCase
    reasons: dict[str, ProposedLine]
    removed: list[str] = field(default_factory=list)

    @property
    def lines(self) -> tuple[ProposedLine, ...]:
        """The lines in the order of the claim."""
        return tuple(self.reasons[each] for each in _lines(self.reviewed.case))

    @property
    def warnings(self) -> list[tuple[Rule, Finding]]:
        """The findings that no fix took away."""
        return _warnings(self.reviewed)


def proposal(
    advisor: Advisor, writer: CaseWriter, fields: Mapping[str, Any], reasons: Iterable[ProposedLine]
) -> Proposal:
    """The lines that the rules make of a case, of whose lines `reasons` tell. Raises UnreadableCase."""
    reviewed = review_case(advisor, writer, writer.parsed(fields))
    found = Proposal(reviewed, dict(zip(_lines(reviewed.case), reasons, strict=True)))
    seen = {text_of(reviewed.case)}
    for _ in range(MOST_ROUNDS):
        better = _improved(found.reviewed, seen)
        if better is None:
            break
        rule, finding, case = better
        seen.add(text_of(case))
        _record(found, rule, finding, case)
        found.reviewed = review_case(advisor, writer, case)
    return found


def _improved(reviewed: ReviewedCase, seen: set[str]) -> tuple[Rule, Finding, TypedCase] | None:
    """The case after the first fix that a warning asks for and that makes a case not seen yet."""
    for rule, finding in _warnings(reviewed):
        fix = _only_fix(finding)
        case = applied(reviewed.case, reviewed.written, _certain(fix.changes)) if fix else None
        if case is not None and text_of(case) not in seen:
            return rule, finding, case
    return None


def _warnings(reviewed: ReviewedCase) -> list[tuple[Rule, Finding]]:
    found = reviewed.answer.review.findings
    return [(rule, each) for rule, each in found if rule.indicator_of(each, "claim") == WARNING]


def _only_fix(finding: Finding) -> Fix | None:
    """The fix that the record supports, or the only one; None where a person has to choose."""
    recommended = [each for each in finding.fixes if each.recommended]
    chosen = recommended or list(finding.fixes)
    return chosen[0] if len(chosen) == 1 else None


def _certain(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes without lines of which a person has to enter the units."""
    return tuple(each for each in changes if not (isinstance(each, AddLine) and each.units is None))


def _record(found: Proposal, rule: Rule, finding: Finding, case: TypedCase) -> None:
    """Give each new line the finding as its reason."""
    before, after = _lines(found.reviewed.case), _lines(case)
    source = rule.sources_of(finding)[0]
    for line in after:
        if line not in found.reasons:
            found.reasons[line] = ProposedLine(
                line, finding.summary, source.label, source.verified_through, f"/rules/{rule.id}"
            )
    if len(after) < len(before):
        found.removed.append(finding.summary)


def _lines(case: TypedCase) -> list[str]:
    return [str(each) for each in case.charges]
