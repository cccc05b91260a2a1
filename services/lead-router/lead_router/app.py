"""Composition root: what lead-router consumes, answers and does by the clock, and the adapters behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import asyncpg

from lead_router.adapters.postgres import PostgresStore
from lead_router.config import Config
from lead_router.handlers.controls import on_campaign_published, on_stop_changed, on_suppression_changed
from lead_router.handlers.imports import post_import
from lead_router.handlers.intake import delete_lead, on_lead_submitted, post_lead
from lead_router.handlers.offers import on_call_disposition, on_clearance_closed, on_compliance_blocked
from lead_router.handlers.reading_back import answered_once_read_back, once_read_back
from lead_router.handlers.reads import get_campaign_leads, get_lead, rpc_get_lead
from lead_router.handlers.restoring import not_ready_because, watch_restore
from lead_router.handlers.supplying import on_pacing_demand
from lead_router.handlers.ticks import on_housekeeping, on_schedule
from lead_router.ports import Deps, Guard
from outdial_contracts.base import Event
from outdial_contracts.events import (
    CallDisposition,
    CampaignPublished,
    ClearanceClosed,
    ComplianceBlocked,
    LeadSubmitted,
    PacingDemand,
    StopChanged,
    SuppressionChanged,
)
from outdial_runtime.migrations import migrate
from outdial_runtime.service import GrpcMethod, HttpRoute, Service, Subscription, Tick, Toolkit

MIGRATIONS = Path(__file__).parent / "migrations"

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    LeadSubmitted: Subscription(handler=once_read_back(on_lead_submitted)),
    PacingDemand: Subscription(handler=once_read_back(on_pacing_demand)),
    ComplianceBlocked: Subscription(handler=once_read_back(on_compliance_blocked)),
    ClearanceClosed: Subscription(handler=once_read_back(on_clearance_closed)),
    CallDisposition: Subscription(handler=once_read_back(on_call_disposition)),
    SuppressionChanged: Subscription(handler=once_read_back(on_suppression_changed)),
    CampaignPublished: Subscription(handler=once_read_back(on_campaign_published)),
    StopChanged: Subscription(handler=once_read_back(on_stop_changed)),
}
TICKS = (
    Tick(handler=watch_restore, every_seconds=0.5),
    Tick(handler=once_read_back(on_schedule), every_seconds=1.0),
    Tick(handler=on_housekeeping, every_seconds=60.0),
)
REQUESTS: tuple[GrpcMethod | HttpRoute, ...] = (
    HttpRoute(method="POST", path="/v1/leads", handler=answered_once_read_back(post_lead)),
    HttpRoute(method="POST", path="/v1/imports", handler=answered_once_read_back(post_import)),
    HttpRoute(method="GET", path="/v1/leads/{lead_id}", handler=get_lead),
    HttpRoute(method="DELETE", path="/v1/leads/{lead_id}", handler=answered_once_read_back(delete_lead)),
    HttpRoute(method="GET", path="/v1/campaigns/{campaign_id}/leads", handler=get_campaign_leads),
    GrpcMethod(service="Leads", method="Get", handler=rpc_get_lead, attempt_field=None),
)


def build_service(config: Config) -> Service:
    """The service, not yet running."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        async with asyncpg.create_pool(config.postgres_dsn, min_size=1, max_size=config.pool_size) as pool:
            await migrate(pool, MIGRATIONS)
            yield Deps(
                store=PostgresStore(pool, toolkit.table_outbox(pool)),
                keys=config.token_keys,
                zones=iana_zones(),
                idempotency_hours=config.idempotency_hours,
                past=toolkit.past,
                clock=toolkit.clock,
                guard=Guard(verified=False),
            )

    return Service(
        name="lead-router",
        build=build,
        subscriptions=SUBSCRIPTIONS,
        ticks=TICKS,
        requests=REQUESTS,
        ready=not_ready_because,
    )


def iana_zones() -> frozenset[str]:
    """Names of the zones in the pinned tzdata wheel."""
    return frozenset((resources.files("tzdata") / "zones").read_text(encoding="utf-8").split())
