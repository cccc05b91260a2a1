"""The small service that the contract cases run: a demand in, a supply out, a stop button read whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from outdial_contracts.base import Event
from outdial_contracts.events import PacingDemand, PacingSupply, StopChanged, SupplyReason
from outdial_runtime.outcome import Outcome, Publish
from outdial_runtime.service import Received, Service, Subscription, Toolkit

AT = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
CAMPAIGNS = ("a", "b", "c", "d", "e", "f")
Handler = Callable[[Received[Any], Any], Awaitable[Outcome]]


def demand(campaign: str, epoch: int = 1) -> PacingDemand:
    """An input event of the contract's test service; keyed by campaign over two partitions."""
    return PacingDemand(
        campaign_id=campaign, campaign_version=1, team_id="blue", epoch=epoch, wanted_total=1, asked_at=AT
    )


def supply(campaign: str, epoch: int = 1) -> PacingSupply:
    """An output event of the contract's test service."""
    return PacingSupply(
        team_id="blue",
        campaign_id=campaign,
        epoch=epoch,
        sent_total=1,
        reason=SupplyReason.SATISFIED,
        supplied_at=AT,
    )


def stop_button(scope: str) -> StopChanged:
    """An event of a topic that every replica reads whole."""
    return StopChanged(scope=scope, stopped=True, reason="test", changed_at=AT, changed_by="test")


def service_of(subscriptions: Mapping[type[Event], Subscription], **parts: Any) -> Service:
    """A service whose deps are its toolkit."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Toolkit]:
        yield toolkit

    return Service(name=parts.pop("name", "contract"), build=build, subscriptions=subscriptions, **parts)


def supplier(seen: list[tuple[str, int]]) -> Handler:
    """Answers each demand with a supply and notes it."""

    async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
        seen.append((message.event.campaign_id, message.event.epoch))
        return Publish([supply(message.event.campaign_id, message.event.epoch)])

    return on_demand
