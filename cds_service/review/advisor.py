"""Answers calls: decodes requests, collects and parses resources, runs rules and builds cards. Independent of HTTP."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from msgspec import structs

from cds_service.cdshooks.actions import LONG_ANSWER, ActionRoom
from cds_service.cdshooks.cards import BY_MACHINE, MOST_CARDS, MOST_SEEN, CardMaker
from cds_service.cdshooks.messages import (
    Context,
    Response,
    decode_context,
    decode_request,
    lenient_faults,
)
from cds_service.cdshooks.prefetch import Intake, add_prefetch, add_reviewed_bundle
from cds_service.cdshooks.selections import selected_orders
from cds_service.cdshooks.services import Service, hook_name
from cds_service.cms.lookup import Tables
from cds_service.core import work_limit
from cds_service.core.alternatives import EVERYTHING_UNDERSTOOD, Readings, Unclear
from cds_service.core.case import Stage
from cds_service.core.review import Review, review
from cds_service.core.rules import Rule, Scope
from cds_service.core.site import Site
from cds_service.core.statements import Applies, names_no_payer_or_setting
from cds_service.errors import BadRequest, TooLarge
from cds_service.fetch.client import FhirClient
from cds_service.fhir.read import DEFAULT_SITE, CaseReader, ParsedCase, read_case
from cds_service.fhir.salvage import codes_in, parts_in
from cds_service.fhir.servers import AllowList
from cds_service.fhir.sources import SkippedItem, SourceResource, prefetch_key_of
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import ENGLISH, Language
from cds_service.review.fetching import Call, bare_id, fetch_missing
from cds_service.telemetry.tracing import span


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResult:
    """The findings on a case, the parsed case, the warnings about skipped resources, and records not understood."""

    review: Review
    parsed: ParsedCase
    skipped: tuple[SkippedItem, ...]

    @property
    def stage(self) -> Stage:
        """The stage of the case: order or claim."""
        return self.parsed.case.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(ReviewResult):
    """A review result with the CDS Hooks response.

    `sent`, `fetched` and `unavailable` are prefetch keys.
    """

    response: Response
    fetched: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()
    hook_instance: str | None = None


WITHOUT_TABLES = Tables(None)


@dataclass(frozen=True, slots=True)
class Advisor:
    """Reviews calls and Bundles with the rules, the site's choices and a FHIR client.

    `hook_namespace` is the site's prefix for our own hook, `canonical_base` the base URL of the code systems in cards,
    and `max_entries` the maximum length of a list in a request. `scope` is the subject of the rules: a case outside
    of it is empty, and no rule runs; without it every rule runs. `readings` know the records that were not understood.
    `tables` are CMS's, as loaded. `max_lines` is the maximum number of charge and claim lines of a call, and
    `max_cpu_seconds` its CPU time; None: no limit. `applies` tells which of the site's statements fit a case.
    `catalogs` say cards in other languages; without them every card is English.
    """

    rules: tuple[Rule, ...]
    client: FhirClient
    hook_namespace: str
    canonical_base: str
    max_entries: int
    site: Site = DEFAULT_SITE
    scope: Scope | None = None
    readings: Readings = EVERYTHING_UNDERSTOOD
    tables: Tables = WITHOUT_TABLES
    max_lines: int = 10_000
    max_cpu_seconds: float | None = None
    applies: Applies = names_no_payer_or_setting
    catalogs: Catalogs | None = None

    @property
    def checks_every_code(self) -> bool:
        """True if rules look at every code of a claim: by the site's file, with loaded tables."""
        return self.site.scope == "all" and bool(self.tables.snapshot().releases)

    def answer(
        self,
        service: Service,
        body: bytes,
        page_base: str = "",
        servers: AllowList | None = None,
        language: Language = ENGLISH,
    ) -> Answer:
        """Answer a call of a service; `page_base` is the base URL of the pages that cards link to.

        `servers` are the FHIR servers allowed for this client; None: those of the settings. A card is in the `language`
        if each of its sentences has a translation; all else of the answer is English.

        Raises BadRequest if the call is invalid, DataMissing if required data was not sent and cannot be fetched, and
        TooLarge or TooMuchWork if the call holds more than its limits allow.
        """
        with work_limit.at_most(self.max_cpu_seconds):
            return self._answer(service, body, page_base, servers, language)

    def _answer(
        self, service: Service, body: bytes, page_base: str, servers: AllowList | None, language: Language
    ) -> Answer:
        request = decode_request(body, hook_name(service, self.hook_namespace), self.max_entries)
        context = decode_context(request, service.context)
        intake = Intake(skipped=[*lenient_faults(request, context)])
        if service.context_bundle:
            bundle = getattr(context, python_name(service.context_bundle))
            add_reviewed_bundle(intake, bundle, f"context.{service.context_bundle}", self.max_entries)
        call = Call(service, request, context, servers, self._reader(service, context, intake), intake)
        add_prefetch(call.intake, request.prefetch or {}, service.prefetch, body)
        fetch_missing(call, self.client)
        result = self._review(call.parsed(), call.intake)
        return Answer(
            review=result.review,
            parsed=result.parsed,
            skipped=result.skipped,
            response=self._response(result, page_base, service.read_only, language),
            fetched=tuple(call.fetches),
            sent=tuple(request.prefetch or ()),
            unavailable=tuple(call.intake.unavailable),
            hook_instance=request.hook_instance,
        )

    def review_bundle(self, body: bytes, stage: Stage | None = None, complete: frozenset[str] = frozenset()) -> Answer:
        """Review a Bundle sent without a CDS Hooks call; all of it is under review.

        Without a `stage`, a Bundle without charges is reviewed as at order time. `complete` names the parts of the
        record that the Bundle holds in full. Raises BadRequest if it is not a Bundle, and TooLarge or TooMuchWork.
        """
        with work_limit.at_most(self.max_cpu_seconds):
            return self._review_bundle(body, stage, complete)

    def _review_bundle(self, body: bytes, stage: Stage | None, complete: frozenset[str]) -> Answer:
        intake = Intake()
        add_reviewed_bundle(intake, msgspec.Raw(body), "Bundle", self.max_entries)
        if intake.skipped:
            complete = frozenset()  # a skipped resource may have belonged to any part of the record
        parsed = self.parse(intake.sources, stage or "claim", complete)
        if len(parsed.patients) > 1:
            raise BadRequest("`Bundle`: expected the records of one patient; send one Bundle per patient", "Bundle")
        unreadable_codes = parsed.case.unreadable_codes | codes_in(intake.unreadable, "claim")
        if stage is None and not parsed.case.lines and not unreadable_codes:
            parsed = self.parse(intake.sources, "order", complete)
        result = self._review(parsed, intake)
        return Answer(
            review=result.review,
            parsed=parsed,
            skipped=(*result.skipped, *_billed_notice(result)),
            response=self._response(result),
        )

    # --- the two steps of every review, also used by the audit -------------------------------------------------------

    def parse(
        self, sources: Iterable[SourceResource], stage: Stage, complete: frozenset[str] = frozenset()
    ) -> ParsedCase:
        """Parse resources without a call; all of them are under review.

        A resource of unknown type may belong to any part of the record, so no part counts as complete then.
        """
        keys = [(each, prefetch_key_of(each) if complete else "") for each in sources]
        reviewed = [structs.replace(each, under_review=True, key=key or "") for each, key in keys]
        if any(key is None for _, key in keys):
            complete = frozenset()
        tables = self.tables.snapshot()
        return read_case(reviewed, stage=stage, complete=complete, site=self.site, tables=tables)

    def run_rules(self, parsed: ParsedCase, skipped: tuple[SkippedItem, ...] = ()) -> ReviewResult:
        """Run the rules over a parsed case. `skipped` are resources skipped before parsing."""
        with span("review"):
            outcome = review(parsed.case, self.rules, self.scope, self.readings, self.applies)
        warnings = (*skipped, *parsed.skipped, *map(_not_understood, outcome.unclear))
        return ReviewResult(review=outcome, parsed=parsed, skipped=warnings)

    def _review(self, parsed: ParsedCase, intake: Intake) -> ReviewResult:
        if len(parsed.case.lines) > self.max_lines:
            raise TooLarge(f"expected at most {self.max_lines} charges and claim lines in one call")
        if intake.unreadable or intake.unreadable_parts:
            parsed = _with_salvaged(parsed, intake)
        return self.run_rules(parsed, tuple(intake.skipped))

    # --- parsing and responding -------------------------------------------------------------------------------------

    def _reader(self, service: Service, context: Context, intake: Intake) -> CaseReader:
        selections = getattr(context, "selections", None)
        focus = None
        if selections is not None:
            focus, unmatched = selected_orders(selections, intake.sources)
            intake.skipped += unmatched
        return CaseReader(
            stage=service.stage,
            patient_id=bare_id(context.patient_id),
            encounter_id=bare_id(context.encounter_id) if context.encounter_id else None,
            review_encounter=service.context_bundle is None,
            focus=focus,
            site=self.site,
            tables=self.tables.snapshot(),
        )

    def _response(
        self, result: ReviewResult, page_base: str = "", read_only: bool = False, language: Language = ENGLISH
    ) -> Response:
        if not result.review.findings:
            return Response(cards=(), extension=self._extension(result.skipped, result.review))
        parsed = result.parsed
        maker = CardMaker(parsed.case, parsed.raw, self.canonical_base, page_base, read_only, self._extension_name)
        if self.catalogs is not None and not language.is_english:
            notice = () if self.catalogs.is_checked(language) else BY_MACHINE
            maker = replace(maker, say=self.catalogs.speaker(language), notice=notice)
        cards = maker.cards(result.review)
        shortened = (*result.skipped, *_left_out(len(result.review.findings) - len(cards), maker.room))
        return Response(cards=cards, extension=self._extension(shortened, result.review))

    @property
    def _extension_name(self) -> str:
        return f"{self.hook_namespace}.contrast-echo"

    def _extension(self, skipped: Sequence[SkippedItem], outcome: Review) -> dict[str, Any] | None:
        """The skipped resources and undecided questions; None if there are none."""
        if not skipped and not outcome.not_checked:
            return None
        content: dict[str, Any] = {
            "warnings": [{"location": each.path, "message": each.reason} for each in skipped],
            "notChecked": [
                {
                    "rule": rule.id,
                    "why": each.why,
                    "reason": str(each.reason),  # English, as all of the extension: it is read by programs
                    "evidence": [item.record.origin.reference for item in each.evidence[:MOST_SEEN]],
                }
                for rule, each in outcome.not_checked
            ],
        }
        present = {name: items for name, items in content.items() if items}
        return {self._extension_name: present}


