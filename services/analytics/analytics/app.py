"""Composition root of analytics."""

from __future__ import annotations

import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from analytics.adapters.postgres import PostgresFacts
from analytics.adapters.postgres_windows import PostgresWindows
from analytics.config import Config
from analytics.handlers.facts import (
    on_call_disposition,
    on_clearance_closed,
    on_compliance_blocked,
    on_get_connect_rate,
    on_get_facts,
    on_get_totals,
)
from analytics.handlers.restoring import watch_restore
from analytics.handlers.windows import (
    on_call_ended,
    on_forget_windows,
    on_get_windows,
    on_get_windows_metrics,
    on_issue_windows,
)
from analytics.ports import Deps
from outdial_contracts.base import Event
from outdial_contracts.events import CallDisposition, CallEnded, ClearanceClosed, ComplianceBlocked
from outdial_runtime.marks import PoolMarks
from outdial_runtime.migrations import migrate
from outdial_runtime.reading_back import Guard, Source, not_ready_because, once_read_back
from outdial_runtime.service import HttpRoute, Service, Subscription, Tick, Toolkit

POOL_SIZE = 4
"""Also how many messages are handled at once: they share nothing but the tables."""
SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    CallDisposition: Subscription(handler=on_call_disposition, side_by_side=POOL_SIZE),
    CallEnded: Subscription(handler=on_call_ended, side_by_side=POOL_SIZE),
    ComplianceBlocked: Subscription(handler=on_compliance_blocked),
    ClearanceClosed: Subscription(handler=on_clearance_closed),
}
TICKS = (
    Tick(handler=watch_restore, every_seconds=0.5),
    Tick(handler=once_read_back(on_issue_windows), every_seconds=1.0, per_partition_of=CallDisposition),
    Tick(handler=on_forget_windows, every_seconds=3600.0),
)
REQUESTS = (
    HttpRoute(method="GET", path="/v1/facts", handler=on_get_facts),
    HttpRoute(method="GET", path="/v1/connect-rate", handler=on_get_connect_rate),
    HttpRoute(method="GET", path="/v1/totals", handler=on_get_totals),
    HttpRoute(method="GET", path="/v1/windows", handler=on_get_windows),
    HttpRoute(method="GET", path="/v1/windows/metrics", handler=on_get_windows_metrics),
)
MIGRATIONS = Path(__file__).parent / "migrations"


def build_service(config: Config) -> Service:
    """The whole service."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        zoneinfo.reset_tzpath(to=[])  # local time by the pinned tzdata wheel, not by the machine's copy
        async with asyncpg.create_pool(config.postgres_dsn, min_size=1, max_size=POOL_SIZE) as pool:
            await migrate(pool, MIGRATIONS)
            yield Deps(
                facts=PostgresFacts(pool),
                windows=PostgresWindows(pool),
                source=Source(past=toolkit.past, marks=PoolMarks(pool), clock=toolkit.clock),
                guard=Guard(verified=False),
            )

    return Service(
        name="analytics",
        build=build,
        subscriptions=SUBSCRIPTIONS,
        ticks=TICKS,
        requests=REQUESTS,
        ready=not_ready_because,
    )
