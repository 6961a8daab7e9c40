"""OpenTelemetry traces of calls, if the `otel` extra is installed and CDS_TRACES is on.

OpenTelemetry's own variables, such as OTEL_EXPORTER_OTLP_ENDPOINT, set the destination.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

_tracer: ContextVar[Any] = ContextVar("tracer", default=None)


class Tracing:
    """Creates the spans of calls. `tracer` is None if tracing is off."""

    def __init__(self, tracer: Any = None) -> None:
        self._tracer = tracer

    @contextmanager
    def call(self, service: str, traceparent: str | None) -> Iterator[None]:
        """A span around a call, within the client's trace. Use `span` for parts of the call."""
        if self._tracer is None:
            yield
            return
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        # Only `traceparent` is used; other headers may hold anything.
        within = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
        token = _tracer.set(self._tracer)
        try:
            with self._tracer.start_as_current_span(
                "call",
                context=within,
                attributes={"cds.service": service},
                record_exception=False,
                set_status_on_exception=False,
            ):
                yield
        finally:
            _tracer.reset(token)


def span(name: str, **attributes: Any) -> Any:
    """A span around a part of the current call."""
    tracer = _tracer.get()
    if tracer is None:
        return nullcontext()
    named = {f"cds.{key}": value for key, value in attributes.items()}
    return tracer.start_as_current_span(name, attributes=named, record_exception=False, set_status_on_exception=False)


def is_installed() -> bool:
    """True if the `otel` extra is installed."""
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None


def start() -> Tracing:
    """Start sending spans to a collector, from a background thread."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "contrast-echo-cds"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider.get_tracer("cds_service"))
