"""Answers calls: decodes requests, collects and parses resources, runs rules and builds cards. Independent of HTTP."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import msgspec
from msgspec import structs

from cds_service.cdshooks.cards import CardMaker
from cds_service.cdshooks.messages import (
    Context,
    DecodedRequest,
    Request,
    Response,
    decode_context,
    decode_request,
    lenient_faults,
)
from cds_service.cdshooks.prefetch import Intake, add_prefetch, add_reviewed_bundle, fill_template
from cds_service.cdshooks.selections import selected_orders
from cds_service.cdshooks.services import Service, hook_name
from cds_service.core.case import Site, Stage
from cds_service.core.rules import Review, Rule, Scope, review
from cds_service.errors import BadRequest, DataMissing
from cds_service.fetch.client import FhirClient
from cds_service.fetch.queries import Access
from cds_service.fhir.read import DEFAULT_SITE, CaseReader, ParsedCase, read_case
from cds_service.fhir.salvage import codes_in, parts_in
from cds_service.fhir.servers import AllowList
from cds_service.fhir.sources import SkippedItem, SourceResource, prefetch_key_of
from cds_service.telemetry.tracing import span

_NOT_ALLOWED = "`fhirServer` is not an allowed FHIR server"
_NO_QUERY = "the context lacks an id required by the query"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResult:
    """The findings on a case, the parsed case, and the skipped resources."""

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


@dataclass(slots=True)
class _Call:
    """A call in progress."""

    service: Service
    request: Request | DecodedRequest
    context: Context
    servers: AllowList | None
    reader: CaseReader
    intake: Intake
    fetched: list[str] = field(default_factory=list)
    parsed: ParsedCase | None = None
    parsed_from: tuple[int, frozenset[str]] = (0, frozenset())


@dataclass(frozen=True, slots=True)
class Advisor:
    """Reviews calls and Bundles with the rules, the site's choices and a FHIR client.

    `hook_namespace` is the site's prefix for our own hook, `canonical_base` the base URL of the code systems in cards,
    and `max_entries` the maximum length of a list in a request. `scope` is the subject of the rules: a case outside
    of it passes all; without it every rule runs.
    """

    rules: tuple[Rule, ...]
    client: FhirClient
    hook_namespace: str
    canonical_base: str
    max_entries: int
    site: Site = DEFAULT_SITE
    scope: Scope | None = None

    def answer(self, service: Service, body: bytes, page_base: str = "", servers: AllowList | None = None) -> Answer:
        """Answer a call of a service; `page_base` is the base URL of the pages that cards link to.

        `servers` are the FHIR servers allowed for this client; None: those of the settings.

        Raises BadRequest if the call is invalid, and DataMissing if required data was not sent and cannot be fetched.
        """
        request = decode_request(body, hook_name(service, self.hook_namespace), self.max_entries)
        context = decode_context(request, service.context)
        intake = Intake(skipped=[*lenient_faults(request, context)])
        if service.context_bundle:
            bundle = getattr(context, python_name(service.context_bundle))
            add_reviewed_bundle(intake, bundle, f"context.{service.context_bundle}", self.max_entries)
        call = _Call(service, request, context, servers, self._reader(service, context, intake), intake)
        add_prefetch(call.intake, request.prefetch or {}, service.prefetch, body)
        self._fetch_missing(call)
        result = self._review(_parsed(call), call.intake)
        return Answer(
            review=result.review,
            parsed=result.parsed,
            skipped=result.skipped,
            response=self._response(result, page_base, service.read_only),
            fetched=tuple(call.fetched),
            sent=tuple(request.prefetch or ()),
            unavailable=tuple(call.intake.unavailable),
            hook_instance=request.hook_instance,
        )

    def review_bundle(self, body: bytes, stage: Stage | None = None, complete: frozenset[str] = frozenset()) -> Answer:
        """Review a Bundle sent without a CDS Hooks call; all of it is under review.

        Without a `stage`, a Bundle without charges is reviewed as at order time. `complete` names the parts of the
        record that the Bundle holds in full. Raises BadRequest if it is not a Bundle.
        """
        intake = Intake()
        add_reviewed_bundle(intake, msgspec.Raw(body), "Bundle", self.max_entries)
        if intake.skipped:
            complete = frozenset()  # a skipped resource may have belonged to any part of the record
        parsed = self.parse(intake.sources, stage or "claim", complete)
        if len(parsed.patients) > 1:
            raise BadRequest("`Bundle`: expected the records of one patient; send one Bundle per patient", "Bundle")
        if stage is None and not parsed.case.lines and not parsed.case.unreadable_codes:
            parsed = self.parse(intake.sources, "order", complete)
        result = self._review(parsed, intake)
        return Answer(review=result.review, parsed=parsed, skipped=result.skipped, response=self._response(result))

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
        return read_case(reviewed, stage=stage, complete=complete, site=self.site)

    def run_rules(self, parsed: ParsedCase, skipped: tuple[SkippedItem, ...] = ()) -> ReviewResult:
        """Run the rules over a parsed case. `skipped` are resources skipped before parsing."""
        with span("review"):
            outcome = review(parsed.case, self.rules, self.scope)
        return ReviewResult(review=outcome, parsed=parsed, skipped=(*skipped, *parsed.skipped))

    def _review(self, parsed: ParsedCase, intake: Intake) -> ReviewResult:
        if intake.unreadable or intake.unreadable_parts:
            parsed = _with_salvaged(parsed, intake)
        return self.run_rules(parsed, tuple(intake.skipped))

    # --- fetching ---------------------------------------------------------------------------------------------------

    def _fetch_missing(self, call: _Call) -> None:
        """Fetch missing data: first the keys that the service requires, then the keys that rules need."""
        access = self._access(call)
        missing = [key for key in call.service.required if key not in call.intake.resolved_keys()]
        if missing and access is None and not set(missing) & set(call.request.prefetch or {}):
            keys = " and ".join(f"`prefetch.{key}`" for key in missing)
            raise DataMissing(
                f"{keys} is required: send it or an allowed `fhirServer` to fetch it from",
                f"prefetch.{missing[0]}",
            )
        if not call.request.fhir_server:
            return
        deadline = self.client.deadline()
        self._fetch(call, access, missing, deadline)
        self._fetch(call, access, call.service.needed_keys(_parsed(call).case), deadline)

    def _access(self, call: _Call) -> Access | None:
        """The call's FHIR server; None if it names none or one that is not allowed."""
        server, authorization = call.request.fhir_server, call.request.fhir_authorization
        entry = self.client.allowed_server(server, call.servers) if server else None
        if server is None or entry is None:
            return None
        return Access(server, authorization.access_token if authorization else None, entry.public_only)

    def _fetch(self, call: _Call, access: Access | None, keys: Iterable[str], deadline: float) -> None:
        """Query the unresolved keys once each; report keys that cannot be queried as unavailable."""
        queries: dict[str, str] = {}
        for key in sorted(set(keys) - call.intake.resolved_keys() - set(call.fetched)):
            query = self._query(call, access, key) if access else None
            if query:
                queries[key] = query
            else:
                call.intake.mark_unavailable(key, f"fhirServer.{key}", _NO_QUERY if access else _NOT_ALLOWED)
        if access and queries:
            call.fetched += queries
            with span("fetch", keys=list(queries)):
                self.client.fetch(call.intake, access, queries, call.service.prefetch, deadline)

    def _query(self, call: _Call, access: Access, key: str) -> str | None:
        """The URL of a key's next page, or the query for all of it; None if the context lacks an id."""
        rest = call.intake.next_pages.get(key)
        if rest and access.covers(rest):
            return rest
        ids = {"patientId": _bare(call.context.patient_id), "encounterId": _bare(call.context.encounter_id or "")}
        return fill_template(call.service.prefetch[key], ids)

    # --- parsing and responding -------------------------------------------------------------------------------------

    def _reader(self, service: Service, context: Context, intake: Intake) -> CaseReader:
        selections = getattr(context, "selections", None)
        focus = None
        if selections is not None:
            focus, unmatched = selected_orders(selections, intake.sources)
            intake.skipped += unmatched
        return CaseReader(
            stage=service.stage,
            patient_id=_bare(context.patient_id),
            encounter_id=_bare(context.encounter_id) if context.encounter_id else None,
            review_encounter=service.context_bundle is None,
            focus=focus,
            site=self.site,
        )

    def _response(self, result: ReviewResult, page_base: str = "", read_only: bool = False) -> Response:
        extension = self._extension(result.skipped, result.review)
        if not result.review.findings:
            return Response(cards=(), extension=extension)
        parsed = result.parsed
        maker = CardMaker(parsed.case, parsed.raw, self.canonical_base, page_base, read_only, self._extension_name)
        return Response(cards=maker.cards(result.review), extension=extension)

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
                    "reason": each.reason,
                    "evidence": [item.record.origin.reference for item in each.evidence],
                }
                for rule, each in outcome.not_checked
            ],
        }
        present = {name: items for name, items in content.items() if items}
        return {self._extension_name: present}


def _parsed(call: _Call) -> ParsedCase:
    """The case of a call, parsed once; again only if a fetch brought resources or changed what is complete."""
    count, complete = len(call.intake.sources), frozenset(call.intake.complete)
    if call.parsed is None or call.parsed_from != (count, complete):
        call.reader.add(call.intake.sources[call.parsed_from[0] :])
        call.parsed, call.parsed_from = call.reader.parsed(complete), (count, complete)
    return call.parsed


def _with_salvaged(parsed: ParsedCase, intake: Intake) -> ParsedCase:
    """The parsed case with codes and parts salvaged from JSON that could not be split into resources."""
    case = parsed.case
    unreadable_codes = case.unreadable_codes | codes_in(intake.unreadable, case.stage)
    parts = case.unreadable_parts | ((parts_in(intake.unreadable) | intake.unreadable_parts) - intake.complete)
    return replace(parsed, case=replace(case, unreadable_codes=unreadable_codes, unreadable_parts=parts, facts={}))


def _bare(identifier: str) -> str:
    """The id without a resource type: some clients send `Patient/1` instead of `1`."""
    return identifier.rsplit("/", 1)[-1]


@cache
def python_name(member: str) -> str:
    """The Python name of a camelCase member."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in member)
