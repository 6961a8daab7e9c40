"""What is said about calls afterwards: the log, the metrics, the audit log and the cards that were issued.

All of it speaks of rules, services and counts, and none of the patient.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cds_service.advice import Advice
from cds_service.errors import StoreUnavailable
from cds_service.logs import log
from cds_service.metrics import Counted, Metrics
from cds_service.protocol import Feedback, Service
from cds_service.store import Caller, Store


@dataclass(frozen=True, slots=True)
class Watch:
    """Keeps, counts and logs what happened."""

    store: Store
    metrics: Metrics

    def answered(self, caller: Caller, service: Service, advice: Advice, seconds: float) -> None:
        """Note a call that was answered. A database that is down does not stop advice: it is logged and counted."""
        findings = Counter(rule.id for rule, _ in advice.review.findings)
        self._keep(caller, service, advice, tuple(findings))
        self.metrics.called(service.id, seconds, _counted(service, advice))
        log.info(
            "call",
            client=caller.client,
            service=service.id,
            findings=dict(findings),
            not_checked=dict(Counter(rule.id for rule, _ in advice.review.not_checked)),
            left_out=len(advice.unread),
            fetched=list(advice.fetched),
            milliseconds=round(seconds * 1000, 1),
        )

    def _keep(self, caller: Caller, service: Service, advice: Advice, rules: tuple[str, ...]) -> None:
        try:
            self.store.answered(caller, service.id, advice.hook_instance, rules, advice.response.cards)
        except StoreUnavailable:
            self.metrics.lost("call")
            log.error("call not kept", cards=len(advice.response.cards))

    def take(self, caller: Caller, service: Service, items: Sequence[Feedback]) -> None:
        """Keep feedback, and note it. Raises StoreUnavailable where the database cannot take it."""
        try:
            kept = self.store.take(caller, service.id, items)
        except StoreUnavailable:
            self.metrics.lost("feedback")
            raise
        self.metrics.took_feedback(service.id, [(item.outcome, _reason(item)) for item in items])
        outcomes = dict(Counter(str(item.outcome) for item in items))
        log.info(
            "feedback",
            client=caller.client,
            service=service.id,
            new=kept.new,
            unknown_cards=kept.unknown_cards,
            outcomes=outcomes,
        )


def _counted(service: Service, advice: Advice) -> Counted:
    return Counted(
        cards=[(card.source.topic.code if card.source.topic else "", card.indicator) for card in advice.response.cards],
        not_checked=[rule.id for rule, _ in advice.review.not_checked],
        keys=_keys(service, advice),
    )


def _keys(service: Service, advice: Advice) -> Iterator[tuple[str, str]]:
    """Each key that a service declares, and whether it was sent, fetched, not to be had, or neither sent nor asked."""
    for key in service.prefetch:
        if key in advice.lacking:
            yield key, "lacking"
        elif key in advice.fetched:
            yield key, "fetched"
        else:
            yield key, "sent" if key in advice.sent else "unsent"


def _reason(item: Feedback) -> str | None:
    reason = item.override_reason.reason if item.override_reason else None
    return reason.code if reason else None
