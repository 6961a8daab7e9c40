"""What is said about calls afterwards: the log, the metrics, the audit log and the cards that were issued.

All of it speaks of rules, services and counts, and none of the patient.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cds_service.advice import Advice
from cds_service.errors import StoreUnavailable
from cds_service.logs import log
from cds_service.metrics import Counted, Metrics
from cds_service.protocol import Card, Feedback, Service
from cds_service.store import Answered, Caller, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is said of a call: little, and nothing of what was read, which can go before it is said.

    `findings` and `not_checked` name the rule, and the kind of reason; `keys` what became of each key of prefetch.
    """

    name: str
    seconds: float
    findings: Sequence[str]
    not_checked: Sequence[tuple[str, str]]
    left_out: int
    fetched: Sequence[str]
    hook_instance: str | None
    cards: Sequence[Card] = ()
    keys: Sequence[tuple[str, str]] = ()

    @property
    def milliseconds(self) -> float:
        """How long the call took, as it is told."""
        return round(self.seconds * 1000, 1)


def noted_of_call(service: Service, advice: Advice, seconds: float) -> Noted:
    """What is said of a call of a service, which took so many seconds."""
    bare = noted_of_bundle(service.id, advice, seconds)
    return replace(bare, cards=advice.response.cards, keys=tuple(_keys(service, advice)))


def noted_of_bundle(name: str, advice: Advice, seconds: float) -> Noted:
    """The same of a Bundle that came without a call around it, under a name of its own; it issues no cards."""
    review = advice.review
    return Noted(
        name=name,
        seconds=seconds,
        findings=tuple(rule.id for rule, _ in review.findings),
        not_checked=tuple((rule.id, each.why) for rule, each in review.not_checked),
        left_out=len(advice.unread),
        fetched=advice.fetched,
        hook_instance=advice.hook_instance,
    )


@dataclass(frozen=True, slots=True)
class Watch:
    """Keeps, counts and logs what happened."""

    store: Store
    metrics: Metrics

    def answered(self, caller: Caller, noted: Noted) -> None:
        """Note a call that was answered; nobody waits for the database."""
        self.store.answered(caller, _row(noted), noted.cards)
        self.metrics.called(noted.name, noted.seconds, _counted(noted))
        log.info(
            "call",
            client=caller.client,
            service=noted.name,
            findings=_numbers(noted.findings),
            not_checked=_numbers([rule for rule, _ in noted.not_checked]),
            left_out=noted.left_out,
            fetched=list(noted.fetched),
            milliseconds=noted.milliseconds,
        )

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


def _numbers(rules: Sequence[str]) -> dict[str, int]:
    """How often each rule is named."""
    return dict(Counter(rules)) if rules else {}


def _row(noted: Noted) -> Answered:
    return Answered(
        service=noted.name,
        hook_instance=noted.hook_instance,
        rules=noted.findings,
        not_checked=noted.not_checked,
        milliseconds=noted.milliseconds,
    )


def _counted(noted: Noted) -> Counted:
    cards = [(card.source.topic.code if card.source.topic else "", card.indicator) for card in noted.cards]
    return Counted(cards=cards, not_checked=noted.not_checked, keys=noted.keys)


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
