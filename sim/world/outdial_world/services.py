"""The seven services as the world runs them: their own handlers and domain, on ports of the world.

Each definition is what the service's app.py states, with another `build`. What the services themselves wrote as
adapters is used where it does no I/O of its own: their gRPC clients run on the world's channels.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

import analytics.app
import analytics.config
import analytics.ports
import compliance_gate.app
import compliance_gate.config
import compliance_gate.ports
import console.app
import console.config
import console.ports
import disposition.app
import disposition.config
import disposition.ports
import lead_router.app
import lead_router.config
import lead_router.ports
import media_gateway.app
import media_gateway.config
import pacer.app
import pacer.config
from analytics.adapters.memory import MemoryFacts, MemoryWindows
from compliance_gate.adapters.rule_pack import load_rule_pack, pin_time_zones
from compliance_gate.domain.rules import RulePack
from console.adapters.rpc import GrpcGate as ConsoleGate
from console.domain.board import Board
from console.domain.sources import Source
from console.handlers.deps import Deps as ConsoleDeps
from console.handlers.hub import Hub
from disposition.adapters.gate_grpc import GrpcSuppressor
from disposition.adapters.memory import MemoryStore as DispositionTables
from disposition.domain.watch import GatewayWatch
from media_gateway.adapters.gate_grpc import GrpcGate as GatewayGate
from media_gateway.adapters.router_grpc import Channels, GrpcAgentRouter
from media_gateway.detection.greeting import Profile
from media_gateway.handlers.deps import Deps as GatewayDeps
from outdial_contracts.identity import TokenKeys
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import CallControlStub
from outdial_runtime.marks import MemoryMarks
from outdial_runtime.reading_back import Guard
from outdial_runtime.reading_back import Source as Topics
from outdial_runtime.service import Service, Toolkit
from outdial_world.campaign import SAFE_HARBOUR, SAFE_HARBOUR_SECONDS
from outdial_world.outbox import Relay
from outdial_world.ports.clearances import WorldClearances, WorldSigner
from outdial_world.ports.media import WorldMedia
from outdial_world.ports.phones import WorldPhones
from outdial_world.stores import DispositionStore, GateStore, LeadStore, MethodStore
from outdial_world.wire import ProcessProducer

if TYPE_CHECKING:
    from outdial_world.process import Process
    from outdial_world.world import World

PORT = 7000
NO_DSN = "postgresql://world"
NOWHERE = Path("world")
AGENT_SECRET = b"the agents of the world"
TOKEN_KEYS = TokenKeys({1: bytes(range(32))})
SIGNER = WorldSigner()
DRAIN_SECONDS = 5.0
CHANNELS = 60


def address_of(instance: str) -> str:
    """Where a replica, or any replica of a service, is reached by rpc."""
    return f"{instance}:{PORT}"


def definition(world: World, process: Process) -> Service:
    """What a process of the service runs."""
    make = {
        "lead-router": _lead_router,
        "compliance-gate": _gate,
        "pacer": _pacer,
        "media-gateway": _gateway,
        "disposition": _disposition,
        "analytics": _analytics,
        "console": _console,
    }[process.service]
    return make(world, process)


def _lead_router(world: World, process: Process) -> Service:
    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[lead_router.ports.Deps]:
        store = LeadStore(await _database(world, process, toolkit), process.life)
        yield lead_router.ports.Deps(
            store=store,
            keys=TOKEN_KEYS,
            zones=_zones(),
            past=toolkit.past,
            clock=toolkit.clock,
            guard=lead_router.ports.Guard(verified=False),
        )

    config = lead_router.config.Config(postgres_dsn=NO_DSN, token_keys=TOKEN_KEYS)
    return replace(lead_router.app.build_service(config), build=build)


def _gate(world: World, process: Process) -> Service:
    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[compliance_gate.ports.Deps]:
        database = await _database(world, process, toolkit)
        yield await compliance_gate.app.begin(
            lambda chains: GateStore(database, process.life, chains),
            toolkit,
            _pack(),
            SIGNER,
            TOKEN_KEYS,
            asyncio.sleep,
        )

    config = compliance_gate.config.Config(postgres_dsn=NO_DSN, token_keys=TOKEN_KEYS, signing_key_file=NOWHERE)
    return replace(compliance_gate.app.build_service(config), build=build)


def _pacer(world: World, process: Process) -> Service:
    config = pacer.config.Config(
        owner_id=process.instance, address=address_of(process.instance), snapshot_every_records=200
    )
    return pacer.app.build_service(config)


def _disposition(world: World, process: Process) -> Service:
    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[disposition.ports.Deps]:
        database = await _database(world, process, toolkit)
        tables = database.keep("disposition", DispositionTables)
        yield disposition.ports.Deps(
            store=DispositionStore(tables, database, process.life),
            gate=GrpcSuppressor(world.net.channel(process.life, address_of("compliance-gate"))),
            watch=GatewayWatch(since=toolkit.clock.now()),
            webhooks=MethodStore(tables.webhooks, database, process.life),
            sending=_NothingToSend(),
            source=_source(database, process, toolkit),
            guard=Guard(verified=False),
        )

    config = disposition.config.Config(postgres_dsn=NO_DSN, gate_address=address_of("compliance-gate"))
    return replace(disposition.app.build_service(config), build=build)


def _analytics(world: World, process: Process) -> Service:
    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[analytics.ports.Deps]:
        database = await _database(world, process, toolkit)
        facts = database.keep("facts", MemoryFacts)
        windows = database.keep("windows", MemoryWindows)
        yield analytics.ports.Deps(
            facts=MethodStore(facts, database, process.life),
            windows=MethodStore(windows, database, process.life),
            source=_source(database, process, toolkit),
            guard=Guard(verified=False),
        )

    return replace(analytics.app.build_service(analytics.config.Config(postgres_dsn=NO_DSN)), build=build)


def _console(world: World, process: Process) -> Service:
    config = console.config.Config(
        gate_address=address_of("compliance-gate"),
        agent_secret=AGENT_SECRET,
        agent_sip_address="media-gateway:5070",
    )

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[ConsoleDeps]:
        sources = _NoSources()
        yield ConsoleDeps(
            config=config,
            gate=ConsoleGate(world.net.channel(process.life, config.gate_address)),
            calls=_Calls(world, process),
            sources=sources,
            hub=Hub(Board(zone=config.pages.zone), sources, toolkit.clock),
            assets={},
            reports=_NoReports(),
        )

    return replace(console.app.build_service(config), build=build)


def _gateway(world: World, process: Process) -> Service:
    config = media_gateway.config.Config(
        gateway_id=process.instance,
        partition=process.ordinal,
        advertised_host=process.instance,
        grpc_port=PORT,
        sip_host="127.0.0.1",
        agent_sip_port=0,
        trunk_sip_port=0,
        rtp_ports=(20000, 21999),
        prompts_dir=NOWHERE,
        channels=CHANNELS,
        gate_address=address_of("compliance-gate"),
        jwks_file=NOWHERE,
        agent_secret=AGENT_SECRET,
        drain_seconds=DRAIN_SECONDS,
        environ={},
    )

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[GatewayDeps]:
        boot_id = toolkit.chance.token()
        life = process.life
        media = WorldMedia(world.air, prompts={SAFE_HARBOUR: SAFE_HARBOUR_SECONDS})
        trunks = world.carrier.trunks(gateway=process.instance, boot_id=boot_id)
        phones = WorldPhones(lambda incoming: media_gateway.app._answer_phone(incoming, deps))
        process.on_death = [trunks.die, phones.die, media.die, lambda: world.phones.pop(process.instance, None)]
        gate = world.net.channel(life, config.gate_address)
        try:
            async with asyncio.TaskGroup() as tasks:
                work = media_gateway.app._Work(tasks)
                deps = GatewayDeps(
                    config=config,
                    clock=toolkit.clock,
                    chance=toolkit.chance,
                    outbox=toolkit.outbox,
                    boot_id=boot_id,
                    gate=GatewayGate(
                        gate, toolkit.clock, toolkit.chance, (config.gateway_id, boot_id), toolkit.inject_trace
                    ),
                    router=GrpcAgentRouter(_Channels(world, process), config.gateway_id, toolkit.inject_trace),
                    clearances=WorldClearances(SIGNER),
                    trunks=trunks,
                    phones=phones,
                    media=media,
                    profile=Profile(),
                    inject_trace=toolkit.inject_trace,
                    child_span=toolkit.child_span,
                    start=work.start,
                )
                world.phones[process.instance] = phones
                try:
                    yield deps
                finally:
                    deps.standing.draining = True
                    await work.cut_off()
        finally:
            process.dies()

    return replace(media_gateway.app.build_service(config), build=build)


def _source(database: Any, process: Process, toolkit: Toolkit) -> Topics:
    """What the service reads back after a restore, and its marks, in its own database."""
    marks = MethodStore(database.keep("marks", MemoryMarks), database, process.life)
    return Topics(past=toolkit.past, marks=marks, clock=toolkit.clock)


async def _database(world: World, process: Process, toolkit: Any) -> Any:
    """The service's database, and its outbox among those that the host relays. Raises DatabaseAway."""
    database = world.databases[process.service]
    await database.reach()
    producer = ProcessProducer(world.broker, process.life, world.weather)
    toolkit.tables.append(Relay(database, process.life, producer))
    return database


