"""Runs the rules over the cases of a patient: findings as rows, passed and not checked as counts."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol

from msgspec import structs

from cds_service.audit.fees import FeeEstimate, Fees, FeeTable, estimate_of
from cds_service.audit.knowledge import Knowledge
from cds_service.audit.patients import ExportedRecord, PatientCase, read_patient
from cds_service.audit.sites import Sites, payer_of, practitioner_of, setting_of, sites_of
from cds_service.core.case import Line
from cds_service.core.changes import AddLine, ReplaceCode
from cds_service.core.rules import Finding, Fix
from cds_service.fhir.sources import PREFETCH_KEYS
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import ENGLISH, Language
from cds_service.languages.speech import Speech
from cds_service.languages.stored import stored
from cds_service.languages.worded import Worded
from cds_service.review.advisor import Advisor, ReviewResult
from cds_service.review.report import FindingBrief, findings_in_brief

REVIEWED = "reviewed"  # the outcome that counts each reviewed case once
EMPTY = "empty"  # instead, for a case without anything of an echo: no rule was run
OUTCOMES = (REVIEWED, EMPTY, "passed", "finding", "not checked")

NO_DAY = "no date"
CENT = Decimal("0.01")

_CHARGES = sorted(kind for kind, key in PREFETCH_KEYS.items() if key == PREFETCH_KEYS["Claim"])
_ANY_CHARGE = rf'"resourceType"\s*:\s*"(?:{"|".join(_CHARGES)})"'


class MakeAuditor(Protocol):
    """Creates the auditor in each process; must be a module-level function, so that it can be pickled."""

    def __call__(self) -> "Auditor":
        """The auditor."""


@dataclass(slots=True)
class AuditTally:
    """Results of some patients: rows of findings and of skipped records, and counts.

    `counts` are cases by (rule, outcome, reason, month, site). `related` of the `cases` were relevant and reviewed.
    `words` are the contents of worded texts by the texts, for a report that is not in English.
    """

    findings: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)
    patients: int = 0
    cases: int = 0
    related: int = 0
    words: dict[str, Any] = field(default_factory=dict)

    def remember(self, texts: Iterable[str]) -> None:
        """Keep the contents of worded texts: tables and files hold texts only."""
        for each in texts:
            if isinstance(each, Worded) and each not in self.words:
                self.words[str(each)] = stored(each)


@dataclass(frozen=True, slots=True)
class Auditor:
    """Reviews patients. With `everything`, cases without a relevant record are reviewed too.

    `complete` are the parts of the record that the export holds completely; `language` is that of the report.
    """

    advisor: Advisor
    knowledge: Knowledge
    fees: Fees = field(default_factory=FeeTable)
    complete: frozenset[str] = frozenset()
    everything: bool = False
    language: Language = ENGLISH
    catalogs: Catalogs = field(default_factory=Catalogs)

    @property
    def speech(self) -> Speech:
        """Says the texts of the report."""
        return Speech(self.catalogs, self.language)

    @property
    def relevant(self) -> str:
        """The pattern of relevant records, with the codes that the site maps, and all charges if each code counts."""
        mapped = sorted(re.escape(code.value) for code in self.advisor.site.mappings)
        every = [_ANY_CHARGE] if self.advisor.checks_every_code else []
        return "|".join([self.knowledge.relevant, *mapped, *every])

    def audit(self, patient: str, records: Sequence[ExportedRecord], tally: AuditTally) -> None:
        """Review the cases of a patient and add the results to the tally."""
        tally.patients += 1
        read = read_patient(records, self.advisor, self.complete)
        cases = read.cases
        tally.cases += len(cases)
        tally.skipped += [{"place": each.path, "reason": each.reason} for each in read.skipped]
        sites = sites_of(records) if any(each.related for each in cases) or self.everything else Sites()
        for each in cases:
            if each.related or self.everything:
                tally.related += each.related
                self._review(patient, each, sites, tally)

    def _review(self, patient: str, each: PatientCase, sites: Sites, tally: AuditTally) -> None:
        result = self.advisor.run_rules(each.parsed)
        fixes_if_open = self._fixes_if_open(result)
        for finding, found in findings_in_brief(result):
            estimate = estimate_of(finding.fixes or fixes_if_open.get(subject_of(found.rule, finding), ()), self.fees)
            tally.findings.append(self._row(patient, each, sites, finding, found, estimate))
            if not self.language.is_english:
                tally.remember(_texts_of(found))
        if not each.related and not result.review.empty:
            return  # not counted: without a relevant record, only --everything reviews it
        case = each.parsed.case
        month = each.day.strftime("%Y-%m") if each.day else NO_DAY
        site = sites.of((*case.lines, *case.procedures, *case.administrations))
        for rule, outcome, reason in _outcomes(result):
            tally.counts[rule, outcome, reason, month, site] += 1
            if not self.language.is_english:
                tally.remember([reason])

    def _fixes_if_open(self, result: ReviewResult) -> dict[str, tuple[Fix, ...]]:
        """Fixes of findings on submitted lines as if these were open, by subject: for the estimate only."""
        case = result.parsed.case
        if all(line.open for line in case.lines) or all(finding.fixes for _, finding in result.review.findings):
            return {}
        lines = [structs.replace(line, open=True) for line in case.lines]
        reopened = self.advisor.run_rules(replace(result.parsed, case=case.with_records(lines=lines)))
        return {subject_of(rule.id, finding): finding.fixes for rule, finding in reopened.review.findings}

    def _row(
        self,
        patient: str,
        each: PatientCase,
        sites: Sites,
        finding: Finding,
        found: FindingBrief,
        estimate: FeeEstimate,
    ) -> dict[str, Any]:
        records = [evidence.record for evidence in finding.cited]
        lines = [record for record in records if isinstance(record, Line)]
        dates = [finding.day, *(record.day for record in records), each.day]
        day = next((date for date in dates if date), None)
        case = each.parsed.case
        return {
            "id": found.id,
            "subject": subject_of(found.rule, finding),
            "rule": found.rule,
            "also_rules": list(found.also_rules),
            "indicator": found.indicator,
            "summary": str(found.summary),
            "day": day.isoformat() if day else None,
            "month": day.strftime("%Y-%m") if day else NO_DAY,
            "patient": patient,
            "encounter": next((record.encounter for record in records if record.encounter), None),
            "site": sites.of((*records, *case.lines)),
            "practitioner": practitioner_of(lines or case.lines),
            "payer": payer_of(lines or case.lines, case),
            "setting": setting_of(lines or case.lines),
            "product": self._product(finding, lines),
            "claims": sorted({line.claim for line in lines if line.claim}),
            "lines": [f"{line.origin.reference}: {line}" for line in dict.fromkeys(lines)],
            "codes": sorted({line.code for line in lines}),
            "direction": estimate.direction,
            "value": None if estimate.value is None else estimate.value.quantize(CENT),
            "evidence": [{"seen": str(seen.seen), "reference": seen.reference} for seen in found.evidence],
            "remedies": [
                {"label": str(fix.label), "recommended": fix.recommended, "changes": list(map(str, fix.changes))}
                for fix in found.fixes
            ],
        }

    def _product(self, finding: Finding, lines: Iterable[Line]) -> str | None:
        """The product charged, else the product that a fix would charge; `several` if more than one."""
        charged = {line.code for line in lines}
        due = {
            change.code for fix in finding.fixes for change in fix.changes if isinstance(change, AddLine | ReplaceCode)
        }
        for codes in (charged, due):
            named = sorted({self.knowledge.products[code] for code in codes if code in self.knowledge.products})
            if named:
                return named[0] if len(named) == 1 else "several"
        return None


def _texts_of(found: FindingBrief) -> Iterator[str]:
    """The texts of a finding that the report shows."""
    yield found.summary
    yield from (each.seen for each in found.evidence)
    for fix in found.fixes:
        yield from (fix.label, *fix.changes)


def _outcomes(result: ReviewResult) -> Iterator[tuple[str, str, str]]:
    """Rule, outcome and reason, each once for a case."""
    yield "", EMPTY if result.review.empty else REVIEWED, ""
    yield from ((rule.id, "passed", "" if passes else str(rule.if_none)) for rule, passes in result.review.passed)
    found = ((rule, *(other for other, _ in finding.also)) for rule, finding in result.review.findings)
    yield from {(rule.id, "finding", "") for rules in found for rule in rules}
    yield from {(rule.id, "not checked", str(each.reason)) for rule, each in result.review.not_checked}


def subject_of(rule_id: str, finding: Finding) -> str:
    """A hash of rule and evidence, by which two audits match findings."""
    places = sorted({seen.record.origin.reference for seen in finding.evidence})
    return hashlib.sha256("\n".join([rule_id, *places]).encode()).hexdigest()[:16]
