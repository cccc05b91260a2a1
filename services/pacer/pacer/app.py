"""Composition root: what the pacer consumes, answers and does by the clock. It has no store but its journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from outdial_contracts.base import Event
from outdial_contracts.events import (
    AbandonBudget,
    AgentLeg,
    AgentState,
    CallAnswered,
    CallEnded,
    CallProgress,
    CampaignPublished,
    ClearanceClosed,
    ComplianceBlocked,
    ComplianceCleared,
    DialRefused,
    GatewayCapacity,
    PacingSupply,
    StopChanged,
)
from outdial_runtime.service import GrpcMethod, HttpRoute, Read, Service, Subscription, Tick, Toolkit
from pacer.config import Config
from pacer.handlers.asking import get_team, get_why
from pacer.handlers.assigning import on_assign
from pacer.handlers.owning import TeamPartitions
from pacer.handlers.team_events import (
    on_agent_leg,
    on_agent_state,
    on_call_answered,
    on_call_ended,
    on_call_progress,
    on_clearance_closed,
    on_compliance_blocked,
    on_compliance_cleared,
    on_dial_refused,
    on_pacing_supply,
)
from pacer.handlers.ticks import on_pacing
from pacer.handlers.world_events import (
    on_abandon_budget,
    on_campaign_published,
    on_gateway_capacity,
    on_stop_changed,
)
from pacer.ports import Deps

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    ComplianceCleared: Subscription(handler=on_compliance_cleared),
    ComplianceBlocked: Subscription(handler=on_compliance_blocked),
    ClearanceClosed: Subscription(handler=on_clearance_closed),
    DialRefused: Subscription(handler=on_dial_refused),
    CallProgress: Subscription(handler=on_call_progress),
    CallAnswered: Subscription(handler=on_call_answered),
    CallEnded: Subscription(handler=on_call_ended),
    AgentState: Subscription(handler=on_agent_state),
    AgentLeg: Subscription(handler=on_agent_leg),
    PacingSupply: Subscription(handler=on_pacing_supply),
    CampaignPublished: Subscription(handler=on_campaign_published, read=Read.WHOLE),
    StopChanged: Subscription(handler=on_stop_changed, read=Read.WHOLE),
    AbandonBudget: Subscription(handler=on_abandon_budget, read=Read.WHOLE),
    GatewayCapacity: Subscription(handler=on_gateway_capacity, read=Read.WHOLE_LATEST),
}
"""pacing.journal is not among them: partitions' hooks read it back."""
TICKS = (Tick(handler=on_pacing, every_seconds=0.2, per_partition_of=AgentState),)
REQUESTS: tuple[GrpcMethod | HttpRoute, ...] = (
    GrpcMethod(service="AgentRouter", method="Assign", handler=on_assign),
    HttpRoute(method="GET", path="/v1/why/{campaign_id}", handler=get_why),
    HttpRoute(method="GET", path="/v1/teams/{team_id}", handler=get_team),
)


def build_service(config: Config) -> Service:
    """The service, not yet running."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        yield Deps(
            clock=toolkit.clock,
            journal=toolkit.journal,
            outbox=toolkit.outbox,
            owner_id=config.owner_id,
            address=config.address,
            snapshot_every_records=config.snapshot_every_records,
        )

    return Service(
        name="pacer",
        build=build,
        subscriptions=SUBSCRIPTIONS,
        ticks=TICKS,
        requests=REQUESTS,
        hooks=TeamPartitions(),
        ready=_not_ready,
    )


def _not_ready(deps: Deps) -> str | None:
    return "partitions are being replayed" if deps.owned.replaying else None
