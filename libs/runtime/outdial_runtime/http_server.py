"""The HTTP door: Starlette and uvicorn within the process, WebSockets, and the runtime's own endpoints."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import Route

from outdial_runtime.health import Health
from outdial_runtime.http_terms import call_of, response_of
from outdial_runtime.metrics import CONTENT_TYPE, Metrics
from outdial_runtime.requests import Requests, problem
from outdial_runtime.service import HttpRoute
from outdial_runtime.socket_routes import SocketRoutes

Endpoint = Callable[[StarletteRequest], Awaitable[Response]]
LONGEST_MESSAGE_BYTES = 65_536
"""Of a socket's client, who has nothing to say."""
PING_SECONDS = 20.0
"""Between two pings of a socket, and how long its client may take to answer one."""


class HttpServer:
    """uvicorn on a socket of ours; signals stay with the runtime."""

    def __init__(
        self,
        app: Starlette,
        host: str,
        port: int,
        sockets: SocketRoutes | None = None,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio" if sockets else "none",
            ws_max_size=LONGEST_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=ping_seconds,
            ws_ping_timeout=ping_seconds,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config, sockets)

    async def run(self) -> None:
        """Serves until `stop`."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Finishes running requests and ends `run`."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, sockets: SocketRoutes | None) -> None:
        super().__init__(config)
        self._sockets = sockets

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn would close them with 1012, service restart, which a scaled-down replica does not do.
        if self._sockets is not None:
            await self._sockets.drain()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def application(
    routes: Sequence[HttpRoute],
    requests: Callable[[], Requests | None],
    health: Health,
    metrics: Metrics,
    sockets: SocketRoutes | None = None,
) -> Starlette:
    """The service's routes beside /healthz, /readyz and /metrics; `requests` is None until deps are built."""
    own = [
        Route("/healthz", _text(lambda: (200, "ok\n"))),
        Route("/readyz", _text(lambda: (503, f"{why}\n") if (why := health.not_ready()) else (200, "ready\n"))),
        Route("/metrics", _metrics(metrics)),
    ]
    served = [Route(r.path, _endpoint(r, requests), methods=[r.method]) for r in routes]
    live = sockets.starlette if sockets is not None else []
    return Starlette(routes=[*own, *served, *live], exception_handlers={HTTPException: _http_exception})


def _endpoint(route: HttpRoute, requests: Callable[[], Requests | None]) -> Endpoint:
    async def endpoint(request: StarletteRequest) -> Response:
        answering = requests()
        if answering is None:
            return response_of(problem(503, "Service Unavailable", "the service is starting"))
        call = call_of(request, await request.body())
        return response_of(await answering.http(route, call))

    return endpoint


def _text(say: Callable[[], tuple[int, str]]) -> Endpoint:
    async def endpoint(request: StarletteRequest) -> Response:
        status, text = say()
        return Response(text, status_code=status, media_type="text/plain")

    return endpoint


def _metrics(metrics: Metrics) -> Endpoint:
    async def endpoint(request: StarletteRequest) -> Response:
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE})

    return endpoint


async def _http_exception(request: StarletteRequest, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "error"
    return response_of(problem(status, detail, f"{request.method} is not served here"))


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.setblocking(False)
    return listener