class _Calls:
    """console.ports.Calls: as console.adapters.rpc.GrpcCalls, which opens channels of its own."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    async def hang_up(self, address: str, attempt_id: str, agent_id: str) -> bool:
        stub = CallControlStub(self._world.net.channel(self._process.life, address))
        try:
            reply = await stub.HangUp(pb.HangUpRequest(attempt_id=attempt_id, agent_id=agent_id), timeout=2.0)
        except grpc.aio.AioRpcError as error:
            raise console.ports.GatewayAway(error.code().name) from error
        return bool(reply.found)


class _Channels(Channels):
    """The gateway's channels to whom its call.dial or team.owner names."""

    def __init__(self, world: World, process: Process) -> None:
        super().__init__()
        self._world, self._life = world, process.life

    def to(self, address: str) -> Any:
        return self._world.net.channel(self._life, address)


class _NoSources:
    """console.ports.Sources of a console whose pages nobody reads."""

    def configured(self, source: Source) -> bool:
        return False

    async def get(self, source: Source, path: str, query: Mapping[str, str] | None = None) -> Any:
        raise console.ports.SourceAway("nobody said where it is")


class _NoReports:
    """console.ports.Reports without any."""

    def newest_first(self) -> Sequence[console.ports.ReportFile]:
        return ()

    def read(self, name: str) -> bytes | None:
        return None


class _NothingToSend:
    """disposition.ports.Sending where no campaign names a webhook."""

    def check(self) -> None:
        """It never fails."""


@cache
def _pack() -> RulePack:
    return replace(load_rule_pack(tzdata=pin_time_zones()), lists=())  # lists are the gate's own tests' subject


@cache
def _zones() -> frozenset[str]:
    return lead_router.app.iana_zones()
