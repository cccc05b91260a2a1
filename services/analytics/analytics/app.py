"""Composition root of analytics."""

from __future__ import annotations

import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from analytics.adapters.postgres import PostgresFacts
from analytics.config import Config
from analytics.handlers import (
    on_call_disposition,
    on_clearance_closed,
    on_compliance_blocked,
    on_get_connect_rate,
    on_get_facts,
    on_get_totals,
)
from analytics.ports import Deps
from outdial_contracts.base import Event
from outdial_contracts.events import CallDisposition, ClearanceClosed, ComplianceBlocked
from outdial_runtime.migrations import migrate
from outdial_runtime.service import HttpRoute, Service, Subscription, Toolkit

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    CallDisposition: Subscription(handler=on_call_disposition),
    ComplianceBlocked: Subscription(handler=on_compliance_blocked),
    ClearanceClosed: Subscription(handler=on_clearance_closed),
}
TICKS = ()
REQUESTS = (
    HttpRoute(method="GET", path="/v1/facts", handler=on_get_facts),
    HttpRoute(method="GET", path="/v1/connect-rate", handler=on_get_connect_rate),
    HttpRoute(method="GET", path="/v1/totals", handler=on_get_totals),
)
MIGRATIONS = Path(__file__).parent / "migrations"
POOL_SIZE = 4


def build_service(config: Config) -> Service:
    """The whole service."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        zoneinfo.reset_tzpath(to=[])  # local time by the pinned tzdata wheel, not by the machine's copy
        async with asyncpg.create_pool(config.postgres_dsn, min_size=1, max_size=POOL_SIZE) as pool:
            await migrate(pool, MIGRATIONS)
            yield Deps(facts=PostgresFacts(pool))

    return Service(name="analytics", build=build, subscriptions=SUBSCRIPTIONS, ticks=TICKS, requests=REQUESTS)
