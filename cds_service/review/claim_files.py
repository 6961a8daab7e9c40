"""Reviews the claims of an 837 file, each as a Bundle of its own; its report names segments in place of FHIR paths."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import structs

from cds_service.cdshooks.messages import Message
from cds_service.core.case import Stage
from cds_service.core.rules import WARNING, Finding
from cds_service.errors import RequestError
from cds_service.fhir.validate import faults_in
from cds_service.intake.x12.bundle import bundle_of, places_of
from cds_service.intake.x12.claim import Claim, ServiceLine
from cds_service.intake.x12.corrections import corrections
from cds_service.intake.x12.file_loops import OpenFile, SetAside, survey
from cds_service.intake.x12.versions import claims_to_review
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.report import (
    EvidenceView,
    FindingView,
    InputWarning,
    Report,
    UndecidedRule,
    findings_by_id,
    report_of,
)

# Said once of a file, in place of a reason for each rule and claim.
WITHOUT_RECORD = (
    "Claims came without the clinical record: what needs doses given, procedures or reports is not checked, and the "
    "surest of what the lines alone show comes first."
)
# Said instead where the client declares parts of the record complete that a file of claims does not hold.
RECORD_DECLARED_EMPTY = "Claims came without the clinical record, whose parts in `complete` are taken for empty."

# Of undecided questions, first those that the claim itself answers once it is corrected, last those of the record.
_ORDER = ("claim", "not-understood", "table", "studies", "contradiction", "record", "site")

# So many kinds of lines of no echo are held.
_MOST_KNOWN = 50_000

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class ClaimReport(Report, kw_only=True):
    """The review of one claim of a file: its number (CLM01) and the place of its CLM segment."""

    claim: str
    location: str


class ClaimSetAside(Message):
    """A claim that was not reviewed, or another part of the file: its number if known, place and reason.

    `fault` is false for a claim that was voided or replaced.
    """

    location: str
    reason: str
    fault: bool
    claim: str | None = None


class ClaimFileReport(msgspec.Struct, rename="camel", kw_only=True):
    """The review of a file of claims, in the order of the file. `note` tells what the absence of a record means."""

    note: str
    claims: tuple[ClaimReport, ...]
    set_aside: tuple[ClaimSetAside, ...]


@dataclass(frozen=True, slots=True)
class ReviewedClaim:
    """A claim with its report, and the answer to its Bundle; None if all of its lines are known to be of no echo."""

    claim: Claim
    report: ClaimReport
    answer: Answer | None = None


def review_claims(
    advisor: Advisor, open_file: OpenFile, complete: frozenset[str] = frozenset(), stage: Stage = "claim"
) -> Iterator[ReviewedClaim | SetAside]:
    """Review the claims of a file one by one, in order, and name what is set aside.

    `complete` are the parts of the record that each claim holds completely. Raises UnreadableInput, before the first
    of them, if the file is not X12 or holds no claims of the guides.
    """
    reviewer = _Reviewer(advisor, complete, stage)
    for each in claims_to_review(open_file, survey(open_file)):
        yield each if isinstance(each, SetAside) else reviewer.review(each)


class _Reviewer:
    """Reviews claims; of most, whose lines were all seen on claims without anything of an echo, it knows the result.

    Such a review depends on the lines alone, and on each by itself: it has found none of a rule's subjects, and no
    warning of a line or payer. A line is known by all that may make a difference, so that its charge and day are not.
    """

    def __init__(self, advisor: Advisor, complete: frozenset[str], stage: Stage) -> None:
        self._advisor = advisor
        self._complete = complete
        self._stage = stage
        self._known: set[Hashable] = set()
        self._empty: ClaimReport | None = None

    def review(self, claim: Claim) -> ReviewedClaim | SetAside:
        """The review of a claim; a claim beyond the limits of requests is rejected."""
        keys = {_key(claim, line) for line in claim.lines}
        if self._empty and keys <= self._known and len(claim.lines) <= self._advisor.max_entries:
            place = claim.at(claim.spot)
            return ReviewedClaim(
                claim, structs.replace(self._empty, claim=claim.number, location=place, warnings=_notes(claim))
            )
        try:
            answer = self._advisor.review_bundle(_ENCODER.encode(bundle_of(claim)), self._stage, self._complete)
        except RequestError as error:  # a limit, such as the number of lines
            return SetAside(claim.number, claim.at(claim.spot), error.message)
        report = claim_report(answer, claim)
        if report.empty and not answer.skipped:
            self._empty = self._empty or report
            self._known |= keys if len(self._known) < _MOST_KNOWN else set()
        return ReviewedClaim(claim, report, answer)


def _key(claim: Claim, line: ServiceLine) -> Hashable:
    payers = tuple((each.filing, bool(each.name), bool(each.number)) for each in claim.payers)
    codes = (line.qualifier, line.code, line.modifiers, line.revenue, tuple(each.ndc for each in line.products))
    units = line.unit, line.units is None, tuple(each.unit for each in line.products)
    return claim.kind, payers, codes, units, line.dates is None, line.place or claim.facility


def _notes(claim: Claim) -> tuple[InputWarning, ...]:
    return tuple(InputWarning(location=claim.at(claim.spot), message=note) for note in claim.notes)


def set_aside_view(each: SetAside) -> ClaimSetAside:
    """A rejected or passed-over part of a file, as in the answer of `/review`."""
    return ClaimSetAside(location=each.place, reason=each.reason, fault=each.is_fault, claim=each.claim or None)


def with_strict_faults(report: ClaimReport, claim: Claim) -> ClaimReport:
    """The report with the faults of the claim's Bundle by strict validation, as warnings."""
    places = _Places(places_of(claim), claim.at(claim.spot))
    faults = faults_in(_ENCODER.encode(bundle_of(claim)))
    found = (InputWarning(location=places.of(each.path), message=each.reason) for each in faults)
    return structs.replace(report, warnings=(*report.warnings, *found))


