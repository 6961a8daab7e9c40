"""A call in, an answer out: protocol, prefetch, reading, rules and cards in their order. Knows no HTTP."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from cds_service.cards import cards_of
from cds_service.case import Site, Stage
from cds_service.errors import BadRequest
from cds_service.fhir.read import DEFAULT_SITE, Reading, Unread, read_case
from cds_service.prefetch import Arrived, take_draft, take_prefetch
from cds_service.protocol import Response, Service, decode_context, decode_request, hook_name
from cds_service.rules import Review, Rule, review
from cds_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Advice:
    """What the service has to say: the answer, and what it was made from."""

    response: Response
    review: Review
    reading: Reading
    unread: tuple[Unread, ...]
    stage: Stage


@dataclass(frozen=True, slots=True)
class Advisor:
    """The rules, the settings and what the site has decided, ready to answer calls."""

    rules: tuple[Rule, ...]
    settings: Settings
    site: Site = DEFAULT_SITE

    def answer(self, service: Service, body: bytes) -> Advice:
        """Answer a call of a service. Raises BadRequest where the call is not as the specification says."""
        request = decode_request(body, hook_name(service, self.settings.hook_namespace))
        context = decode_context(request, service.context)
        arrived = Arrived()
        place = f"context.{service.draft}"
        take_draft(arrived, getattr(context, _attribute(service.draft)), place)
        take_prefetch(arrived, request.prefetch or {}, service.prefetch)
        return self.advise(arrived, service.stage, context.patient_id, context.encounter_id)

    def answer_bundle(self, body: bytes) -> Advice:
        """Review a Bundle that came without a call around it: everything in it is what the review is about.

        A Bundle without charges is reviewed as at order time. Raises BadRequest where it is not a Bundle.
        """
        arrived = Arrived()
        take_draft(arrived, msgspec.Raw(body), "Bundle")
        reading = read_case(arrived.incoming, stage="claim")
        if len(reading.patients) > 1:
            raise BadRequest("`Bundle`: expected the records of one patient; send a Bundle for each", "Bundle")
        has_charges = reading.case.lines
        return self.advise(arrived, "claim" if has_charges else "order")

    def advise(self, arrived: Arrived, stage: Stage, patient_id: str = "", encounter_id: str | None = None) -> Advice:
        """Read what arrived, run the rules and make the cards."""
        reading = read_case(
            arrived.incoming,
            stage=stage,
            patient_id=_bare(patient_id),
            encounter_id=_bare(encounter_id) if encounter_id else None,
            known=frozenset(arrived.known),
            site=self.site,
        )
        verdict = review(reading.case, self.rules)
        unread = (*arrived.unread, *reading.unread)
        cards = cards_of(verdict, reading.case, reading.raw, self.settings.canonical_base)
        response = Response(cards=cards, extension=self._extension(unread, verdict))
        return Advice(response, verdict, reading, unread, stage)

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


def _attribute(member: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in member)
