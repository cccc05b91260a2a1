"""Calls between processes without sockets: gRPC for the services' own stubs, HTTP for the people of the world.

`WorldChannel` stands in for grpc.aio.Channel, so the services' real clients run: their time-outs, retries and nonces.
A request or reply may be late or lost; whoever is called may be away, die before it answers or after.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc
from starlette.routing import compile_path

from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.requests import HttpCall, NotReady
from outdial_runtime.service import GrpcMethod, HttpReply, HttpRoute
from outdial_world.history import RIVAL, Rpc
from outdial_world.life import Life, Step
from outdial_world.weather import Trip

if TYPE_CHECKING:
    from outdial_world.process import Process
    from outdial_world.world import World

NO_TIMEOUT_SECONDS = 60.0
HTTP_SECONDS = 10.0
RIVAL_SECONDS = 0.25
"""As long as a gateway waits for a grant."""
REDEEM = ("Clearance", "Redeem")


class Away(Exception):
    """No answer came; the text is a gRPC status."""


class Net:
    """Who is where, and every call's way there and back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._paths: dict[tuple[str, str], list[tuple[Any, HttpRoute]]] = {}
        self._turn = 0
        self._rivals: list[asyncio.Task[None]] = []

    def channel(self, life: Life, address: str) -> Any:
        """A channel of a process to an address (`host:port`, as the services are configured with)."""
        return WorldChannel(self, life, address)

    async def grpc(
        self, life: Life, address: str, method: tuple[str, str], message: Any, timeout_seconds: float
    ) -> Any:
        """The reply. Raises Away."""
        name = ".".join(method)
        target = self._world.find_by_address(address)
        rpc = self._note(name, life.instance, target.instance if target else address, message)
        trip = self._world.weather.trip(name)
        if method == REDEEM and (after_seconds := self._world.weather.rival_seconds(name)) is not None:
            self._rival(address, message, after_seconds)

        async def answer(process: Process) -> Any:
            return await _answer_grpc(process, method, message)

        return await self._travel(rpc, trip, target, answer, timeout_seconds, life)

    def _rival(self, address: str, message: Any, after_seconds: float) -> None:
        """A gateway that nobody told to dial asks once, for the same attempt and leg, and gives up where it fails."""
        asked = pb.RedeemRequest()
        asked.CopyFrom(message)
        asked.gateway_id = asked.boot_id = RIVAL
        asked.nonce = f"{RIVAL}/{message.nonce}"

        async def answer(process: Process) -> Any:
            return await _answer_grpc(process, REDEEM, asked)

        async def ask() -> None:
            await asyncio.sleep(after_seconds)
            target = self._world.find_by_address(address)
            rpc = self._note(".".join(REDEEM), RIVAL, target.instance if target else address, asked)
            with suppress(Away):
                await self._travel(rpc, self._world.weather.trip(RIVAL), target, answer, RIVAL_SECONDS, None)

        self._rivals.append(asyncio.create_task(ask()))

    async def http(
        self,
        caller: str,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = HTTP_SECONDS,
    ) -> HttpReply:
        """A request of somebody outside to a replica of a service. Raises Away."""
        target = self._world.find_by_service(service)
        rpc = self._note(f"{method} {_shape(path)}", caller, target.instance if target else service, body, path)

        async def answer(process: Process) -> Any:
            return await self._answer_http(process, method, path, body, query or {}, headers or {})

        trip = self._world.weather.trip(rpc.method)
        reply: HttpReply = await self._travel(rpc, trip, target, answer, timeout_seconds, None)
        return reply

    def _note(self, method: str, caller: str, callee: str, request: Any, path: str = "") -> Rpc:
        rpc = Rpc(
            seq=self._world.next_seq(),
            method=method,
            caller=caller,
            callee=callee,
            asked_at=self._world.clock.now(),
            request=request,
            path=path,
        )
        if method not in UNNOTED:
            self._world.history.rpcs.append(rpc)
        return rpc

    async def _travel(
        self,
        rpc: Rpc,
        trip: Trip,
        target: Process | None,
        answer: Callable[[Process], Any],
        timeout_seconds: float,
        life: Life | None,
    ) -> Any:
        try:
            async with asyncio.timeout(timeout_seconds):
                reply = await self._there_and_back(rpc, trip, target, answer)
        except TimeoutError:
            rpc.error = "DEADLINE_EXCEEDED"
            raise Away(rpc.error) from None
        except Away as away:
            rpc.error = str(away)
            raise
        except asyncio.CancelledError:
            rpc.error = "CRASHED" if life is not None and not life.alive else "CANCELLED"
            raise
        rpc.received_at = self._world.clock.now()
        return reply

    async def _there_and_back(
        self, rpc: Rpc, trip: Trip, target: Process | None, answer: Callable[[Process], Any]
    ) -> Any:
        await asyncio.sleep(trip.there_seconds)
        if trip.request_lost:
            await asyncio.sleep(NO_TIMEOUT_SECONDS)
        if target is None or not target.serves or self._world.is_away(target.service):
            raise Away("UNAVAILABLE")
        work = target.start(self._answered(rpc, target, answer))
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            # The server learns of a client that gave up, and cancels its handler; or it had just finished.
            work.cancel()
            raise
        if work.cancelled():
            raise Away("UNAVAILABLE")
        reply = work.result()
        if trip.reply_lost:
            await asyncio.sleep(NO_TIMEOUT_SECONDS)
        await asyncio.sleep(trip.back_seconds)
        if self._world.is_away(target.service):
            raise Away("UNAVAILABLE")
        if isinstance(reply, Away):
            raise reply
        return reply

    async def _answered(self, rpc: Rpc, target: Process, answer: Callable[[Process], Any]) -> Any:
        """Within the process that is called."""
        life = target.life
        try:
            reply = await answer(target)
        except Away as away:
            return away
        await life.step(Step.REPLY_BEFORE)
        rpc.answered_at, rpc.reply = self._world.clock.now(), reply
        if life.trap is not None and life.trap.step is Step.REPLY_AFTER:
            target.start(life.step(Step.REPLY_AFTER))
        return reply

    async def _answer_http(
        self,
        process: Process,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> HttpReply:
        for pattern, route in self._routes(process, method):
            match = pattern.match(path)
            if match is not None:
                call = HttpCall(
                    body=b"" if body is None else json.dumps(body).encode(),
                    path=match.groupdict(),
                    query=query,
                    headers={name.lower(): value for name, value in headers.items()},
                )
                answered: HttpReply = await process.requests.http(route, call)
                if answered.status >= 500:
                    raise Away(f"HTTP {answered.status}")
                return answered
        raise LookupError(f"{process.service} serves no {method} {path}")

    def _routes(self, process: Process, method: str) -> Iterable[tuple[Any, HttpRoute]]:
        key = (process.service, method)
        if key not in self._paths:
            routes = [r for r in process.definition.requests if isinstance(r, HttpRoute) and r.method == method]
            self._paths[key] = [(compile_path(route.path)[0], route) for route in routes]
        return self._paths[key]


UNNOTED = frozenset({"GET /v1/agents/events", "POST /v1/agents/state"})
"""Calls that say nothing to anybody who reads the history, and there are many."""


class WorldChannel:
    """What the services' stubs use of grpc.aio.Channel."""

    def __init__(self, net: Net, life: Life, address: str) -> None:
        self._net, self._life, self._address = net, life, address

    def unary_unary(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_options: Any
    ) -> Callable[..., Any]:
        """The callable of one method; a reply is read from its bytes, as from a wire."""
        service, _, method = path.strip("/").partition("/")
        name = (service.rpartition(".")[2], method)

        async def call(request: Any, timeout: float | None = None, metadata: Any = None) -> Any:
            seconds = NO_TIMEOUT_SECONDS if timeout is None else timeout
            try:
                reply = await self._net.grpc(self._life, self._address, name, request, seconds)
            except Away as away:
                raise grpc.aio.AioRpcError(
                    grpc.StatusCode[str(away)], grpc.aio.Metadata(), grpc.aio.Metadata(), str(away)
                ) from None
            return response_deserializer(reply.SerializeToString())

        return call

    async def close(self) -> None:
        """Nothing is open."""


async def _answer_grpc(process: Process, method: tuple[str, str], message: Any) -> Any:
    for request in process.definition.requests:
        if isinstance(request, GrpcMethod) and (request.service, request.method) == method:
            try:
                return await process.requests.grpc(request, message, {})
            except NotReady:
                raise Away("UNAVAILABLE") from None
            except Exception as error:
                process.note_failed_request(".".join(method), error)
                raise Away("INTERNAL") from error
    raise LookupError(f"{process.service} serves no {'.'.join(method)}")


def _shape(path: str) -> str:
    """A path without its ids: /v1/agents/a-01/state -> /v1/agents/state."""
    parts = path.split("/")
    return "/".join(part for n, part in enumerate(parts) if n != 3 or len(parts) < 4)
