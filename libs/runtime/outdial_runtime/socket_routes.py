"""Socket routes on Starlette: whoever connects is told what a handler yields, until one of both goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from enum import IntEnum
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from outdial_runtime.http_terms import call_of, response_of
from outdial_runtime.requests import NotReady, Requests, problem
from outdial_runtime.service import SocketRoute

STALLED_SECONDS = 20.0
"""How long a client may leave a message unread."""
CLOSE_SECONDS = 1.0
"""How long a close may wait for what was said before it."""
DRAIN_SECONDS = 2.0


class CloseCode(IntEnum):
    """RFC 6455, 7.4.1: those that are ours to say."""

    NORMAL = 1000
    GOING_AWAY = 1001
    INTERNAL_ERROR = 1011


class SocketRoutes:
    """The socket routes of one process and who is connected to them; `requests` is None until deps are built."""

    def __init__(self, routes: Sequence[SocketRoute], requests: Callable[[], Requests | None]) -> None:
        self._requests = requests
        self._draining = asyncio.Event()
        self._open: set[asyncio.Task[Any]] = set()
        # Starlette would answer 403 where there is no route.
        unknown = WebSocketRoute("/{path:path}", _not_found)
        self.starlette = [*(WebSocketRoute(route.path, self._endpoint(route)) for route in routes), unknown]

    async def drain(self) -> None:
        """Says going away to everybody; returns once they went, and after DRAIN_SECONDS at the latest."""
        self._draining.set()
        if self._open:
            await asyncio.wait(self._open, timeout=DRAIN_SECONDS)

    def _endpoint(self, route: SocketRoute) -> Callable[[WebSocket], Coroutine[Any, Any, None]]:
        async def endpoint(websocket: WebSocket) -> None:
            answering = self._requests()
            if not _same_origin(websocket.headers):
                await _refuse(websocket, HTTPStatus.FORBIDDEN, "a page of another origin is not served")
            elif answering is None or self._draining.is_set():
                await _refuse(websocket, HTTPStatus.SERVICE_UNAVAILABLE, "the service is starting or stopping")
            else:
                try:
                    words = answering.socket(route, call_of(websocket))
                except NotReady:
                    await _refuse(websocket, HTTPStatus.SERVICE_UNAVAILABLE, "the service is not ready yet")
                else:
                    await self._converse(websocket, words)

        return endpoint

    async def _converse(self, websocket: WebSocket, words: AsyncIterator[str]) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._open.add(task)
        try:
            await websocket.accept()
            code = await _first(_until_gone(websocket), _tell(websocket, words), self._until_draining())
            if code is not None:
                await _close(websocket, code)
        finally:
            self._open.discard(task)

    async def _until_draining(self) -> CloseCode:
        await self._draining.wait()
        return CloseCode.GOING_AWAY


async def _tell(websocket: WebSocket, words: AsyncIterator[str]) -> CloseCode | None:
    """What to close with; None where nobody listens any more. A fault was logged by Requests."""
    try:
        async with aclosing(cast(Any, words)):
            async for text in words:
                await _send(websocket, text)
    except WebSocketDisconnect:
        return None
    except Exception:
        return CloseCode.INTERNAL_ERROR
    return CloseCode.NORMAL


async def _send(websocket: WebSocket, text: str) -> None:
    """Waits for a slow client: what the handler yields next is newer. Raises WebSocketDisconnect."""
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            await websocket.send_text(text)
    except TimeoutError:
        raise WebSocketDisconnect(code=1006) from None


async def _until_gone(websocket: WebSocket) -> None:
    """Hears nothing of what the client says, but reads it: uvicorn holds one message and bounds its size."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _close(websocket: WebSocket, code: CloseCode) -> None:
    """uvicorn lets go of who does not take even that, as soon as the endpoint returns."""
    with suppress(WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await websocket.close(code)


async def _first(*works: Coroutine[Any, Any, CloseCode | None]) -> CloseCode | None:
    """What the first of them returns; the others are cancelled and have ended."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return next(task for task in tasks if task in done).result()


async def _not_found(websocket: WebSocket) -> None:
    await _refuse(websocket, HTTPStatus.NOT_FOUND, "no socket is served here")


async def _refuse(websocket: WebSocket, status: HTTPStatus, why: str) -> None:
    await websocket.send_denial_response(response_of(problem(status, status.phrase, why)))


def _same_origin(headers: Mapping[str, str]) -> bool:
    """A browser always names the origin of the page that asks, and asks no CORS question; other clients need not."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
