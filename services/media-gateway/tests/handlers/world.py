"""One gateway on fakes, and one attempt lived through on it in the loop's own virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from media_gateway.config import Config
from media_gateway.detection.early import EarlyMedia, EarlyVerdict
from media_gateway.detection.greeting import Answerer, Profile, VerdictReason
from media_gateway.detection.greeting import Verdict as AnswerVerdict
from media_gateway.domain.admission import Claims
from media_gateway.domain.agent_legs import AgentLeg as Leg
from media_gateway.handlers.deps import Deps, PhoneLeg
from media_gateway.handlers.live_call import LiveCall
from outdial_contracts.events import CallEnded, CallProgress, ProgressStage

from .fakes import (
    AGENT,
    CLAIMS,
    DIAL,
    ROUTE,
    TRUNK,
    FakeClock,
    FakeGate,
    FakeLeg,
    FakeLine,
    FakeMedia,
    FakeOutbox,
    FakePhones,
    FakeRouter,
    FakeTrunks,
)


@dataclass
class World:
    """One gateway on fakes."""

    tasks: asyncio.TaskGroup
    gate: FakeGate = field(default_factory=FakeGate)
    router: FakeRouter = field(default_factory=FakeRouter)
    media: FakeMedia = field(default_factory=FakeMedia)
    trunks: FakeTrunks = field(default_factory=FakeTrunks)
    phones: FakePhones = field(default_factory=FakePhones)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    claims: Claims = CLAIMS

    def __post_init__(self) -> None:
        tokens = iter(f"{n:016x}" * 2 for n in range(10**6))
        self.deps = Deps(
            config=config(),
            clock=FakeClock(),
            chance=SimpleNamespace(token=lambda: next(tokens)),
            outbox=self.outbox,
            boot_id="boot-1",
            gate=self.gate,
            router=self.router,
            clearances=SimpleNamespace(claims=lambda token: self.claims if token == "signed" else None),
            trunks=self.trunks,
            phones=self.phones,
            media=self.media,
            profile=Profile(),
            inject_trace=lambda attempt_id: "00-trace",
            child_span=no_span,
            start=self.start,
        )
        self.deps.standing.routes[ROUTE.route_id] = ROUTE

    def start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.tasks.create_task(coroutine)

    def agent_phone(self) -> FakeLeg:
        """An agent's leg that is up and that the pacer assigns."""
        leg, line = FakeLeg(), FakeLine(lambda event: None)
        self.deps.standing.phones[AGENT.leg_id] = PhoneLeg(leg=leg, call=line, call_id="p", connected_at_seconds=0.0)
        self.deps.standing.legs.up(Leg(leg_id=AGENT.leg_id, team_id="blue", agent_id=AGENT.agent_id))
        self.router.agent = AGENT
        return leg

    async def call(self, **changes: Any) -> LiveCall:
        """A live call, registered as on_call_dial does."""
        dial = replace(DIAL, **changes)
        call = LiveCall(dial, TRUNK, ROUTE.max_duration_seconds, await self.media.open_leg(), self.deps)
        self.deps.standing.calls[dial.attempt_id] = call
        self.start(call.run())
        return call

    async def invited(self, **changes: Any) -> tuple[LiveCall, FakeLine]:
        call = await self.call(**changes)
        await settle(self.gate.redeem_seconds)
        return call, self.trunks.lines[-1]

    async def answered(self, **changes: Any) -> tuple[LiveCall, FakeLine]:
        call, line = await self.invited(**changes)
        line.ring()
        line.answer()
        await settle()
        return call, line

    async def ended(self) -> CallEnded:
        """The one call.ended, once it is there."""
        async with asyncio.timeout(200):
            while not (ended := self.outbox.of(CallEnded)):
                await asyncio.sleep(0.01)
        [only] = ended
        return only

    def put(self, letter: Any) -> None:
        """A command reaches the call while it lives."""
        for call in self.deps.standing.calls.values():
            if not call.over.is_set():
                call.mailbox.put(letter)

    def stages(self) -> list[ProgressStage]:
        return [event.stage for event in self.outbox.of(CallProgress)]


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A gateway whose tasks are all over, or have failed the test, when the block ends."""
    async with asyncio.timeout(300), asyncio.TaskGroup() as tasks:
        yield World(tasks)


@asynccontextmanager
async def no_span(name: str, attempt_id: str) -> AsyncIterator[None]:
    yield


async def settle(seconds: float = 0.0) -> None:
    """Time passes, then whatever is due happens."""
    await asyncio.sleep(seconds)
    for _ in range(10):
        await asyncio.sleep(0)


def verdict(answerer: Answerer, decided_ms: int = 1500, greeting_end_ms: int | None = 700) -> AnswerVerdict:
    return AnswerVerdict(
        answerer=answerer,
        reason=VerdictReason.SHORT_GREETING,
        decided_ms=decided_ms,
        greeting_start_ms=None if greeting_end_ms is None else 200,
        greeting_end_ms=greeting_end_ms,
    )


def early(media: EarlyMedia) -> EarlyVerdict:
    return EarlyVerdict(media=media, decided_ms=900)


def config(**changes: Any) -> Config:
    values: dict[str, Any] = {
        "gateway_id": "gateway-0",
        "partition": 0,
        "advertised_host": "127.0.0.1",
        "grpc_port": 7004,
        "sip_host": "127.0.0.1",
        "agent_sip_port": 0,
        "trunk_sip_port": 0,
        "rtp_ports": (20000, 20999),
        "prompts_dir": Path("prompts"),
        "channels": 10,
        "gate_address": "127.0.0.1:1",
        "jwks_file": Path("keys.json"),
        "agent_secret": b"secret",
        "drain_seconds": 5.0,
        "environ": {},
    }
    return Config(**(values | changes))