def claim_report(answer: Answer, claim: Claim) -> ClaimReport:
    """The report of a claim's Bundle with the segments of the claim as places, the surest findings first."""
    report = report_of(answer)
    is_silent = report.empty and not report.warnings
    places = _Places({} if is_silent else places_of(claim), claim.at(claim.spot))
    findings = findings_by_id(answer)
    located = (structs.replace(each, location=places.of(each.location)) for each in report.warnings)
    return ClaimReport(
        claim=claim.number,
        location=claim.at(claim.spot),
        empty=report.empty,
        findings=tuple(
            sorted((_finding(each, findings[each.id], claim, places) for each in report.findings), key=_certainty)
        ),
        passed=report.passed,
        not_checked=tuple(sorted((_undecided(each, places) for each in report.not_checked), key=_usefulness)),
        warnings=(*_notes(claim), *located),
    )


@dataclass(frozen=True, slots=True)
class _Places:
    by_path: Mapping[str, str]
    whole: str

    def of(self, path: str) -> str:
        """The segment of a path in the Bundle, or of the part of the Bundle that holds it."""
        while path and path not in self.by_path:
            path = path.rpartition(".")[0]
        return self.by_path.get(path, self.whole)

    def of_evidence(self, every: tuple[EvidenceView, ...]) -> tuple[EvidenceView, ...]:
        return tuple(structs.replace(each, location=self.of(each.location)) for each in every)


def _finding(view: FindingView, finding: Finding, claim: Claim, places: _Places) -> FindingView:
    fixes = tuple(
        structs.replace(shown, actions=(), segments=corrections(fix.changes, claim))
        for shown, fix in zip(view.fixes, finding.fixes, strict=True)
    )
    return structs.replace(view, evidence=places.of_evidence(view.evidence), fixes=fixes)


def _undecided(each: UndecidedRule, places: _Places) -> UndecidedRule:
    return structs.replace(each, evidence=places.of_evidence(each.evidence))


def _certainty(each: FindingView) -> tuple[bool, bool, bool]:
    """Warnings before advice; then findings with a fix that the claim supports, with a fix, and without one."""
    return each.indicator != WARNING, not any(fix.recommended for fix in each.fixes), not each.fixes


def _usefulness(each: UndecidedRule) -> int:
    return _ORDER.index(each.why) if each.why in _ORDER else len(_ORDER)
