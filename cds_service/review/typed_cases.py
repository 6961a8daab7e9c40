"""Reviews a case in billers' notation: as a Bundle, with the case after each fix that findings offer."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from cds_service.core.rules import Fix
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.intake.fields import fields_of, form_of
from cds_service.intake.fixes import applied
from cds_service.intake.text import text_of
from cds_service.intake.typed import TypedCase
from cds_service.intake.writer import CaseWriter, WrittenBundle
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.report import Detail, FindingView, FixView, Report, details_of, findings_by_id, report_of


class ClaimExample(NamedTuple):
    """A claim to try, with a label."""

    label: str
    notation: str


class FormChoices(NamedTuple):
    """Names that a form for claims suggests: (code, description), products, payers, (place of service, description)."""

    codes: tuple[tuple[str, str], ...]
    products: tuple[str, ...]
    payers: tuple[str, ...]
    places: tuple[tuple[str, str], ...]


class ClaimPage(NamedTuple):
    """The contents of the page for claims; `guide` explains billers' notation, as Markdown of our own."""

    choices: FormChoices
    examples: tuple[ClaimExample, ...]
    guide: str


class TypedFix(FixView, kw_only=True):
    """A fix, with the case after it: as keys and as text. Both are absent if it cannot be applied to the typed case."""

    case: dict[str, Any] | None = None
    notation: str | None = None


class TypedFinding(FindingView, kw_only=True):
    """A finding on a typed case; `html` is its detail as HTML."""

    html: str = ""
    fixes: tuple[TypedFix, ...] = msgspec.field(default=(), name="remedies")


class TypedReport(Report, kw_only=True):
    """The report on a typed case.

    `case` are its keys, `notation` is its text, `form` its lines and doses taken apart, `bundle` the FHIR Bundle that
    was reviewed, and `complete` the resource types that it holds completely, as `/review` takes them.
    """

    findings: tuple[TypedFinding, ...]
    case: dict[str, Any]
    notation: str
    form: dict[str, Any]
    bundle: dict[str, Any]
    complete: tuple[str, ...]


@dataclass(frozen=True)
class ReviewedCase:
    """A typed case, the Bundle made of it, and the answer to that."""

    case: TypedCase
    written: WrittenBundle
    answer: Answer

    @cached_property
    def report(self) -> TypedReport:
        """The report with the case after each fix."""
        plain = report_of(self.answer)
        findings = findings_by_id(self.answer)
        members = {name: getattr(plain, name) for name in plain.__struct_fields__ if name != "findings"}
        return TypedReport(
            **members,
            findings=tuple(self._repaired(findings[each.id].fixes, each) for each in plain.findings),
            case=fields_of(self.case),
            notation=text_of(self.case),
            form=form_of(self.case),
            bundle=self.written.bundle,
            complete=tuple(kind for kind, key in PREFETCH_KEYS.items() if key in self.case.complete),
        )

    @property
    def details(self) -> dict[str, Detail]:
        """Functions that make the detail of each finding, by its id, with the one that says texts."""
        return details_of(self.answer)

    def _repaired(self, fixes: tuple[Fix, ...], view: FindingView) -> TypedFinding:
        members = {name: getattr(view, name) for name in view.__struct_fields__ if name != "fixes"}
        after = (applied(self.case, self.written, fix.changes) for fix in fixes)
        return TypedFinding(
            **members, fixes=tuple(_typed_fix(each, case) for each, case in zip(view.fixes, after, strict=True))
        )


def _typed_fix(view: FixView, after: TypedCase | None) -> TypedFix:
    members = {name: getattr(view, name) for name in view.__struct_fields__}
    if after is None:
        return TypedFix(**members)
    return TypedFix(**members, case=fields_of(after), notation=text_of(after))


def review_case(advisor: Advisor, writer: CaseWriter, case: TypedCase) -> ReviewedCase:
    """Review a typed case. Raises UnreadableCase without a date of service."""
    written = writer.bundle(case)
    body = msgspec.json.encode(written.bundle)
    return ReviewedCase(case, written, advisor.review_bundle(body, case.stage, case.complete))
