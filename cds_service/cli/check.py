"""`cds-service check`: cards for CDS Hooks requests, reviews of FHIR Bundles and of 837 files, in files and folders."""

import difflib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path

import click
import msgspec
from rich.console import Console

from cds_service.audit.lines import MEDICATION, NAMED_TYPES, read_line
from cds_service.cdshooks.services import ServiceDirectory
from cds_service.cli import as_line, examples, terminal
from cds_service.cli.check_claims import ClaimFileCheck
from cds_service.errors import BadRequest, UnreadableInput
from cds_service.fhir.files import once
from cds_service.fhir.r4_types import UNREAD_CHARGES
from cds_service.fhir.validate import faults_in
from cds_service.intake.described import Describe
from cds_service.intake.text import text_of
from cds_service.intake.writer import CaseWriter
from cds_service.intake.x12.file_loops import OpenFile
from cds_service.intake.x12.segments import FIRST_BYTES, is_x12, is_x12_file, open_x12
from cds_service.onboarding.inputs import paths_in
from cds_service.review.advisor import Advisor, Answer
from cds_service.review.documents import EXPECTED, Document, documents_in
from cds_service.review.report import empty_sentence, of_rule, report_of

# Types that are no patient's own and join the Bundles of the patients whose resources reference them.
_SHARED = frozenset({MEDICATION, *NAMED_TYPES})
_REFERENCE = re.compile(rf'"(?:[^"\s]*/)?((?:{"|".join(sorted(_SHARED))})/[A-Za-z0-9\-.]{{1,64}})["/]')


def check_command(
    create: Callable[[], Advisor],
    services: Callable[[str], ServiceDirectory],
    console: Callable[[], Console],
    writer: CaseWriter,
    describe: Describe,
) -> click.Command:
    """The command. `create` makes the advisor with the site's settings, `services` the services of its namespace.

    `writer` makes Bundles of cases in billers' notation, and `describe` the notation of cases.
    """

    @click.command(
        "check",
        epilog=examples(
            "check request.json",
            "check --json - < bundle.json",
            "check --why pair-conflict request.json",
            "check export/ claims.837",
        ),
    )
    @click.argument("files", nargs=-1, required=True, metavar="FILE|FOLDER|-...")
    @click.option("--json", "as_json", is_flag=True, help="Print the responses as JSON, one line per case.")
    @click.option("--strict", is_flag=True, help="Validate all resources against FHIR R4 and print the errors.")
    @click.option("--why", metavar="RULE", help="Print the verdict of one rule only, with its reason and evidence.")
    @click.option("--notation", is_flag=True, help="Print each case in billers' notation too, unless with --json.")
    def check(files: tuple[str, ...], as_json: bool, strict: bool, why: str | None, notation: bool) -> None:
        """Print the cards for CDS Hooks requests, or the review of FHIR Bundles and claims; `-` reads standard input.

        Reads JSON, NDJSON and X12 837P and 837I, also compressed with gzip, and all such files of a folder. Single
        resources in NDJSON or in a folder are reviewed together, by patient; each claim of an 837 file alone. For an
        export of many patients, or a folder of 837 files, see `cds-service audit`. Also reads a claim or a charge of
        its own, and a case in billers' notation.

        Exit code 0: no warnings. 1: at least one warning. 2: something could not be read.
        """
        advisor = create()
        _require_rule(why, advisor)
        told = describe if notation else None
        run = _Run(advisor, services(advisor.hook_namespace), writer, console(), as_json, strict, why, told)
        run.check(files)
        sys.exit(run.exit_code)

    return check


