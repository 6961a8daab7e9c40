"""What Prometheus reads at `/metrics`: counted over all workers, and no label holds what a caller sent."""

import os
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

from cds_service.telemetry.calls import CallSummary

# Where the workers write what they count, so that any of them can add it all up; `cds-service serve` makes it.
SHARED = "PROMETHEUS_MULTIPROC_DIR"

# The reasons for overriding that are not ours; their codes are the client's own.
OTHER_REASON = "other"

_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The numbers of one process. `reasons` are the codes of the override reasons that cards offer."""

    def __init__(self, reasons: frozenset[str] = frozenset()) -> None:
        # Imported here: the library looks for the shared directory when it is imported, and only workers may do that.
        from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415

        self._registry = CollectorRegistry()
        self._reasons = reasons

        def counter(name: str, text: str, *labels: str) -> Any:
            return cache(Counter(name, text, labels, registry=self._registry).labels)  # looked up nine times a call

        seconds = Histogram(
            "cds_call_seconds", "Time that a call took", ["service"], buckets=_SECONDS, registry=self._registry
        )
        self._seconds = cache(seconds.labels)
        self._cards = counter("cds_cards", "Cards that were issued", "service", "rule", "indicator")
        self._not_checked = counter(
            "cds_not_checked", "Questions that a rule could not decide", "service", "rule", "why"
        )
        self._keys = counter("cds_prefetch", "Keys of prefetch: sent, fetched, lacking or unsent", "key", "how")
        self._feedback = counter("cds_feedback", "What users did with cards", "service", "outcome", "reason")
        self._errors = counter("cds_http_errors", "Answers with a status of 400 and above", "status")
        self._strangers = counter("cds_auth_failures", "Calls that did not prove who makes them, or may not", "reason")
        self._lost = counter("cds_not_kept", "Calls and feedback that the database did not take", "what")

    def called(self, call: CallSummary) -> None:
        """Count an answered call."""
        self._seconds(call.service).observe(call.seconds)
        for (rule, indicator), number in Counter((card.rule, card.indicator) for card in call.cards).items():
            self._cards(call.service, rule, indicator).inc(number)
        for (rule, why), number in Counter(call.not_checked).items():
            self._not_checked(call.service, rule, why).inc(number)
        for key, how in call.keys:
            self._keys(key, how).inc()

    def took_feedback(self, service: str, items: Iterable[tuple[str, str | None]]) -> None:
        """Count feedback by outcome and the code of the reason."""
        for outcome, code in items:
            reason = "" if code is None else code if code in self._reasons else OTHER_REASON
            self._feedback(service, outcome, reason).inc()

    def refused(self, status: int) -> None:
        """Count an answer that is an error."""
        self._errors(str(status)).inc()

    def not_admitted(self, reason: str) -> None:
        """Count a call that was turned away at the door, by the claim or header member at fault."""
        self._strangers(reason).inc()

    def lost(self, what: str, number: int = 1) -> None:
        """Count what the database did not take: a `call` in rows, `feedback` in requests."""
        self._lost(what).inc(number)

    def text(self) -> bytes:
        """Everything that was counted, by this worker and all others, in Prometheus' text form."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        if SHARED not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
