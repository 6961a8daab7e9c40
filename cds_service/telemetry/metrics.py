"""Prometheus metrics for `/metrics`, aggregated over all workers. Labels never hold client data."""

import os
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

from cds_service.telemetry.calls import CallSummary

# Environment variable for the folder of shared counter files, set by `cds-service serve`.
MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

# Label for override reasons that are not ours, since those codes come from the client.
OTHER_REASON = "other"

# Label for code systems that are not ours: senders choose their URIs, which could name anything and be many.
OTHER_SYSTEM = "other"

_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one process. `reasons` are the codes of our override reasons, `systems` our code systems."""

    def __init__(self, reasons: frozenset[str] = frozenset(), systems: frozenset[str] = frozenset()) -> None:
        # Imported here because the library reads the shared folder's variable on import, which only workers may do.
        from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415

        self._registry = CollectorRegistry()
        self._reasons = reasons
        self._systems = systems

        def counter(name: str, text: str, *labels: str) -> Any:
            return cache(Counter(name, text, labels, registry=self._registry).labels)  # looked up nine times per call

        seconds = Histogram(
            "cds_call_seconds", "Duration of a call in seconds", ["service"], buckets=_SECONDS, registry=self._registry
        )
        self._seconds = cache(seconds.labels)
        self._cards = counter("cds_cards", "Issued cards", "service", "rule", "indicator")
        self._not_checked = counter(
            "cds_not_checked", "Questions that rules could not decide", "service", "rule", "why"
        )
        self._not_understood = counter(
            "cds_not_understood", "Records that were not understood, by kind and code system", "kind", "system"
        )
        self._keys = counter("cds_prefetch", "Prefetch keys by source: sent, fetched, lacking or unsent", "key", "how")
        self._feedback = counter("cds_feedback", "Outcomes of cards from user feedback", "service", "outcome", "reason")
        self._errors = counter("cds_http_errors", "Responses with status 400 or higher", "status")
        self._auth_failures = counter("cds_auth_failures", "Calls without a valid token or permission", "reason")
        self._lost = counter("cds_not_kept", "Calls and feedback not stored in the database", "what")

    def count_call(self, call: CallSummary) -> None:
        """Count an answered call."""
        self._seconds(call.service).observe(call.seconds)
        for (rule, indicator), number in Counter((card.rule, card.indicator) for card in call.cards).items():
            self._cards(call.service, rule, indicator).inc(number)
        for (rule, why), number in Counter(call.not_checked).items():
            self._not_checked(call.service, rule, why).inc(number)
        for kind, system, number in call.not_understood:
            self._not_understood(kind, system if system in self._systems else OTHER_SYSTEM).inc(number)
        for key, how in call.keys:
            self._keys(key, how).inc()

    def count_feedback(self, service: str, items: Iterable[tuple[str, str | None]]) -> None:
        """Count feedback by outcome and the code of the reason."""
        for outcome, code in items:
            reason = "" if code is None else code if code in self._reasons else OTHER_REASON
            self._feedback(service, outcome, reason).inc()

    def count_error(self, status: int) -> None:
        """Count an error response."""
        self._errors(str(status)).inc()

    def count_auth_failure(self, reason: str) -> None:
        """Count a rejected call by the invalid claim or header member."""
        self._auth_failures(reason).inc()

    def count_lost(self, what: str, number: int = 1) -> None:
        """Count data not stored in the database: `call` in rows, `feedback` in requests."""
        self._lost(what).inc(number)

    def text(self) -> bytes:
        """The metrics of all workers in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        if MULTIPROCESS_FOLDER not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
