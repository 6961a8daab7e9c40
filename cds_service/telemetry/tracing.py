"""Traces of calls through OpenTelemetry, where the extra `otel` is installed and CDS_TRACES is on; else nothing.

Where traces go is said by OpenTelemetry's own variables, such as OTEL_EXPORTER_OTLP_ENDPOINT.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

_tracer: ContextVar[Any] = ContextVar("tracer", default=None)


class Tracing:
    """Makes spans around the parts of a call. `tracer` is None where there are no traces."""

    def __init__(self, tracer: Any = None) -> None:
        self._tracer = tracer

    @contextmanager
    def call(self, service: str, traceparent: str | None) -> Iterator[None]:
        """A span around a call, within the trace that the caller is in. Spans of its parts are made by `span`."""
        if self._tracer is None:
            yield
            return
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        # Of the caller's headers only the trace's own number is taken: others may hold anything.
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
    """A span around a part of the call that is being answered."""
    tracer = _tracer.get()
    if tracer is None:
        return nullcontext()
    named = {f"cds.{key}": value for key, value in attributes.items()}
    return tracer.start_as_current_span(name, attributes=named, record_exception=False, set_status_on_exception=False)


def is_installed() -> bool:
    """Whether the extra `otel` is there."""
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None


def start() -> Tracing:
    """Send spans to a collector, from a thread of its own."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "contrast-echo-cds"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider.get_tracer("cds_service"))
