"""`cds-service check` over 837 files: the review of each claim, and what is set aside."""

from collections.abc import Callable
from dataclasses import dataclass

import click
import msgspec
from rich.console import Console

from cds_service.cli import terminal
from cds_service.core.rules import WARNING
from cds_service.intake.x12.file_loops import OpenFile, SetAside
from cds_service.languages.worded import JSON
from cds_service.review.advisor import Advisor
from cds_service.review.claim_files import (
    WITHOUT_RECORD,
    ReviewedClaim,
    review_claims,
    set_aside_view,
    with_strict_faults,
)


@dataclass(slots=True)
class ClaimCounts:
    """Counts of a file: claims reviewed, those with nothing of an echo, findings and warnings."""

    claims: int = 0
    empty: int = 0
    findings: int = 0
    warnings: int = 0


@dataclass(slots=True)
class ClaimFileCheck:
    """Checks a file of claims as a stream. `on_fault` takes the place and the reason of what cannot be read."""

    advisor: Advisor
    console: Console
    as_json: bool
    strict: bool
    on_fault: Callable[[str, str], None]

    def check(self, name: str, open_file: OpenFile) -> ClaimCounts:
        """Check a file and print its claims. Raises UnreadableInput if it is no file of claims."""
        counts, alike = ClaimCounts(), _Alike()
        for each in review_claims(self.advisor, open_file):
            if not self.as_json and not counts.claims and isinstance(each, ReviewedClaim):
                terminal.show_file(self.console, name, WITHOUT_RECORD)
            if isinstance(each, SetAside):
                self._set_aside(name, each, alike)
            else:
                self._reviewed(each, counts)
        self._flush(name, alike)
        if counts.empty and not self.as_json:
            held = "claim holds" if counts.empty == 1 else "claims hold"
            self.console.print(f"  {counts.empty:,} {held} nothing of an echo, so nothing was checked there")
        return counts

    def _reviewed(self, each: ReviewedClaim, counts: ClaimCounts) -> None:
        report = each.report
        if self.strict:
            report = with_strict_faults(report, each.claim)
        counts.claims += 1
        counts.empty += report.empty
        counts.findings += len(report.findings)
        counts.warnings += sum(found.indicator == WARNING for found in report.findings)
        if self.as_json:
            self._print_line(report)
        elif not report.empty or report.warnings:
            terminal.show_claim(self.console, report)

    def _set_aside(self, name: str, each: SetAside, alike: "_Alike") -> None:
        """Print what is set aside; of claims set aside for one fault, the first, and then their number."""
        if self.as_json:
            self._print_line(set_aside_view(each))
        if not each.is_fault:
            if not self.as_json:
                self.console.print(f"claim {each.claim}, {each.place}: not reviewed: {each.reason}")
            return
        if (each.place, each.reason) == alike.last:
            alike.further += 1
            return
        self._flush(name, alike)
        alike.last = (each.place, each.reason)
        self.on_fault(f"{name}: {each.place}", f"{each.reason}; claim rejected" if each.claim else each.reason)

    def _flush(self, name: str, alike: "_Alike") -> None:
        if alike.further:
            self.on_fault(f"{name}: {alike.last[0]}", f"{alike.further:,} more claims are rejected for this reason")
        alike.further = 0

    @staticmethod
    def _print_line(content: msgspec.Struct) -> None:
        click.echo(JSON.encode(content))


@dataclass(slots=True)
class _Alike:
    """The place and reason set aside last, and the number of further claims that share them."""

    last: tuple[str, str] = ("", "")
    further: int = 0
