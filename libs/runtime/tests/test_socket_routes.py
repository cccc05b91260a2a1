"""A socket route on the runtime's HTTP port: told what the handler yields, closed when one of both goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from outdial_runtime.config import RunConfig
from outdial_runtime.health import Health
from outdial_runtime.host import Host
from outdial_runtime.http_server import LONGEST_MESSAGE_BYTES, HttpServer, application
from outdial_runtime.metrics import Metrics
from outdial_runtime.requests import Requests
from outdial_runtime.service import Answer, HttpReply, HttpRoute, Request, Service, SocketRoute
from outdial_runtime.socket_routes import SocketRoutes
from outdial_runtime.spans import Spans
from outdial_runtime.surroundings import Surroundings
from outdial_testing import MemoryBroker
from outdial_testing.virtual_clock import SeededChance, VirtualClock

PATIENCE_SECONDS = 10.0
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(kw_only=True)
class Said:
    """What the handler says, and whether somebody still listens."""

    words: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    listening: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)


async def live(request: Request, deps: Said) -> AsyncIterator[str]:
    deps.listening += 1
    try:
        yield f"{request.path['room']} {request.query.get('n', '')}"
        while (word := await deps.words.get()) != "end":
            if word == "fault":
                raise ValueError("+12125550123")
            yield word
    finally:
        deps.listening -= 1
        deps.closed.set()


async def page(request: Request, deps: Said) -> Answer:
    return Answer(reply=HttpReply(body="<p>", content_type="text/html", headers={"x-own": "1"}))


async def book(request: Request, deps: Said) -> Answer:
    return Answer(reply=HttpReply(body=pages(request, deps), content_type="text/csv"))


async def pages(request: Request, deps: Said) -> AsyncIterator[bytes]:
    async for word in live(request, deps):
        yield word.encode()


BOOK = HttpRoute(method="GET", path="/books/{room}", handler=book)
LIVE = SocketRoute(path="/live/{room}", handler=live)
PAGE = HttpRoute(method="GET", path="/page", handler=page)


@dataclass(kw_only=True)
class Site:
    """A running service, its port, and how to end it."""

    said: Said
    port: int
    stop: asyncio.Event
    ended: asyncio.Task[None]
    metrics: Metrics
    spans: Spans
    exporter: InMemorySpanExporter

    def connect(self, path: str = "/live/a?n=1", *, origin: str | None = None, **more: Any) -> connect:
        address = f"ws://127.0.0.1:{self.port}{path}"
        return connect(address, origin=Origin(origin) if origin else None, proxy=None, **more)

    async def gone(self) -> None:
        """Returns once the handler was closed."""
        await asyncio.wait_for(self.said.closed.wait(), PATIENCE_SECONDS)
        assert self.said.listening == 0


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    said, stop, exporter = Said(), asyncio.Event(), InMemorySpanExporter()

    @asynccontextmanager
    async def build(toolkit: Any) -> AsyncIterator[Said]:
        yield said

    service = Service(name="sample", build=build, requests=(LIVE, PAGE, BOOK))
    spans = Spans("sample", "sample-0", exporter=exporter)
    config = RunConfig(service_name="sample", kafka_bootstrap="memory", http_port=0)
    host = Host(service, config, MemoryBroker(VirtualClock()), clock=VirtualClock(), chance=SeededChance(), spans=spans)
    task = asyncio.create_task(host.run(stop))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while host.http_port is None:
            await asyncio.sleep(0.01)
    await listening(host.http_port)
    yield Site(
        said=said, port=host.http_port, stop=stop, ended=task, metrics=host.metrics, spans=spans, exporter=exporter
    )
    stop.set()
    await asyncio.wait_for(task, PATIENCE_SECONDS)
    spans.flush()


async def heard(client: ClientConnection) -> str | bytes:
    return await asyncio.wait_for(client.recv(), PATIENCE_SECONDS)


async def close_code(client: ClientConnection) -> int | None:
    """What the server closes with, after whatever it still says."""
    try:
        while True:
            await heard(client)
    except ConnectionClosed:
        return client.close_code


async def listening(port: int) -> None:
    """Returns once somebody takes connections there."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return await writer.wait_closed()


async def test_what_the_handler_yields_is_told_in_order_and_its_end_is_a_normal_close(site: Site) -> None:
    async with site.connect() as client:
        assert await heard(client) == "a 1"
        for word in ("one", "two", "end"):
            site.said.words.put_nowait(word)
        assert [await heard(client) for _ in range(2)] == ["one", "two"]
        assert await close_code(client) == 1000


async def test_compression_is_not_agreed_to(site: Site) -> None:
    async with site.connect(compression="deflate") as client:
        assert client.response is not None
        assert "sec-websocket-extensions" not in client.response.headers


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_goes_ends_its_handler_and_leaves_no_task(site: Site, politely: bool) -> None:
    before = asyncio.all_tasks()
    async with site.connect() as client:
        await heard(client)
        assert site.said.listening == 1
        if not politely:
            client.transport.abort()
    await site.gone()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.01)


async def test_what_a_client_says_is_not_heard_and_a_ping_is_answered(site: Site) -> None:
    async with site.connect() as client:
        await heard(client)
        for _ in range(100):
            await client.send("x" * 1000)
        await asyncio.wait_for(await client.ping(), PATIENCE_SECONDS)
        site.said.words.put_nowait("still")
        assert await heard(client) == "still"


