"""The console's real service on a port, with fake upstreams behind real HTTP and the memory broker under it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from console.app import build_service
from console.config import Config, PagesConfig
from console.domain.board import Board
from console.domain.sources import Source
from outdial_contracts.base import Event
from outdial_runtime.clock import SystemClock
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.http_server import HttpServer
from outdial_runtime.spans import Spans
from outdial_testing import MemoryBroker
from outdial_testing.virtual_clock import SeededChance
from tests.browser.seeds import CAMPAIGN, START, answers, call_of_the_attempt, campaigns, quarter_of_an_hour

PATIENCE_SECONDS = 20.0


@dataclass(kw_only=True)
class Upstreams:
    """All other services in one: a path has one answer, or nobody answers at all."""

    answers: dict[str, Any]
    asked: list[str] = field(default_factory=list)
    away: bool = False

    async def reply(self, request: Request) -> JSONResponse:
        """200, 404, or 503 while away."""
        self.asked.append(request.url.path)
        if self.away:
            return JSONResponse({}, status_code=503)
        campaign = request.query_params.get("campaign_id")
        found = self.answers.get(f"{request.url.path}?{campaign}" if campaign else request.url.path)
        return JSONResponse(found, status_code=404 if found is None else 200)


@dataclass(kw_only=True)
class Site:
    """The console and what is behind it; `stop` and `start` are what a deployment does to it."""

    config: Config
    broker: MemoryBroker
    upstreams: Upstreams
    clock: SystemClock
    port: int = 0
    board: Board = field(default_factory=Board)
    """Of the running process."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Origin of the pages."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Ready on the port that it had before, if any."""
        self._stop = asyncio.Event()
        run = RunConfig(service_name="console", kafka_bootstrap="memory", http_port=self.port)
        spans = Spans("console", "console-0")
        service = build_service(self.config)
        host = Host(service, run, self.broker, clock=self.clock, chance=SeededChance(), spans=spans)
        self._task = asyncio.create_task(host.run(self._stop))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while host.http_port is None or host.health.not_ready() is not None:
                if self._task.done():
                    await self._task
                await asyncio.sleep(0.01)
        self.port, self.board = host.http_port, host.deps.hub.board

    async def stop(self) -> None:
        """SIGTERM."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait_for(self._task, PATIENCE_SECONDS)
        self._task = None

    def spend_budget(self) -> None:
        """Twenty minutes of the drop budget's history, which the console otherwise gathers second by second."""
        now = self.clock.now()
        history = [(22, 12), (20, 13), (17, 12), (16, 11), (12, 12), (9, 10), (8, 9), (5, 10), (2, 9)]
        self.board.campaigns[CAMPAIGN].budget.extendleft(
            (now - timedelta(minutes=minutes), left) for minutes, left in reversed(history)
        )

    async def publish(self, *events: Event) -> None:
        """Events on the broker, handled."""
        self.broker.publish(*events)
        await self.broker.settle()


@asynccontextmanager
async def open_site(reports_dir: Path | None = None, *, seeded: bool = True) -> AsyncIterator[Site]:
    """A console at work in the middle of a campaign, or (not seeded) one that never saw any."""
    clock = SystemClock(START, time.monotonic())
    upstreams = Upstreams(answers=answers(clock.now() - datetime.now(UTC)))
    fake = HttpServer(Starlette(routes=[Route("/{path:path}", upstreams.reply)]), "127.0.0.1", 0)
    serving = asyncio.create_task(fake.run())
    url = f"http://127.0.0.1:{fake.port}"
    pages = PagesConfig(urls=dict.fromkeys(Source, (url,)), reports_dir=reports_dir, zone="UTC")
    config = Config(gate_address="127.0.0.1:1", agent_secret=b"s" * 16, agent_sip_address="127.0.0.1:5070", pages=pages)
    site = Site(config=config, broker=MemoryBroker(clock), upstreams=upstreams, clock=clock)
    try:
        if seeded:
            site.broker.publish(*campaigns())
        await site.start()
        if seeded:
            await site.publish(*quarter_of_an_hour(clock.now()), *call_of_the_attempt())
            site.spend_budget()
        yield site
    finally:
        await site.stop()
        fake.stop()
        await asyncio.wait_for(serving, PATIENCE_SECONDS)
