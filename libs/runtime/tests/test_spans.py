"""Whatever an attempt causes lies in its trace, whoever causes it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from outdial_runtime.spans import Spans, remote_context

ATTEMPT, OTHER = (str(uuid.UUID(int=n << 64 | n)) for n in (7, 9))
TRACE = uuid.UUID(ATTEMPT).hex


class Traced:
    """Spans and what they exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.spans = Spans("pacer", "pacer-0", exporter=self._exporter)

    def finished(self) -> dict[str, ReadableSpan]:
        self.spans.flush()
        return {span.name: span for span in self._exporter.get_finished_spans()}


@pytest.fixture
def traced() -> Iterator[Traced]:
    traced = Traced()
    yield traced
    traced.spans.flush()


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


def test_event_of_an_attempt_outside_any_span_gets_a_root_in_the_attempts_trace(traced: Traced) -> None:
    traceparent = traced.spans.publish("call.dial", ATTEMPT)
    span = traced.finished()["call.dial publish"]
    assert traceparent == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert (span.parent, span.kind, list(span.links)) == (None, SpanKind.PRODUCER, [])


def test_event_within_its_own_trace_is_caused_by_the_current_span(traced: Traced) -> None:
    parent = f"00-{TRACE}-00000000000000aa-01"
    with traced.spans.incoming("lead.ready process", SpanKind.CONSUMER, parent, ATTEMPT, {}):
        traceparent = traced.spans.publish("compliance.cleared", ATTEMPT)
    spans = traced.finished()
    consumer = spans["lead.ready process"]
    assert list(spans) == ["lead.ready process"]
    assert consumer.parent is not None
    assert consumer.parent.span_id == 0xAA
    assert traceparent == f"00-{TRACE}-{consumer.context.span_id:016x}-01"


def test_event_of_another_attempt_goes_to_that_attempts_trace_with_a_link_back(traced: Traced) -> None:
    with traced.spans.incoming("call.ended process", SpanKind.CONSUMER, None, ATTEMPT, {}):
        traceparent = traced.spans.publish("call.dial", OTHER)
    spans = traced.finished()
    published, consumer = spans["call.dial publish"], spans["call.ended process"]
    assert trace_of(published) == uuid.UUID(OTHER).hex
    assert traceparent is not None
    assert uuid.UUID(OTHER).hex in traceparent
    assert published.parent is None
    assert [link.context.span_id for link in published.links] == [consumer.context.span_id]
    assert trace_of(consumer) == TRACE


def test_event_without_an_attempt_stays_in_the_current_trace(traced: Traced) -> None:
    assert traced.spans.publish("pacing.demand", None) is None
    with traced.spans.incoming("tick", SpanKind.INTERNAL, None, ATTEMPT, {}):
        traceparent = traced.spans.publish("pacing.demand", None)
    assert traceparent is not None
    assert TRACE in traceparent


async def test_child_span_and_what_is_injected_in_it_lie_in_the_attempts_trace(traced: Traced) -> None:
    async with traced.spans.child_span("sip invite", ATTEMPT):
        inner = traced.spans.inject(ATTEMPT)
    outside = traced.spans.inject(ATTEMPT)
    spans = traced.finished()
    assert inner == f"00-{TRACE}-{spans['sip invite'].context.span_id:016x}-01"
    assert outside == f"00-{TRACE}-{spans['attempt enter'].context.span_id:016x}-01"


def test_span_of_a_failure_keeps_the_type_and_not_the_text(traced: Traced) -> None:
    with (
        pytest.raises(ValueError, match="555"),
        traced.spans.incoming("lead.ready process", SpanKind.CONSUMER, None, ATTEMPT, {}),
    ):
        raise ValueError("+12125550123")
    span = traced.finished()["lead.ready process"]
    assert not span.status.is_ok
    assert "2125550123" not in f"{span.status.description} {span.to_json()}"  # ids and times are digits too


@pytest.mark.parametrize("bad", [None, "", "00-0-0-01", f"00-{'0' * 32}-00000000000000aa-01", f"01-{TRACE}-aa"])
def test_malformed_traceparent_is_no_parent(bad: str | None) -> None:
    assert remote_context(bad) is None


def test_id_that_is_no_uuid_makes_no_trace_of_its_own(traced: Traced) -> None:
    assert traced.spans.publish("call.dial", "not-a-uuid") is None