def _with_salvaged(parsed: ParsedCase, intake: Intake) -> ParsedCase:
    """The parsed case with codes and parts salvaged from JSON that could not be split into resources."""
    case = parsed.case
    unreadable_codes = case.unreadable_codes | codes_in(intake.unreadable, case.stage)
    parts = case.unreadable_parts | ((parts_in(intake.unreadable) | intake.unreadable_parts) - intake.complete)
    return replace(parsed, case=replace(case, unreadable_codes=unreadable_codes, unreadable_parts=parts, facts={}))


def _left_out(findings: int, room: ActionRoom) -> Iterator[SkippedItem]:
    """Warnings about what a long answer leaves out."""
    if findings:
        yield SkippedItem("cards", f"{findings} more findings have no card: an answer has {MOST_CARDS}")
    if room.refused:
        yield SkippedItem("cards", f"{room.refused} fixes have no actions: {LONG_ANSWER}")


def _billed_notice(result: ReviewResult) -> Iterator[SkippedItem]:
    """A warning that no advice on an explanation of benefits can be carried out, at the path of the first."""
    cited = (each.record.origin for _, finding in result.review.findings for each in finding.evidence)
    billed = (each for each in cited if each.reference.startswith("ExplanationOfBenefit"))
    for first in islice(billed, 1):
        yield SkippedItem(first.resource, "ExplanationOfBenefit: reviewed as billed charges, which cannot be changed")


def _not_understood(unclear: Unclear) -> SkippedItem:
    """A warning about all records that were not understood for one reason, at the path of the first."""
    origin = unclear.records[0].origin
    path = f"{origin.resource}.{origin.within}" if origin.within else origin.resource
    others = f" ({len(unclear.records)} records)" if len(unclear.records) > 1 else ""
    return SkippedItem(path, f"not understood: {unclear.topic}{others}")


@cache
def python_name(member: str) -> str:
    """The Python name of a camelCase member."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in member)
