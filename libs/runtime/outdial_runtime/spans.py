"""Spans: all about an attempt lies in the trace whose id is the attempt's 16 bytes (architecture.md, Identity)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

from outdial_contracts.headers import TRACEPARENT

EXPORT_DELAY_MS = 200
Attributes = Mapping[str, str | int]

_root_trace: ContextVar[int | None] = ContextVar("root_trace", default=None)


class _AttemptIds(RandomIdGenerator):
    """Random ids, but a root span started for an attempt gets the attempt's trace id."""

    def generate_trace_id(self) -> int:
        return _root_trace.get() or super().generate_trace_id()


class Spans:
    """The tracing path of one process; without endpoint or exporter spans exist only to hand on their ids."""

    def __init__(
        self, service: str, instance: str, endpoint: str | None = None, exporter: SpanExporter | None = None
    ) -> None:
        resource = Resource.create({"service.name": service, "service.instance.id": instance})
        self._provider = TracerProvider(resource=resource, id_generator=_AttemptIds(), shutdown_on_exit=False)
        if exporter is None and endpoint is not None:
            exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True, timeout=2)
        if exporter is not None:
            self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_DELAY_MS))
        self._tracer = self._provider.get_tracer("outdial_runtime")

    @contextmanager
    def incoming(
        self, name: str, kind: SpanKind, traceparent: str | None, attempt_id: str | None, attributes: Attributes
    ) -> Iterator[Span]:
        """A span caused from outside: child of `traceparent`, else root of the attempt's trace, else of a new one."""
        with self.within(self.begin(name, kind, traceparent, attempt_id, attributes)) as span:
            yield span

    def begin(
        self, name: str, kind: SpanKind, traceparent: str | None, attempt_id: str | None, attributes: Attributes
    ) -> Span:
        """As `incoming`, but not current before `within` and not ended before its end."""
        parent = remote_context(traceparent)
        with _rooted(attempt_trace(attempt_id) if parent is None else None):
            return self._tracer.start_span(name, context=parent or Context(), kind=kind, attributes=attributes)

    def within(self, span: Span) -> Within:
        """Makes a begun span the current one, and ends it; a failure marks it with its type."""
        return Within(span)

    def publish(self, topic: str, attempt_id: str | None) -> str | None:
        """The traceparent of an event about to be produced (outdial_runtime.records.Traces)."""
        if attempt_trace(attempt_id) is None:
            current = trace.get_current_span().get_span_context()
            return traceparent_of(current) if current.is_valid else None
        return self._within(attempt_id, f"{topic} publish", SpanKind.PRODUCER)

    def inject(self, attempt_id: str) -> str:
        """A traceparent within the attempt's trace, child of the current span where that is in the same trace."""
        return self._within(attempt_id, "attempt enter", SpanKind.INTERNAL)

    @asynccontextmanager
    async def child_span(self, name: str, attempt_id: str) -> AsyncIterator[None]:
        """A span in the attempt's trace around what the service does itself."""
        with self._started(attempt_id, name, SpanKind.INTERNAL):
            yield

    def flush(self) -> None:
        """Exports what is left and closes the exporter."""
        self._provider.shutdown()

    def _within(self, attempt_id: str | None, name: str, kind: SpanKind) -> str:
        current = trace.get_current_span().get_span_context()
        if current.is_valid and current.trace_id == attempt_trace(attempt_id):
            return traceparent_of(current)
        with self._started(attempt_id, name, kind) as span:
            return traceparent_of(span.get_span_context())

    @contextmanager
    def _started(self, attempt_id: str | None, name: str, kind: SpanKind) -> Iterator[Span]:
        """A child in the attempt's trace, or its root linked to where we come from."""
        wanted = attempt_trace(attempt_id)
        current = trace.get_current_span().get_span_context()
        inside = wanted is None or (current.is_valid and current.trace_id == wanted)
        links = [Link(current)] if current.is_valid and not inside else []
        with (
            _rooted(None if inside else wanted),
            self._span(name, None if inside else Context(), kind, links=links) as span,
        ):
            yield span

    @contextmanager
    def _span(
        self,
        name: str,
        context: Context | None,
        kind: SpanKind,
        *,
        attributes: Attributes | None = None,
        links: Sequence[Link] = (),
    ) -> Iterator[Span]:
        span = self._tracer.start_span(name, context=context, kind=kind, attributes=attributes, links=links)
        with self.within(span):
            yield span


def attempt_trace(attempt_id: str | None) -> int | None:
    """The attempt's trace id; None for what is no attempt id."""
    try:
        return uuid.UUID(attempt_id).int or None if attempt_id else None
    except ValueError:
        return None


def traceparent_of(context: SpanContext) -> str:
    """W3C trace context, level 1."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 1:02x}"


def remote_context(traceparent: str | None) -> Context | None:
    """The context a traceparent names; None for none or a malformed one."""
    match = TRACEPARENT.fullmatch(traceparent or "")
    if match is None or not int(match[1], 16) or not int(match[2], 16):
        return None
    remote = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=TraceFlags(1))
    return trace.set_span_in_context(NonRecordingSpan(remote), Context())


class Within:
    """A span that is the current one inside, and ended outside."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._token = attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """A failure marks the span with its type: its text may hold a number."""
        detach(self._token)
        if isinstance(error, Exception):
            self._span.set_status(StatusCode.ERROR, type(error).__name__)
        self._span.end()


@contextmanager
def _rooted(trace_id: int | None) -> Iterator[None]:
    token = _root_trace.set(trace_id)
    try:
        yield
    finally:
        _root_trace.reset(token)
