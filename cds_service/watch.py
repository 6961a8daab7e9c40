"""What is said about calls afterwards: the log, the metrics, the audit log and the cards that were issued.

All of it speaks of rules, services and counts, and none of the patient.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cds_service.advice import Advice
from cds_service.errors import StoreUnavailable
from cds_service.logs import log
from cds_service.metrics import CallKeys, Counted, Metrics
from cds_service.protocol import Card, Feedback, Service
from cds_service.rules import Rule
from cds_service.store import Answered, Caller, Store


@dataclass(frozen=True, slots=True)
class Watch:
    """Keeps, counts and logs what happened."""

    store: Store
    metrics: Metrics

    def answered(self, caller: Caller, service: Service, advice: Advice, seconds: float) -> None:
        """Note a call that was answered; nobody waits for the database."""
        self._note(caller, service.id, advice, seconds, advice.response.cards, _keys(service, advice))

    def reviewed(self, caller: Caller, name: str, advice: Advice, seconds: float) -> None:
        """Note a Bundle that came without a call around it, under a name of its own; it issues no cards."""
        self._note(caller, name, advice, seconds, (), ())

    def _note(
        self, caller: Caller, name: str, advice: Advice, seconds: float, cards: Sequence[Card], keys: CallKeys
    ) -> None:
        review, milliseconds = advice.review, round(seconds * 1000, 1)
        self._keep(caller, name, advice, milliseconds, cards)
        self.metrics.called(name, seconds, _counted(advice, cards, keys))
        log.info(
            "call",
            client=caller.client,
            service=name,
            findings=_by_rule(review.findings),
            not_checked=_by_rule(review.not_checked),
            left_out=len(advice.unread),
            fetched=list(advice.fetched),
            milliseconds=milliseconds,
        )

    def _keep(self, caller: Caller, name: str, advice: Advice, milliseconds: float, cards: Sequence[Card]) -> None:
        review = advice.review
        answered = Answered(
            service=name,
            hook_instance=advice.hook_instance,
            rules=tuple(rule.id for rule, _ in review.findings),
            not_checked=tuple((rule.id, each.why) for rule, each in review.not_checked),
            milliseconds=milliseconds,
        )
        self.store.answered(caller, answered, cards)

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


def _by_rule(verdicts: Sequence[tuple[Rule, object]]) -> dict[str, int]:
    """How many verdicts there are of each rule."""
    return dict(Counter(rule.id for rule, _ in verdicts)) if verdicts else {}


def _counted(advice: Advice, cards: Sequence[Card], keys: CallKeys) -> Counted:
    return Counted(
        cards=[(card.source.topic.code if card.source.topic else "", card.indicator) for card in cards],
        not_checked=[(rule.id, each.why) for rule, each in advice.review.not_checked],
        keys=keys,
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
