"""Records each call: log, metrics, audit log and issued cards. None of them holds patient data."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cds_service.cdshooks.messages import Card, Feedback
from cds_service.cdshooks.services import Service
from cds_service.database.store import AuditActor, Store
from cds_service.errors import StoreUnavailable
from cds_service.review.advisor import Answer
from cds_service.telemetry.calls import CallSummary, IssuedCard
from cds_service.telemetry.logs import log
from cds_service.telemetry.metrics import Metrics


def summary_of_call(service: Service, answer: Answer, seconds: float) -> CallSummary:
    """The summary of a call of a service that took so many seconds."""
    return replace(
        summary_of_bundle(service.id, answer, seconds),
        cards=tuple(map(_issued, answer.response.cards)),
        keys=tuple(_prefetch_keys(service, answer)),
    )


def summary_of_bundle(name: str, answer: Answer, seconds: float) -> CallSummary:
    """The summary of a Bundle's review, under the name of its route; a review issues no cards."""
    review = answer.review
    return CallSummary(
        service=name,
        seconds=seconds,
        findings=tuple(rule.id for rule, _ in review.findings),
        not_checked=tuple((rule.id, each.why) for rule, each in review.not_checked),
        skipped=len(answer.skipped),
        not_understood=tuple((each.kind, each.system, len(each.records)) for each in review.unclear),
        fetched=answer.fetched,
        hook_instance=answer.hook_instance,
    )


@dataclass(frozen=True, slots=True)
class CallRecorder:
    """Stores, counts and logs calls and feedback."""

    store: Store
    metrics: Metrics

    def record_call(self, actor: AuditActor, call: CallSummary) -> None:
        """Store, count and log an answered call; does not wait for the database."""
        self.store.record_call(actor, call)
        self.metrics.count_call(call)
        log.info(
            "call",
            client=actor.client,
            service=call.service,
            findings=_counted(call.findings),
            not_checked=_counted([rule for rule, _ in call.not_checked]),
            left_out=call.skipped,
            not_understood=_records_by_kind(call.not_understood),
            fetched=list(call.fetched),
            milliseconds=call.milliseconds,
        )

    def record_feedback(self, actor: AuditActor, service: Service, items: Sequence[Feedback]) -> None:
        """Store and log feedback, and count that on the client's own cards.

        Raises StoreUnavailable if the database cannot store it.
        """
        try:
            receipt = self.store.save_feedback(actor, service.id, items)
        except StoreUnavailable:
            self.metrics.count_lost("feedback")
            raise
        own = [item for item in items if item.card in receipt.own_cards]
        self.metrics.count_feedback(service.id, [(item.outcome, _reason(item)) for item in own])
        outcomes = dict(Counter(str(item.outcome) for item in items))
        log.info(
            "feedback",
            client=actor.client,
            service=service.id,
            new=receipt.new_items,
            unknown_cards=receipt.unknown_cards,
            outcomes=outcomes,
        )


def _counted(rules: Sequence[str]) -> dict[str, int]:
    """Number of occurrences of each rule."""
    return dict(Counter(rules)) if rules else {}


def _records_by_kind(not_understood: Sequence[tuple[str, str, int]]) -> dict[str, int]:
    """Number of records by kind; the log holds no sender's code systems."""
    found: Counter[str] = Counter()
    for kind, _, number in not_understood:
        found[kind] += number
    return dict(found)


def _issued(card: Card) -> IssuedCard:
    return IssuedCard(card.uuid, card.source.topic.code if card.source.topic else "", card.indicator)


def _prefetch_keys(service: Service, answer: Answer) -> Iterator[tuple[str, str]]:
    """Each declared prefetch key, and its state: sent, fetched, unavailable, or not sent.

    The words `lacking` and `unsent` are label values of a metric that users have alarms on, so they stay.
    """
    for key in service.prefetch:
        if key in answer.unavailable:
            yield key, "lacking"
        elif key in answer.fetched:
            yield key, "fetched"
        else:
            yield key, "sent" if key in answer.sent else "unsent"


def _reason(item: Feedback) -> str | None:
    reason = item.override_reason.reason if item.override_reason else None
    return reason.code if reason else None
