"""A very small HTTP/1.1 server for control ports and webhook receivers: whole bodies, one handler, keep-alive."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MAX_BODY_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One response."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hold_seconds: float = 0.0
    """How long it is kept back, for a server that is to be slow."""

    @classmethod
    def json(cls, status: int, document: Any) -> "Reply":
        """A JSON document."""
        return cls(status=status, body=json.dumps(document).encode())

    @classmethod
    def problem(cls, status: int, title: str) -> "Reply":
        """A problem document (RFC 9457)."""
        body = json.dumps({"type": "about:blank", "status": status, "title": title}).encode()
        return cls(status=status, body=body, content_type="application/problem+json")


Handler = Callable[[Request], Reply]


@asynccontextmanager
async def serving(host: str, port: int, handler: Handler) -> AsyncIterator[int]:
    """Answer every request with `handler`; yields the port, and ends every connection at the end."""
    connections: set[asyncio.Task[None]] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange(reader, writer, handler):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(on_connection(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> bool:
    """Serve one request; False when the connection should close."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    words = head[0].split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    length = headers.get("content-length", "0")
    if len(words) != 3 or not length.isdigit() or int(length) > MAX_BODY_BYTES or "transfer-encoding" in headers:
        writer.write(_bytes(Reply.problem(400, "malformed request")))
        return False
    body = await reader.readexactly(int(length))
    request = Request(method=words[0], path=words[1].partition("?")[0], headers=headers, body=body)
    reply = handler(request)
    if reply.hold_seconds > 0:
        await asyncio.sleep(reply.hold_seconds)
    writer.write(_bytes(reply))
    return headers.get("connection", "").lower() != "close"


def _bytes(reply: Reply) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        f"Content-Length: {len(reply.body)}",
        *([f"Content-Type: {reply.content_type}"] if reply.body else []),
        *(f"{name}: {value}" for name, value in reply.headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body
