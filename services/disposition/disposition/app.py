"""Composition root of disposition."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import grpc

from disposition.adapters.gate_grpc import RECONNECT, GrpcSuppressor
from disposition.adapters.postgres import PostgresStore
from disposition.config import Config
from disposition.domain.watch import GatewayWatch
from disposition.handlers import (
    on_agent_wrapup,
    on_call_answered,
    on_call_ended,
    on_call_progress,
    on_clearance_closed,
    on_deadline_tick,
    on_gateway_capacity,
    on_get_attempt,
)
from disposition.ports import Deps
from outdial_contracts.base import Event
from outdial_contracts.events import (
    AgentWrapup,
    CallAnswered,
    CallEnded,
    CallProgress,
    ClearanceClosed,
    GatewayCapacity,
)
from outdial_runtime.migrations import migrate
from outdial_runtime.service import HttpRoute, Read, Service, Subscription, Tick, Toolkit

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    ClearanceClosed: Subscription(handler=on_clearance_closed),
    CallProgress: Subscription(handler=on_call_progress),
    CallAnswered: Subscription(handler=on_call_answered),
    CallEnded: Subscription(handler=on_call_ended),
    AgentWrapup: Subscription(handler=on_agent_wrapup),
    GatewayCapacity: Subscription(handler=on_gateway_capacity, read=Read.WHOLE_LATEST),
}
TICKS = (Tick(handler=on_deadline_tick, every_seconds=1.0),)
REQUESTS = (HttpRoute(method="GET", path="/v1/attempts/{attempt_id}", handler=on_get_attempt),)
MIGRATIONS = Path(__file__).parent / "migrations"
POOL_SIZE = 4


def build_service(config: Config) -> Service:
    """The whole service; its public topic is produced in the transaction that commits the inputs."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        channel = grpc.aio.insecure_channel(config.gate_address, options=RECONNECT)
        async with asyncpg.create_pool(config.postgres_dsn, min_size=1, max_size=POOL_SIZE) as pool, channel:
            await migrate(pool, MIGRATIONS)
            yield Deps(
                store=PostgresStore(pool, toolkit.table_outbox(pool)),
                gate=GrpcSuppressor(channel),
                watch=GatewayWatch(since=toolkit.clock.now()),
            )

    return Service(
        name="disposition",
        build=build,
        subscriptions=SUBSCRIPTIONS,
        ticks=TICKS,
        requests=REQUESTS,
        exactly_once=True,
    )