@dataclass(slots=True)
class _Run:
    """One run of the command, with its counts for the last line."""

    advisor: Advisor
    services: ServiceDirectory
    writer: CaseWriter
    console: Console
    as_json: bool
    strict: bool
    why: str | None = None
    describe: Describe | None = None
    seen: set[tuple[int, int]] = field(default_factory=set)
    files: int = 0
    cases: int = 0
    findings: int = 0
    warnings: int = 0
    faults: int = 0

    @property
    def exit_code(self) -> int:
        return 2 if self.faults else 1 if self.warnings else 0

    def check(self, names: tuple[str, ...]) -> None:
        """Check what the arguments name, each real file once, and print one line on all of it."""
        for name in names:
            self._check_argument(name)
        if max(self.files, self.cases, len(names)) > 1:
            click.echo(
                f"{_count(self.files, 'file')}, {_count(self.cases, 'case')}: {_count(self.findings, 'finding')}, "
                f"{_count(self.warnings, 'warning')}; {self.faults:,} not read",
                err=self.as_json,
            )

    def _check_argument(self, name: str) -> None:
        """Check requests and Bundles one by one, then the single resources of a file or folder by patient."""
        singles = []
        for document in self._documents(name):
            if not document.is_single:
                self._check_document(document)
            elif document.is_line or Path(name).is_dir() or document.is_charge:
                singles.append(document)
            else:
                self._report_fault(document.name, f"{EXPECTED}; found {document.found}")
        for bundle in _bundles(name, singles):
            self._check_document(bundle)

    def _documents(self, name: str) -> Iterator[Document]:
        if name == "-":
            self.files += 1
            content = sys.stdin.buffer.read()
            if is_x12(content[:FIRST_BYTES]):
                self._check_claims(name, partial(BytesIO, content))
            else:
                yield from documents_in(name, content, self._report_fault, self.writer)
            return
        try:
            paths = list(once(paths_in(name, is_x12_file), self.seen))
        except UnreadableInput as error:
            self._report_fault(*str(error).split(": ", 1))
            return
        for path in paths:
            self.files += 1
            try:
                if is_x12_file(path):
                    self._check_claims(str(path), partial(open_x12, path))
                    continue
                content = path.read_bytes()
            except OSError as error:
                self._report_fault(str(path), error.strerror or "could not be read")
            else:
                yield from documents_in(str(path), content, self._report_fault, self.writer)

    def _check_claims(self, name: str, open_file: OpenFile) -> None:
        """Check a file of claims, which is read as a stream."""
        check = ClaimFileCheck(self.advisor, self.console, self.as_json, self.strict, self._report_fault)
        try:
            counts = check.check(name, open_file)
        except UnreadableInput as error:
            self._report_fault(name, str(error))
            return
        self.cases += counts.claims
        self.findings += counts.findings
        self.warnings += counts.warnings

    def _report_fault(self, place: str, reason: str) -> None:
        self.faults += 1
        click.echo(f"{place}: {reason}", err=True)

    def _check_document(self, document: Document) -> None:
        try:
            answer = self._answer(document)
        except BadRequest as error:
            self._report_fault(document.name, error.message)
            return
        self.cases += 1
        self.findings += len(answer.response.cards)
        self.warnings += sum(card.indicator == "warning" for card in answer.response.cards)
        self._print(document, answer)

    def _answer(self, document: Document) -> Answer:
        """The answer to a CDS Hooks request or a Bundle. Raises BadRequest."""
        if document.resource_type is None:
            return self.advisor.answer(*self.services.localized(document.body))
        return self.advisor.review_bundle(document.body, document.stage, document.complete)

    def _print(self, document: Document, answer: Answer) -> None:
        faults = faults_in(document.body) if self.strict else ()
        is_call = document.resource_type is None
        report = None if is_call and not self.why else report_of(answer, faults)
        if self.why and report:
            report = of_rule(report, self.why)
        if self.as_json:
            click.echo(as_line(report or answer.response))
            for fault in faults if is_call else ():
                click.echo(f"{document.name}: {fault.path}: {fault.reason}", err=True)
        elif report and self.why:
            terminal.show_why(self.console, document.name, self.why, report)
        elif report:
            terminal.show_report(self.console, document.name, report, empty_sentence(answer) if report.empty else "")
        else:
            terminal.show(self.console, document.name, answer, faults)
        if self.describe is not None and not self.as_json:
            told = self.describe(answer.parsed.case)
            click.echo(text_of(told.case))
            for each in told.left_out:
                click.echo(f"# no words for: {each}")


def _require_rule(rule_id: str | None, advisor: Advisor) -> None:
    """Exit with code 2 if no rule has this id."""
    known = [each.id for each in advisor.rules]
    if rule_id is not None and rule_id not in known:
        near = difflib.get_close_matches(rule_id, known, n=1)
        click.echo(f"--why: expected the id of a rule{f', such as {near[0]}' if near else ': see `rules`'}", err=True)
        sys.exit(2)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _bundles(name: str, singles: list[Document]) -> Iterator[Document]:
    """A Bundle of each patient's resources, with the medications and organizations that they reference."""
    patients: dict[str, list[bytes]] = {}
    shared: dict[str, bytes] = {}
    for each in singles:
        row = read_line(each.body.decode())
        if row.kind in _SHARED:
            shared[f"{row.kind}/{row.id}"] = each.body
        elif not row.skipped or row.kind in UNREAD_CHARGES:
            # One that cannot be read goes into a Bundle of its own, whose review says why.
            patients.setdefault(row.patient or each.name, []).append(each.body)
    for patient, bodies in patients.items():
        referenced = dict.fromkeys(found for body in bodies for found in _REFERENCE.findall(body.decode()))
        every = [*bodies, *(shared[reference] for reference in referenced if reference in shared)]
        entries = [{"resource": msgspec.Raw(body)} for body in every]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        title = patient if patient.startswith(name) else f"{name} ({patient})"
        yield Document(title, msgspec.json.encode(bundle), "Bundle")