@pytest.mark.parametrize("fragments", [1, 4])
async def test_a_message_longer_than_a_client_may_send_closes(site: Site, fragments: int) -> None:
    async with site.connect() as client:
        await heard(client)
        await client.send(["x" * (LONGEST_MESSAGE_BYTES // fragments + 1)] * fragments)
        assert await close_code(client) == 1009
    await site.gone()


async def test_a_handler_that_raises_closes_without_its_words(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.connect() as client:
        await heard(client)
        site.said.words.put_nowait("fault")
        assert await close_code(client) == 1011
        assert client.close_reason == ""
    assert "+1212" not in caplog.text
    assert b'outdial_requests_total{method="SOCKET /live/{room}",status="ERROR"} 1.0' in site.metrics.text()


@pytest.mark.parametrize(
    "path, origin, status",
    [("/none", None, 404), ("/page", None, 404), ("/live/a", "http://elsewhere.test", 403), ("/live/a", "null", 403)],
)
async def test_no_such_path_and_no_other_origin(site: Site, path: str, origin: str | None, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await site.connect(path, origin=origin)
    assert refused.value.response.status_code == status
    assert site.said.listening == 0


async def test_a_page_of_the_same_origin_is_served(site: Site) -> None:
    async with site.connect(origin=f"http://127.0.0.1:{site.port}") as client:
        assert await heard(client) == "a 1"


async def test_a_drain_says_going_away_and_does_not_wait_for_viewers(site: Site) -> None:
    async with site.connect() as client:
        await heard(client)
        site.stop.set()
        assert await close_code(client) == 1001
        await asyncio.wait_for(site.ended, PATIENCE_SECONDS)
        assert site.said.closed.is_set()


async def test_a_drain_ends_the_handler_of_a_viewer_who_stopped_reading(site: Site) -> None:
    async with site.connect(max_queue=1) as client:
        await heard(client)
        client.transport.pause_reading()
        for _ in range(40):
            site.said.words.put_nowait("x" * 1_000_000)
        async with asyncio.timeout(PATIENCE_SECONDS):
            left = -1
            while left != site.said.words.qsize():
                left = site.said.words.qsize()
                await asyncio.sleep(0.2)
        assert left
        site.stop.set()
        await asyncio.wait_for(site.ended, PATIENCE_SECONDS)
        assert site.said.closed.is_set()
        client.transport.abort()


async def test_a_handshake_is_counted_timed_and_traced_as_a_request_is(site: Site) -> None:
    async with site.connect(additional_headers={"traceparent": TRACEPARENT}) as client:
        await heard(client)
        metrics = site.metrics.text()
        assert b'outdial_requests_total{method="SOCKET /live/{room}",status="101"} 1.0' in metrics
        assert b'outdial_request_seconds_count{method="SOCKET /live/{room}"} 1.0' in metrics
        site.spans.flush()
        (span,) = site.exporter.get_finished_spans()
    assert (span.name, f"{span.context.trace_id:032x}") == ("SOCKET /live/{room}", TRACEPARENT.split("-")[1])


async def test_a_reply_carries_its_own_headers(site: Site) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        reply = await client.get(f"http://127.0.0.1:{site.port}/page")
    assert (reply.headers["x-own"], reply.headers["content-type"]) == ("1", "text/html; charset=utf-8")


async def test_a_body_is_sent_as_it_comes_and_one_that_fails_does_not_end_as_if_it_were_whole(site: Site) -> None:
    address = f"http://127.0.0.1:{site.port}/books/a?n=1"
    async with httpx.AsyncClient(trust_env=False) as client:
        async with client.stream("GET", address) as reply:
            chunks = reply.aiter_bytes()
            assert (reply.headers["content-type"], await anext(chunks)) == ("text/csv; charset=utf-8", b"a 1")
            site.said.words.put_nowait("more")
            assert await anext(chunks) == b"more"
            site.said.words.put_nowait("end")
            assert [chunk async for chunk in chunks] == []
        await site.gone()
        async with client.stream("GET", address) as reply:
            site.said.words.put_nowait("fault")
            with pytest.raises(httpx.RemoteProtocolError):
                await reply.aread()
    assert b'outdial_requests_total{method="GET /books/{room}",status="ERROR"} 1.0' in site.metrics.text()


@asynccontextmanager
async def door(said: Said, *, ready: bool = True, ping_seconds: float = 20.0) -> AsyncIterator[int]:
    """The HTTP door alone; yields its port."""
    clock, metrics = VirtualClock(), Metrics()
    spans = Spans("sample", "sample-0")
    around = Surroundings(service="sample", clock=clock, spans=spans, metrics=metrics)
    requests = Requests(around, SeededChance(), MemoryBroker(clock).producer(), said, lambda: ready)
    sockets = SocketRoutes([LIVE], lambda: requests)
    app = application([], lambda: requests, Health(lambda deps: None), metrics, sockets)
    server = HttpServer(app, "127.0.0.1", 0, sockets, ping_seconds)
    running = asyncio.create_task(server.run())
    await listening(server.port)
    try:
        yield server.port
    finally:
        server.stop()
        await asyncio.wait_for(running, PATIENCE_SECONDS)
        spans.flush()


async def test_nobody_is_told_before_the_service_caught_up() -> None:
    async with door(Said(), ready=False) as port:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}/live/a", proxy=None)
    assert refused.value.response.status_code == 503


async def test_a_client_that_answers_no_ping_ends_its_handler() -> None:
    said = Said()
    async with (
        door(said, ping_seconds=0.2) as port,
        connect(f"ws://127.0.0.1:{port}/live/a", proxy=None, ping_interval=None) as client,
    ):
        await heard(client)
        client.transport.pause_reading()
        await asyncio.wait_for(said.closed.wait(), PATIENCE_SECONDS)
        client.transport.resume_reading()
        assert await close_code(client) == 1011
    assert said.listening == 0
