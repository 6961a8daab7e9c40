"""A call in, an answer out: protocol, prefetch, fetching, reading, rules and cards in their order. Knows no HTTP."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import msgspec
from msgspec import structs

from cds_service.cdshooks.cards import CardMaker
from cds_service.cdshooks.messages import Context, DecodedRequest, Request, Response, decode_context, decode_request
from cds_service.cdshooks.prefetch import Intake, resolve, take_draft, take_prefetch
from cds_service.cdshooks.services import Service, hook_name
from cds_service.core.case import Site, Stage
from cds_service.core.rules import Review, Rule, Scope, review
from cds_service.errors import BadRequest, DataMissing
from cds_service.fetch.client import FhirClient
from cds_service.fetch.queries import Access
from cds_service.fhir.read import DEFAULT_SITE, CaseReader, ParsedCase, read_case
from cds_service.fhir.salvage import codes_in, parts_in
from cds_service.fhir.servers import AllowList
from cds_service.fhir.sources import SkippedItem, SourceResource, part_of
from cds_service.settings import Settings
from cds_service.telemetry.tracing import span

_NOT_ALLOWED = "`fhirServer` is not one of the servers that this service may ask"
_NO_QUERY = "the context lacks an id that the query needs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResult:
    """What the rules say of a case, what it was read from, and what was left out."""

    review: Review
    parsed: ParsedCase
    skipped: tuple[SkippedItem, ...]

    @property
    def stage(self) -> Stage:
        """When the case stands: at order or at claim time."""
        return self.parsed.case.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(ReviewResult):
    """What the service has to say: the answer, and what it was made from.

    Of the keys of prefetch, `sent` came with the call, `fetched` were asked for, and `lacking` could not be had.
    """

    response: Response
    fetched: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()
    hook_instance: str | None = None


@dataclass(slots=True)
class _Call:
    """A call while it is answered."""

    service: Service
    request: Request | DecodedRequest
    context: Context
    servers: AllowList | None
    reader: CaseReader
    intake: Intake = field(default_factory=Intake)
    fetched: list[str] = field(default_factory=list)
    parsed: ParsedCase | None = None
    parsed_from: tuple[int, frozenset[str]] = (0, frozenset())


@dataclass(frozen=True, slots=True)
class Advisor:
    """The rules, the settings, what the site has decided and the way to FHIR servers, ready to answer calls.

    `scope` is the subject of the rules: a case outside of it needs none of them. Without it every rule runs.
    """

    rules: tuple[Rule, ...]
    settings: Settings
    client: FhirClient
    site: Site = DEFAULT_SITE
    scope: Scope | None = None

    def answer(self, service: Service, body: bytes, page_base: str = "", servers: AllowList | None = None) -> Answer:
        """Answer a call of a service; `page_base` is the address under which the pages that cards link to are reached.

        `servers` are the FHIR servers that may be asked for this caller; None: those of the site's settings.

        Raises BadRequest where the call is not as the specification says, DataMissing where data that the service
        requires neither came nor can be fetched.
        """
        most = self.settings.max_entries
        request = decode_request(body, hook_name(service, self.settings.hook_namespace), most)
        context = decode_context(request, service.context)
        call = _Call(service, request, context, servers, self._reader(service, context))
        if service.draft:
            draft = getattr(call.context, attribute(service.draft))
            take_draft(call.intake, draft, f"context.{service.draft}", most)
        take_prefetch(call.intake, request.prefetch or {}, service.prefetch, body)
        self._complete(call)
        result = self._judged(_parsed(call), call.intake)
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

    def answer_bundle(self, body: bytes, stage: Stage | None = None, complete: frozenset[str] = frozenset()) -> Answer:
        """Review a Bundle sent without a CDS Hooks call; all of it is under review.

        Without a `stage`, a Bundle without charges is reviewed as at order time. `complete` names the parts of the
        record that the Bundle holds in full. Raises BadRequest if it is not a Bundle.
        """
        intake = Intake()
        take_draft(intake, msgspec.Raw(body), "Bundle", self.settings.max_entries)
        if intake.skipped:
            complete = frozenset()  # a skipped resource may have belonged to any part of the record
        parsed = self.examine(intake.sources, stage or "claim", complete)
        if len(parsed.patients) > 1:
            raise BadRequest("`Bundle`: expected the records of one patient; send a Bundle for each", "Bundle")
        if stage is None and not parsed.case.lines and not parsed.case.unreadable_codes:
            parsed = self.examine(intake.sources, "order", complete)
        result = self._judged(parsed, intake)
        return Answer(review=result.review, parsed=parsed, skipped=result.skipped, response=self._response(result))

    # --- the two steps of every review: live, of a Bundle, and over a year of records -------------------------------

    def examine(
        self, sources: Iterable[SourceResource], stage: Stage, complete: frozenset[str] = frozenset()
    ) -> ParsedCase:
        """Read resources that are all what the review is about, without a call around them.

        What cannot even be told by its type may have been of any part of the record: none is known whole then.
        """
        keys = [(each, part_of(each) if complete else "") for each in sources]
        reviewed = [structs.replace(each, under_review=True, key=key or "") for each, key in keys]
        if any(key is None for _, key in keys):
            complete = frozenset()
        return read_case(reviewed, stage=stage, complete=complete, site=self.site)

    def judge(self, parsed: ParsedCase, skipped: tuple[SkippedItem, ...] = ()) -> ReviewResult:
        """Run the rules over what was read. `unread` was left out before it came to the reader."""
        with span("review"):
            verdict = review(parsed.case, self.rules, self.scope)
        return ReviewResult(review=verdict, parsed=parsed, skipped=(*skipped, *parsed.skipped))

    def _judged(self, parsed: ParsedCase, intake: Intake) -> ReviewResult:
        if intake.unreadable or intake.unreadable_parts:
            parsed = _with_what_was_lost(parsed, intake)
        return self.judge(parsed, tuple(intake.skipped))

    # --- what is missing --------------------------------------------------------------------------------------------

    def _complete(self, call: _Call) -> None:
        """Fetch what the rules would look at and what did not come: first what the service requires, then the rest."""
        access = self._access(call)
        missing = [key for key in call.service.required if key not in call.intake.settled()]
        if missing and access is None and not set(missing) & set(call.request.prefetch or {}):
            keys = " and ".join(f"`prefetch.{key}`" for key in missing)
            raise DataMissing(
                f"{keys} is required: send it, or a `fhirServer` that this service may ask for it",
                f"prefetch.{missing[0]}",
            )
        if not call.request.fhir_server:
            return
        deadline = self.client.deadline()
        self._fetch(call, access, missing, deadline)
        self._fetch(call, access, call.service.wanted(_parsed(call).case), deadline)

    def _access(self, call: _Call) -> Access | None:
        """The FHIR server that the call offers, None where it offers none or one that may not be asked."""
        server, authorization = call.request.fhir_server, call.request.fhir_authorization
        listed = self.client.listed(server, call.servers) if server else None
        if server is None or listed is None:
            return None
        return Access(server, authorization.access_token if authorization else None, listed.public_only)

    def _fetch(self, call: _Call, access: Access | None, keys: Iterable[str], deadline: float) -> None:
        """Ask for keys that are not settled, each once; what cannot be asked for is noted with the reason."""
        queries: dict[str, str] = {}
        for key in sorted(set(keys) - call.intake.settled() - set(call.fetched)):
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
        """Where the rest of a key is to be had, else how to ask for all of it; None where the context does not say."""
        rest = call.intake.next_pages.get(key)
        if rest and access.covers(rest):
            return rest
        ids = {"patientId": _bare(call.context.patient_id), "encounterId": _bare(call.context.encounter_id or "")}
        return resolve(call.service.prefetch[key], ids)

    # --- reading and advising ---------------------------------------------------------------------------------------

    def _reader(self, service: Service, context: Context) -> CaseReader:
        selections = getattr(context, "selections", None)
        return CaseReader(
            stage=service.stage,
            patient_id=_bare(context.patient_id),
            encounter_id=_bare(context.encounter_id) if context.encounter_id else None,
            about_encounter=service.draft is None,
            focus=None if selections is None else frozenset(selections),
            site=self.site,
        )

    def _response(self, result: ReviewResult, page_base: str = "", read_only: bool = False) -> Response:
        extension = self._extension(result.skipped, result.review)
        if not result.review.findings:
            return Response(cards=(), extension=extension)
        parsed = result.parsed
        maker = CardMaker(
            parsed.case, parsed.raw, self.settings.canonical_base, page_base, read_only, self._extension_name
        )
        return Response(cards=maker.cards(result.review), extension=extension)

    @property
    def _extension_name(self) -> str:
        return f"{self.settings.hook_namespace}.contrast-echo"

    def _extension(self, skipped: Sequence[SkippedItem], verdict: Review) -> dict[str, Any] | None:
        """What was left out and what could not be decided; nothing where there is neither."""
        if not skipped and not verdict.not_checked:
            return None
        content: dict[str, Any] = {
            "warnings": [{"location": each.place, "message": each.reason} for each in skipped],
            "notChecked": [
                {
                    "rule": rule.id,
                    "why": each.why,
                    "reason": each.reason,
                    "evidence": [item.record.origin.reference for item in each.evidence],
                }
                for rule, each in verdict.not_checked
            ],
        }
        present = {name: items for name, items in content.items() if items}
        return {self._extension_name: present}


def _parsed(call: _Call) -> ParsedCase:
    """The case of a call, parsed once; again only if a fetch brought resources or changed what is complete."""
    count, complete = len(call.intake.sources), frozenset(call.intake.complete)
    if call.parsed is None or call.parsed_from != (count, complete):
        call.reader.take(call.intake.sources[call.parsed_from[0] :])
        call.parsed, call.parsed_from = call.reader.parsed(complete), (count, complete)
    return call.parsed


def _with_what_was_lost(parsed: ParsedCase, intake: Intake) -> ParsedCase:
    """The reading, its case with what could not even be told apart into resources; no fact is derived from it yet."""
    case = parsed.case
    unreadable_codes = case.unreadable_codes | codes_in(intake.unreadable, case.stage)
    parts = case.unreadable_parts | ((parts_in(intake.unreadable) | intake.unreadable_parts) - intake.complete)
    return replace(parsed, case=replace(case, unreadable_codes=unreadable_codes, unreadable_parts=parts, facts={}))


def _bare(identifier: str) -> str:
    """The id without a type before it: some clients send `Patient/1` where the specification asks for `1`."""
    return identifier.rsplit("/", 1)[-1]


@cache
def attribute(member: str) -> str:
    """The name in Python of a member in camelCase."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in member)
