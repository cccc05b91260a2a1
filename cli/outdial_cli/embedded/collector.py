"""Takes spans over OTLP/gRPC, appends them to a file as JSON lines, and answers look-ups over HTTP.

Runs in a process of its own (`python -m outdial_cli.embedded.collector`), so that a busy parent's interpreter lock
holds up no exporter. Look-ups: `GET /traces` {trace_id: spans}, `GET /traces/{trace_id}` [span, …],
`GET /spans?since=N` {"next": M, "spans": […]} in order of arrival, `GET /health`.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from outdial_cli.embedded.process import Child, ChildSpec, free_ports

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
STOP_SECONDS = 1.0


class SpanStore:
    """Every span, encoded once, by order of arrival and by trace."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._by_trace: dict[str, list[int]] = {}

    def add(self, spans: Iterable[dict[str, Any]]) -> None:
        """Keeps them and appends them to the file, which is flushed."""
        encoded = [(span["trace_id"], json.dumps(span, separators=(",", ":")).encode()) for span in spans]
        with self._lock:
            for trace_id, line in encoded:
                self._by_trace.setdefault(trace_id, []).append(len(self._lines))
                self._lines.append(line)
            self._out.write(b"".join(line + b"\n" for _, line in encoded))
            self._out.flush()

    def counts(self) -> dict[str, int]:
        """trace_id -> number of spans."""
        with self._lock:
            return {trace_id: len(places) for trace_id, places in self._by_trace.items()}

    def trace(self, trace_id: str) -> list[bytes]:
        """The spans of a trace as JSON; empty when it is unknown."""
        with self._lock:
            return [self._lines[place] for place in self._by_trace.get(trace_id, ())]

    def since(self, first: int) -> tuple[int, list[bytes]]:
        """(the number to ask with next time, spans from number `first` on)."""
        with self._lock:
            return len(self._lines), self._lines[max(0, first) :]


def spans_of(resources: Iterable[ResourceSpans]) -> Iterator[dict[str, Any]]:
    """Spans as the file and the look-up have them; ids in lower-case hex, times in ns since the epoch."""
    for resource in resources:
        service = attributes_of(resource.resource.attributes).get("service.name", "")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _span(span, str(service))


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes as JSON values; bytes as hex."""
    return {pair.key: _value(pair.value) for pair in pairs}


def look_up(store: SpanStore, target: str) -> tuple[int, bytes]:
    """(HTTP status, JSON body) of a GET."""
    parts = urlsplit(target)
    if parts.path == "/health":
        return 200, b"{}"
    if parts.path == "/traces":
        return 200, json.dumps(store.counts()).encode()
    if found := re.fullmatch(r"/traces/([0-9a-f]{32})", parts.path):
        return 200, _array(store.trace(found[1]))
    if parts.path == "/spans":
        since = parse_qs(parts.query).get("since", ["0"])[0]
        if not since.isdecimal():
            return 400, b'{"error":"since must be a number"}'
        following, lines = store.since(int(since))
        return 200, b'{"next":%d,"spans":%b}' % (following, _array(lines))
    return 404, b'{"error":"not found"}'


class CollectorNode:
    """The parent's side: start() and stop() of the collector's process."""

    def __init__(self, out: Path, *, log_path: Path | None = None, pid_file: Path | None = None) -> None:
        self.grpc_port, self.http_port = free_ports(2)
        self.out = out.absolute()
        command = (sys.executable, "-m", "outdial_cli.embedded.collector")
        ports = ("--grpc-port", str(self.grpc_port), "--http-port", str(self.http_port))
        self.child = Child(
            ChildSpec(
                name="collector",
                command=(*command, *ports, "--out", str(self.out)),
                log_path=log_path or self.out.with_suffix(".log"),
                ready=f"{self.url}/health",
                ready_timeout_seconds=30.0,
                pid_file=pid_file,
            )
        )

    @property
    def endpoint(self) -> str:
        """For OTLP exporters (gRPC, no TLS)."""
        return f"http://127.0.0.1:{self.grpc_port}"

    @property
    def url(self) -> str:
        """Base of the look-ups."""
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Raises ChildFailed."""
        self.child.start()

    def stop(self) -> None:
        """Everything received is in the file afterwards."""
        self.child.stop()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, store: SpanStore) -> None:
        self._store = store

    def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        self._store.add(spans_of(request.resource_spans))
        return trace_service_pb2.ExportTraceServiceResponse()


class _LookUpServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, store: SpanStore) -> None:
        super().__init__(("127.0.0.1", port), _LookUp)
        self.store = store


class _LookUp(BaseHTTPRequestHandler):
    server: _LookUpServer

    def do_GET(self) -> None:
        status, body = look_up(self.server.store, self.path)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """A look-up is not worth a line."""


def serve(grpc_port: int, http_port: int, out: Path) -> None:
    """Serves until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("ab") as file:
        store = SpanStore(file)
        sink = grpc.server(ThreadPoolExecutor(4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(store), sink)  # type: ignore[no-untyped-call]
        sink.add_insecure_port(f"127.0.0.1:{grpc_port}")
        sink.start()
        with _LookUpServer(http_port, store) as look_ups:
            threading.Thread(target=look_ups.serve_forever, daemon=True).start()
            ended.wait()
            sink.stop(STOP_SECONDS).wait()
            look_ups.shutdown()


def main() -> None:
    """The collector's process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    serve(options.grpc_port, options.http_port, options.out)


def _span(span: Span, service: str) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex(),
        "service": service,
        "name": span.name,
        "kind": KINDS[span.kind],
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "attributes": attributes_of(span.attributes),
        "links": [{"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()} for link in span.links],
        "status": STATUSES[span.status.code],
    }


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return None if kind is None else getattr(value, kind)


def _array(lines: list[bytes]) -> bytes:
    return b"[" + b",".join(lines) + b"]"


if __name__ == "__main__":
    main()
