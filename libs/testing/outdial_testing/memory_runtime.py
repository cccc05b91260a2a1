"""A service on the memory broker: the same host and loop as in production, time in the test's hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter
from starlette.routing import compile_path

from outdial_runtime.clock import Chance
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.requests import HttpCall
from outdial_runtime.service import GrpcMethod, HttpReply, HttpRoute, Service
from outdial_runtime.spans import Spans
from outdial_testing.memory_broker import MemoryBroker
from outdial_testing.virtual_clock import SeededChance, VirtualClock

STEP_SECONDS = 0.1


class MemoryRuntime:
    """One running replica."""

    def __init__(self, service: Service, broker: MemoryBroker, host: Host) -> None:
        self._service = service
        self._host = host
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(host.run(self._stop))
        self._fault_told = False
        self.broker = broker

    @property
    def deps(self) -> Any:
        """The service's own record of ports."""
        return self._host.deps

    @property
    def not_ready(self) -> str | None:
        """What /readyz would say."""
        return self._host.health.not_ready()

    async def ready(self) -> None:
        """Returns once ready. Raises the fault that ended the service before."""
        while self.not_ready is not None:
            if self._task.done():
                await self._ended()
                raise RuntimeError(f"the service ended and was never ready: {self.not_ready}")
            await asyncio.sleep(0.001)

    async def settle(self) -> None:
        """Until nothing is left to do at this instant. Raises the fault that ended the service."""
        await self.broker.settle()
        if self._task.done():
            await self._ended()

    async def advance(self, seconds: float) -> None:
        """Moves the virtual clock on in steps of 0.1 s and settles after each."""
        clock = self.broker.clock
        if not isinstance(clock, VirtualClock):
            raise TypeError("only a virtual clock can be advanced")
        until = clock.monotonic() + seconds
        while (left := until - clock.monotonic()) > 1e-9:
            clock.advance(min(STEP_SECONDS, left))
            await self.settle()

    async def http(
        self,
        method: str,
        path: str,
        body: Any = b"",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """Sends a request past the socket; a body that is not bytes or str goes as JSON."""
        for route in self._service.requests:
            if isinstance(route, HttpRoute) and route.method == method:
                match = compile_path(route.path)[0].match(path)
                if match is not None and self._host.requests is not None:
                    content = body if isinstance(body, bytes | str) else json.dumps(body)
                    call = HttpCall(
                        body=content.encode() if isinstance(content, str) else content,
                        path=match.groupdict(),
                        query=query or {},
                        headers={name.lower(): value for name, value in (headers or {}).items()},
                    )
                    return await self._host.requests.http(route, call)
        raise LookupError(f"{self._service.name} serves no {method} {path}")

    async def rpc(self, service: str, method: str, message: Any, metadata: Mapping[str, str] | None = None) -> Any:
        """Makes a gRPC call past the socket; what the handler raises is raised."""
        for request in self._service.requests:
            if isinstance(request, GrpcMethod) and (request.service, request.method) == (service, method):
                if self._host.requests is None:
                    break
                return await self._host.requests.grpc(request, message, metadata or {})
        raise LookupError(f"{self._service.name} serves no {service}.{method}")

    async def stop(self) -> None:
        """SIGTERM: drains and ends. Raises the fault that ended the service, unless it was raised before."""
        self._stop.set()
        await self._ended()

    async def kill(self) -> None:
        """SIGKILL: nothing more is committed or produced."""
        self._fault_told = True
        self._task.cancel()
        await self._ended()

    async def _ended(self) -> None:
        await asyncio.wait({self._task})
        if not self._task.cancelled() and (fault := self._task.exception()) and not self._fault_told:
            self._fault_told = True
            raise fault


@asynccontextmanager
async def run_in_memory(
    service: Service,
    broker: MemoryBroker | None = None,
    clock: VirtualClock | None = None,
    *,
    ordinal: int = 0,
    chance: Chance | None = None,
    exporter: SpanExporter | None = None,
) -> AsyncIterator[MemoryRuntime]:
    """Runs a replica until the block ends; yields it ready. Give replicas of a test one broker with one clock."""
    if broker is None:
        broker = MemoryBroker(clock or VirtualClock())
    config = RunConfig(service_name=service.name, kafka_bootstrap="memory", ordinal=ordinal)
    spans = Spans(service.name, config.instance, exporter=exporter)
    host = Host(service, config, broker, clock=broker.clock, chance=chance or SeededChance(), spans=spans)
    runtime = MemoryRuntime(service, broker, host)
    try:
        await runtime.ready()
        yield runtime
        await runtime.stop()
    finally:
        await runtime.kill()
        spans.flush()
