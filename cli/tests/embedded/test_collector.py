"""Spans in over OTLP, JSON lines and look-ups out."""

from __future__ import annotations

import io
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, StatusCode

from outdial_cli.embedded.collector import CollectorNode, SpanStore, look_up, spans_of

TRACE, OTHER = "0af7651916cd43dd8448eb211c80319c", "1" * 32


def span(trace_id: str = TRACE, **more: Any) -> Span:
    return Span(trace_id=bytes.fromhex(trace_id), span_id=bytes(7) + b"\x01", name="lead.ready process", **more)


def resource_spans(*spans: Span, service: str = "pacer") -> ResourceSpans:
    named = KeyValue(key="service.name", value=AnyValue(string_value=service))
    return ResourceSpans(resource=ResourceMessage(attributes=[named]), scope_spans=[ScopeSpans(spans=spans)])


def stored(*spans: Span) -> tuple[SpanStore, io.BytesIO]:
    out = io.BytesIO()
    store = SpanStore(out)
    store.add(spans_of([resource_spans(*spans)]))
    return store, out


def test_span_keeps_ids_times_links_kind_and_status() -> None:
    many = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(bool_value=True)]))
    full = span(
        parent_span_id=b"\x02" * 8,
        kind=Span.SPAN_KIND_CONSUMER,
        start_time_unix_nano=5,
        end_time_unix_nano=9,
        attributes=[KeyValue(key="many", value=many), KeyValue(key="raw", value=AnyValue(bytes_value=b"\xff"))],
        links=[Span.Link(trace_id=bytes.fromhex(OTHER), span_id=b"\x03" * 8)],
        status=Status(code=Status.STATUS_CODE_ERROR),
    )
    assert list(spans_of([resource_spans(full)])) == [
        {
            "trace_id": TRACE,
            "span_id": "0000000000000001",
            "parent_id": "02" * 8,
            "service": "pacer",
            "name": "lead.ready process",
            "kind": "consumer",
            "start_ns": 5,
            "end_ns": 9,
            "attributes": {"many": [1, True], "raw": "ff"},
            "links": [{"trace_id": OTHER, "span_id": "03" * 8}],
            "status": "error",
        }
    ]


def test_file_has_one_line_per_span() -> None:
    _, out = stored(span(), span(OTHER))
    assert [json.loads(line)["trace_id"] for line in out.getvalue().splitlines()] == [TRACE, OTHER]


def test_look_up_by_trace_gives_that_trace_only() -> None:
    store, _ = stored(span(), span(OTHER), span())
    status, body = look_up(store, f"/traces/{TRACE}")
    assert (status, [one["trace_id"] for one in json.loads(body)]) == (200, [TRACE, TRACE])
    assert look_up(store, "/traces") == (200, json.dumps({TRACE: 2, OTHER: 1}).encode())
    assert look_up(store, f"/traces/{'2' * 32}") == (200, b"[]")


def test_reader_that_asks_with_next_sees_every_span_once() -> None:
    store, _ = stored(span())
    first = json.loads(look_up(store, "/spans?since=0")[1])
    store.add(spans_of([resource_spans(span(OTHER))]))
    second = json.loads(look_up(store, f"/spans?since={first['next']}")[1])
    assert [one["trace_id"] for one in first["spans"] + second["spans"]] == [TRACE, OTHER]
    assert json.loads(look_up(store, f"/spans?since={second['next']}")[1]) == {"next": 2, "spans": []}


@pytest.mark.parametrize("target, status", [("/spans?since=x", 400), ("/traces/short", 404), ("/", 404)])
def test_bad_question_is_answered_as_such(target: str, status: int) -> None:
    assert look_up(stored()[0], target)[0] == status


@pytest.mark.stack
def test_sdk_exports_into_the_process_and_the_file_survives_it(tmp_path: Path) -> None:
    node = CollectorNode(tmp_path / "traces.jsonl")
    node.start()
    try:
        provider = TracerProvider(resource=Resource.create({"service.name": "compliance-gate"}))
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=node.endpoint, insecure=True)))
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("parent", kind=SpanKind.PRODUCER) as parent:
            context = parent.get_span_context()
            with tracer.start_as_current_span("child", links=[Link(context)]) as child:
                child.set_status(StatusCode.ERROR)
        provider.shutdown()
        trace_id = format(context.trace_id, "032x")
        with urllib.request.urlopen(f"{node.url}/traces/{trace_id}", timeout=5) as reply:
            found = {one["name"]: one for one in json.load(reply)}
    finally:
        node.stop()
    assert found["child"]["parent_id"] == found["parent"]["span_id"] == found["child"]["links"][0]["span_id"]
    assert (found["parent"]["kind"], found["child"]["status"]) == ("producer", "error")
    assert {one["service"] for one in found.values()} == {"compliance-gate"}
    assert len((tmp_path / "traces.jsonl").read_text().splitlines()) == 2
