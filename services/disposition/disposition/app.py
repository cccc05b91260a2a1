"""Composition root of disposition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import grpc

from disposition.adapters.gate_grpc import RECONNECT, GrpcSuppressor
from disposition.adapters.postgres import PostgresStore
from disposition.adapters.webhook_http import HttpPoster
from disposition.adapters.webhook_postgres import PostgresWebhooks
from disposition.adapters.webhook_signing import StandardSigner
from disposition.config import Config
from disposition.domain.watch import GatewayWatch
from disposition.handlers.attempts import (
    on_agent_wrapup,
    on_call_answered,
    on_call_ended,
    on_call_progress,
    on_clearance_closed,
    on_deadline_tick,
    on_gateway_capacity,
    on_get_attempt,
)
from disposition.handlers.restoring import watch_restore
from disposition.handlers.webhooks import (
    on_campaign_published,
    on_count_webhooks,
    on_lead_state,
    on_list_dead,
    on_replay_dead,
    on_sending_tick,
    on_suppression_changed,
)
from disposition.ports import Deps, Webhooks
from disposition.sender import Pace, Sender, SendingTask
from outdial_contracts.base import Event
from outdial_contracts.events import (
    AgentWrapup,
    CallAnswered,
    CallEnded,
    CallProgress,
    CampaignPublished,
    ClearanceClosed,
    GatewayCapacity,
    LeadState,
    SuppressionChanged,
)
from outdial_runtime.marks import PoolMarks
from outdial_runtime.migrations import migrate
from outdial_runtime.reading_back import Guard, Source, not_ready_because, once_read_back
from outdial_runtime.service import HttpRoute, Read, Service, Subscription, Tick, Toolkit

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    ClearanceClosed: Subscription(handler=once_read_back(on_clearance_closed)),
    CallProgress: Subscription(handler=once_read_back(on_call_progress)),
    CallAnswered: Subscription(handler=once_read_back(on_call_answered)),
    CallEnded: Subscription(handler=once_read_back(on_call_ended)),
    AgentWrapup: Subscription(handler=once_read_back(on_agent_wrapup)),
    GatewayCapacity: Subscription(handler=on_gateway_capacity, read=Read.WHOLE_LATEST),
    CampaignPublished: Subscription(handler=on_campaign_published, read=Read.WHOLE),
    LeadState: Subscription(handler=once_read_back(on_lead_state)),
    SuppressionChanged: Subscription(handler=once_read_back(on_suppression_changed)),
}
"""campaign.published is read whole, so that at a start the endpoints are known before what is told to them."""
TICKS = (
    Tick(handler=watch_restore, every_seconds=0.5),
    Tick(handler=once_read_back(on_deadline_tick), every_seconds=1.0),
    Tick(handler=on_sending_tick, every_seconds=1.0),
)
REQUESTS = (
    HttpRoute(method="GET", path="/v1/attempts/{attempt_id}", handler=on_get_attempt),
    HttpRoute(method="GET", path="/v1/webhooks", handler=on_count_webhooks),
    HttpRoute(method="GET", path="/v1/webhooks/dead", handler=on_list_dead),
    HttpRoute(method="POST", path="/v1/webhooks/dead/replay", handler=on_replay_dead),
)
MIGRATIONS = Path(__file__).parent / "migrations"
POOL_SIZE = 6


def build_service(config: Config) -> Service:
    """The whole service; its public topic is produced in the transaction that commits the inputs."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        channel = grpc.aio.insecure_channel(config.gate_address, options=RECONNECT)
        async with asyncpg.create_pool(config.postgres_dsn, min_size=1, max_size=POOL_SIZE) as pool, channel:
            await migrate(pool, MIGRATIONS)
            webhooks = PostgresWebhooks(pool)
            async with _sending(config, webhooks, toolkit) as sending:
                yield Deps(
                    store=PostgresStore(pool, toolkit.table_outbox(pool)),
                    gate=GrpcSuppressor(channel),
                    watch=GatewayWatch(since=toolkit.clock.now()),
                    webhooks=webhooks,
                    sending=sending,
                    source=Source(past=toolkit.past, marks=PoolMarks(pool), clock=toolkit.clock),
                    guard=Guard(verified=False),
                )

    return Service(
        name="disposition",
        build=build,
        subscriptions=SUBSCRIPTIONS,
        ticks=TICKS,
        requests=REQUESTS,
        ready=not_ready_because,
        exactly_once=True,
    )


@asynccontextmanager
async def _sending(config: Config, webhooks: Webhooks, toolkit: Toolkit) -> AsyncIterator[SendingTask]:
    """The sender beside the loop: at a drain what is on the wire is settled, at a fault it is left to its lease."""
    poster = HttpPoster(
        policy=config.webhook_policy,
        timeout_seconds=config.webhook_timeout_seconds,
        ca_file=config.webhook_ca_file,
    )
    async with poster:
        sender = Sender(
            webhooks=webhooks,
            signer=StandardSigner(config.webhook_secrets),
            poster=poster,
            clock=toolkit.clock,
            chance=toolkit.chance,
            pace=Pace(
                delays_seconds=config.webhook_delays_seconds,
                lease_seconds=config.webhook_lease_seconds,
                slots=config.webhook_slots,
            ),
        )
        task = asyncio.create_task(sender.run())
        try:
            yield SendingTask(task)
            sender.stop()
        except BaseException:
            task.cancel()
            raise
        finally:
            await asyncio.wait({task})
