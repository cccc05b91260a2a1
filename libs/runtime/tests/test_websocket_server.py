"""A socket route on the runtime's HTTP port: told what the handler yields, closed when one of both goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.service import Answer, HttpReply, HttpRoute, Request, Service, SocketRoute
from outdial_runtime.spans import Spans
from outdial_testing import MemoryBroker
from outdial_testing.virtual_clock import SeededChance, VirtualClock

PATIENCE_SECONDS = 10.0
PING = bytes.fromhex("898237fa213d5f93")
"""A masked ping that says "hi"."""
CLOSE = bytes.fromhex("888037fa213d")


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
        while True:
            word = await deps.words.get()
            if word == "fault":
                raise ValueError("+12125550123")
            yield word
    finally:
        deps.listening -= 1
        deps.closed.set()


async def page(request: Request, deps: Said) -> Answer:
    return Answer(reply=HttpReply(body="<p>", content_type="text/html", headers={"x-own": "1"}))


@dataclass(kw_only=True)
class Site:
    """A running service, its port, and how to end it."""

    said: Said
    port: int
    stop: asyncio.Event
    ended: asyncio.Task[None]

    async def connect(self, path: str = "/live/a?n=1", *, origin: str | None = None) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        lines += [f"Origin: {origin}"] if origin else []
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        return Client(reader=reader, writer=writer, status=int(head.split()[1]))


@dataclass(kw_only=True)
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int

    async def frame(self) -> tuple[int, bytes]:
        """(opcode, payload) of the next frame, which is short."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = await self.reader.readexactly(2)
            size = head[1] if head[1] < 126 else int.from_bytes(await self.reader.readexactly(2), "big")
            return head[0] & 0x0F, await self.reader.readexactly(size)

    async def bye(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    said, stop = Said(), asyncio.Event()

    @asynccontextmanager
    async def build(toolkit: Any) -> AsyncIterator[Said]:
        yield said

    requests = (SocketRoute(path="/live/{room}", handler=live), HttpRoute(method="GET", path="/page", handler=page))
    service = Service(name="sample", build=build, requests=requests)
    spans = Spans("sample", "sample-0")
    config = RunConfig(service_name="sample", kafka_bootstrap="memory", http_port=0)
    host = Host(service, config, MemoryBroker(VirtualClock()), clock=VirtualClock(), chance=SeededChance(), spans=spans)
    task = asyncio.create_task(host.run(stop))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while host.http_port is None:
            await asyncio.sleep(0.01)
    yield Site(said=said, port=host.http_port, stop=stop, ended=task)
    stop.set()
    await asyncio.wait_for(task, PATIENCE_SECONDS)
    spans.flush()


async def test_what_the_handler_yields_is_told_in_order(site: Site) -> None:
    client = await site.connect()
    assert client.status == 101
    assert await client.frame() == (1, b"a 1")
    for word in ("one", "two"):
        site.said.words.put_nowait(word)
    assert [await client.frame() for _ in range(2)] == [(1, b"one"), (1, b"two")]
    await client.bye()


async def test_a_client_that_goes_ends_its_handler(site: Site) -> None:
    client = await site.connect()
    await client.frame()
    assert site.said.listening == 1
    await client.bye()
    await asyncio.wait_for(site.said.closed.wait(), PATIENCE_SECONDS)
    assert site.said.listening == 0


async def test_a_close_is_answered_and_a_ping_too(site: Site) -> None:
    client = await site.connect()
    await client.frame()
    client.writer.write(PING)
    assert await client.frame() == (10, b"hi")
    client.writer.write(CLOSE)
    assert await client.frame() == (8, (1000).to_bytes(2, "big"))
    await client.bye()


async def test_a_client_that_does_not_mask_is_closed(site: Site) -> None:
    client = await site.connect()
    await client.frame()
    client.writer.write(b"\x81\x00")
    assert await client.frame() == (8, (1002).to_bytes(2, "big"))
    await client.bye()


async def test_a_handler_that_raises_closes_without_its_words(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    client = await site.connect()
    await client.frame()
    site.said.words.put_nowait("fault")
    assert await client.frame() == (8, (1011).to_bytes(2, "big"))
    assert "+1212" not in caplog.text
    await client.bye()


@pytest.mark.parametrize("path, origin, status", [("/none", None, 404), ("/live/a", "http://elsewhere.test", 403)])
async def test_no_such_path_and_no_other_origin(site: Site, path: str, origin: str | None, status: int) -> None:
    client = await site.connect(path, origin=origin)
    assert client.status == status
    await client.bye()


async def test_a_page_of_the_same_origin_is_served(site: Site) -> None:
    client = await site.connect(origin=f"http://127.0.0.1:{site.port}")
    assert client.status == 101
    await client.bye()


async def test_a_drain_says_going_away_and_does_not_wait_for_viewers(site: Site) -> None:
    client = await site.connect()
    await client.frame()
    site.stop.set()
    assert await client.frame() == (8, (1001).to_bytes(2, "big"))
    await asyncio.wait_for(site.ended, PATIENCE_SECONDS)
    assert site.said.closed.is_set()
    await client.bye()


async def test_a_reply_carries_its_own_headers(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    reply = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    assert b"x-own: 1" in reply
    assert b"content-type: text/html" in reply
    writer.close()
    await writer.wait_closed()
