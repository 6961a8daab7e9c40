"""A call in, an answer out: protocol, prefetch, fetching, reading, rules and cards in their order. Knows no HTTP."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from cds_service.cards import CardMaker
from cds_service.case import Site, Stage
from cds_service.errors import DataMissing
from cds_service.fhir.client import Access, FhirClient
from cds_service.fhir.read import Reading, Unread, read_case
from cds_service.prefetch import Arrived, resolve, take_draft, take_prefetch
from cds_service.protocol import Context, Request, Response, Service, decode_context, decode_request, hook_name
from cds_service.rules import Review, Rule, review
from cds_service.settings import Settings
from cds_service.tracing import span


@dataclass(frozen=True, slots=True)
class Advice:
    """What the service has to say: the answer, and what it was made from.

    Of the keys of prefetch, `sent` came with the call, `fetched` were asked for, and `lacking` could not be had.
    """

    response: Response
    review: Review
    reading: Reading
    unread: tuple[Unread, ...]
    stage: Stage
    fetched: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    hook_instance: str = ""


@dataclass(slots=True)
class _Call:
    """A call while it is answered."""

    service: Service
    request: Request
    context: Context
    arrived: Arrived = field(default_factory=Arrived)
    fetched: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Advisor:
    """The rules, the site's settings and the way to FHIR servers, ready to answer calls."""

    rules: tuple[Rule, ...]
    settings: Settings
    client: FhirClient

    def answer(self, service: Service, body: bytes, page_base: str = "") -> Advice:
        """Answer a call of a service; `page_base` is the address under which the pages that cards link to are reached.

        Raises BadRequest where the call is not as the specification says, DataMissing where data that the service
        requires neither came nor can be fetched.
        """
        request = decode_request(body, hook_name(service, self.settings.hook_namespace))
        call = _Call(service, request, decode_context(request, service.context))
        if service.draft:
            take_draft(call.arrived, getattr(call.context, attribute(service.draft)), f"context.{service.draft}")
        take_prefetch(call.arrived, request.prefetch or {}, service.prefetch)
        self._complete(call)
        advice = self._advise(self._read(call), call.arrived, page_base, tuple(call.fetched), service.read_only)
        sent = tuple(request.prefetch or ())
        return replace(advice, sent=sent, lacking=tuple(call.arrived.unavailable), hook_instance=request.hook_instance)

    def answer_bundle(self, body: bytes) -> Advice:
        """Review a Bundle that came without a call around it: everything in it is what the review is about.

        A Bundle without charges is reviewed as at order time. Raises BadRequest where it is not a Bundle.
        """
        arrived = Arrived()
        take_draft(arrived, msgspec.Raw(body), "Bundle")
        has_charges = read_case(arrived.incoming, stage="claim").case.lines
        stage: Stage = "claim" if has_charges else "order"
        return self._advise(read_case(arrived.incoming, stage=stage, site=self._site()), arrived)

    # --- what is missing --------------------------------------------------------------------------------------------

    def _complete(self, call: _Call) -> None:
        """Fetch what the rules would look at and what did not come: first what the service requires, then the rest."""
        access = self._access(call)
        missing = [key for key in call.service.required if key not in call.arrived.settled()]
        if missing and access is None and not set(missing) & set(call.request.prefetch or {}):
            keys = " and ".join(f"`prefetch.{key}`" for key in missing)
            raise DataMissing(
                f"{keys} is required: send it, or a `fhirServer` to read it from", f"prefetch.{missing[0]}"
            )
        if access is None:
            return
        deadline = self.client.deadline()
        self._fetch(call, access, frozenset(missing), deadline)
        self._fetch(call, access, call.service.wanted(self._read(call).case), deadline)

    def _access(self, call: _Call) -> Access | None:
        """The FHIR server that the call offers, None where it offers none or one that may not be asked."""
        server, authorization = call.request.fhir_server, call.request.fhir_authorization
        if not server:
            return None
        if not self.client.may_ask(server):
            call.arrived.unread.append(Unread("fhirServer", "not one of the servers that this service may ask"))
            return None
        return Access(server, authorization.access_token if authorization else None)

    def _fetch(self, call: _Call, access: Access, keys: frozenset[str], deadline: float) -> None:
        ids = {"patientId": _bare(call.context.patient_id), "encounterId": _bare(call.context.encounter_id or "")}
        queries: dict[str, str] = {}
        for key in sorted(keys - call.arrived.settled()):
            query = call.arrived.next_pages.get(key) or resolve(call.service.prefetch[key], ids)
            if query:
                queries[key] = query
        if queries:
            call.fetched += queries
            with span("fetch", keys=list(queries)):
                self.client.fetch(call.arrived, access, queries, call.service.prefetch, deadline)

    # --- reading and advising ---------------------------------------------------------------------------------------

    def _read(self, call: _Call) -> Reading:
        selections = getattr(call.context, "selections", None)
        encounter_id = call.context.encounter_id
        return read_case(
            call.arrived.incoming,
            stage=call.service.stage,
            patient_id=_bare(call.context.patient_id),
            encounter_id=_bare(encounter_id) if encounter_id else None,
            about_encounter=call.service.draft is None,
            known=frozenset(call.arrived.known),
            focus=None if selections is None else frozenset(selections),
            site=self._site(),
        )

    def _site(self) -> Site:
        return Site(vial_units=self.settings.default_vial_units, order_suggestions=self.settings.order_suggestions)

    def _advise(
        self,
        reading: Reading,
        arrived: Arrived,
        page_base: str = "",
        fetched: tuple[str, ...] = (),
        read_only: bool = False,
    ) -> Advice:
        with span("review"):
            verdict = review(reading.case, self.rules)
        unread = (*arrived.unread, *reading.unread)
        maker = CardMaker(reading.case, reading.raw, self.settings.canonical_base, page_base, read_only)
        response = Response(cards=maker.cards(verdict), extension=self._extension(unread, verdict))
        return Advice(response, verdict, reading, unread, reading.case.stage, fetched)

    def _extension(self, unread: Iterable[Unread], verdict: Review) -> dict[str, Any] | None:
        """What was left out and what could not be decided; nothing where there is neither."""
        content: dict[str, Any] = {
            "warnings": [{"location": each.place, "message": each.reason} for each in unread],
            "notChecked": [
                {
                    "rule": rule.id,
                    "reason": each.reason,
                    "evidence": [item.record.origin.reference for item in each.evidence],
                }
                for rule, each in verdict.not_checked
            ],
        }
        present = {name: items for name, items in content.items() if items}
        return {f"{self.settings.hook_namespace}.contrast-echo": present} if present else None


def _bare(identifier: str) -> str:
    """The id without a type before it: some clients send `Patient/1` where the specification asks for `1`."""
    return identifier.rsplit("/", 1)[-1]


def attribute(member: str) -> str:
    """The name in Python of a member in camelCase."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in member)
