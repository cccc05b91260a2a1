"""WebSocket endpoints on uvicorn's socket: whoever connects is told what a handler yields, until one of both goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from starlette.routing import compile_path
from uvicorn.server import ServerState

from outdial_runtime.logs import where
from outdial_runtime.requests import HttpCall, NotReady, Requests
from outdial_runtime.service import SocketRoute
from outdial_runtime.websocket_frames import (
    BadHandshake,
    CloseCode,
    FrameReader,
    Opcode,
    RemoteProtocolError,
    close_frame,
    frame,
    handshake_reply,
)

log = logging.getLogger(__name__)


class Refused(Exception):
    """The upgrade is answered with `status` instead."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


def socket_protocol(routes: Sequence[SocketRoute], requests: Callable[[], Requests | None]) -> type[asyncio.Protocol]:
    """What uvicorn hands an upgraded connection to (its setting `ws`)."""

    class BoundProtocol(SocketProtocol):
        table = tuple((compile_path(route.path)[0], route) for route in routes)
        answering = staticmethod(requests)

    return BoundProtocol


class SocketProtocol(asyncio.Protocol):
    """One connection. uvicorn feeds the request's head again before it hands the transport over."""

    table: tuple[Any, ...] = ()
    answering: Callable[[], Requests | None] = staticmethod(lambda: None)

    def __init__(self, *, server_state: ServerState, **of_uvicorn: Any) -> None:
        self._connections, self._tasks = server_state.connections, server_state.tasks
        self._transport: asyncio.Transport | None = None
        self._head, self._reader = bytearray(), FrameReader()
        self._writable = asyncio.Event()
        self._writable.set()
        self._speaking: asyncio.Task[None] | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(cast(Any, self))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went: its handler ends."""
        self._connections.discard(cast(Any, self))
        self._writable.set()
        if self._speaking is not None:
            self._speaking.cancel()

    def pause_writing(self) -> None:
        """A slow client: the handler waits, and what it yields next is newer."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """asyncio."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """The head first, then frames."""
        if self._refused:
            return
        if self._speaking is None:
            self._head += data
            if b"\r\n\r\n" in self._head:
                self._shake_hands(self._head.split(b"\r\n\r\n", 1)[0].decode("latin-1"))
            return
        try:
            for one in self._reader.feed(data):
                self._heard(one.opcode, one.payload)
        except RemoteProtocolError as error:
            self._close(error.code)

    def shutdown(self) -> None:
        """uvicorn drains."""
        self._close(CloseCode.GOING_AWAY)

    def _shake_hands(self, head: str) -> None:
        try:
            route, call = self._called(head)
            reply = handshake_reply(call.headers)
            words = self._words(route, call)
        except BadHandshake:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except Refused as refused:
            self._refuse(refused.status)
        else:
            self._write(reply)
            self._speaking = asyncio.ensure_future(self._speak(route, words))
            self._tasks.add(self._speaking)
            self._speaking.add_done_callback(self._tasks.discard)

    def _called(self, head: str) -> tuple[SocketRoute, HttpCall]:
        """Raises Refused: no such path, or a page of another origin asks (a browser sends no CORS question here)."""
        first, *lines = head.split("\r\n")
        target = urlsplit(first.split(" ")[1])
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if not _same_origin(headers):
            raise Refused(HTTPStatus.FORBIDDEN)
        for pattern, route in self.table:
            match = pattern.match(unquote(target.path))
            if match is not None:
                query = dict(parse_qsl(target.query))
                return route, HttpCall(path=match.groupdict(), query=query, headers=headers)
        raise Refused(HTTPStatus.NOT_FOUND)

    def _words(self, route: SocketRoute, call: HttpCall) -> AsyncIterator[str]:
        answering = type(self).answering()
        if answering is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            return answering.socket(route, call)
        except NotReady:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE) from None

    async def _speak(self, route: SocketRoute, words: AsyncIterator[str]) -> None:
        code = CloseCode.NORMAL
        try:
            async with aclosing(cast(Any, words)):
                async for text in words:
                    await self._writable.wait()
                    self._write(frame(Opcode.TEXT, text.encode()))
        except Exception as error:
            log.error("socket failed", extra={"request": route.path, "error": where(error)})
            code = CloseCode.INTERNAL_ERROR
        self._close(code)

    def _heard(self, opcode: Opcode, payload: bytes) -> None:
        if opcode is Opcode.PING:
            self._write(frame(Opcode.PONG, payload))
        elif opcode is Opcode.CLOSE:
            self._close(CloseCode.NORMAL)

    def _close(self, code: CloseCode) -> None:
        """Says so and lets go; who stays on the line is not waited for."""
        if self._speaking is not None:
            self._write(close_frame(code))
            if self._speaking is not asyncio.current_task():
                self._speaking.cancel()
        if self._transport is not None:
            self._transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        self._refused = True
        self._write(f"HTTP/1.1 {status} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        if self._transport is not None:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _same_origin(headers: Mapping[str, str]) -> bool:
    """A browser always names the origin of the page that asks; other clients need not."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
