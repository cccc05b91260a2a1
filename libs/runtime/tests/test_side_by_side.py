"""Messages of different keys handled at once keep every promise of the loop: order of a key, offsets, faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from outdial_contracts.events import PacingDemand, PacingSupply, SupplyReason
from outdial_runtime.loop import HandlerFault
from outdial_runtime.outcome import Outcome, Publish, RetryLater
from outdial_runtime.service import Received, Service, Subscription, Toolkit
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

AT = datetime(2026, 11, 17, 15, tzinfo=UTC)
KEYS = ("a", "b", "c", "d", "e", "f")
SECONDS = 10.0
Handler = Callable[[Received[PacingDemand], Any], Awaitable[Outcome]]


def demand(campaign: str, epoch: int = 1) -> PacingDemand:
    return PacingDemand(
        campaign_id=campaign, campaign_version=1, team_id="blue", epoch=epoch, wanted_total=1, asked_at=AT
    )


def supply(campaign: str, epoch: int = 1) -> PacingSupply:
    reason = SupplyReason.SATISFIED
    return PacingSupply(team_id="blue", campaign_id=campaign, epoch=epoch, sent_total=1, reason=reason, supplied_at=AT)


def service_of(handler: Handler, side_by_side: int = len(KEYS)) -> Service:
    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Toolkit]:
        yield toolkit

    subscription = Subscription(handler=handler, side_by_side=side_by_side)
    return Service(name="s", build=build, subscriptions={PacingDemand: subscription})


def waiting_broker(*events: PacingDemand) -> MemoryBroker:
    """All of them are there before the service starts, so that its first poll brings them together."""
    broker = MemoryBroker(VirtualClock())
    broker.publish(*events)
    return broker


async def test_different_keys_are_handled_at_once_and_answered_in_order() -> None:
    all_in = asyncio.Barrier(len(KEYS))
    entered: list[str] = []
    left: list[str] = []

    async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
        entered.append(message.event.campaign_id)
        async with asyncio.timeout(SECONDS):
            await all_in.wait()
        while left != entered[: entered.index(message.event.campaign_id) : -1]:
            await asyncio.sleep(0)
        left.append(message.event.campaign_id)
        return Publish([supply(message.event.campaign_id)])

    broker = waiting_broker(*map(demand, KEYS))
    async with run_in_memory(service_of(on_demand), broker) as runtime:
        await runtime.settle()
    assert left == entered[::-1]
    assert [e.campaign_id for e in broker.events(PacingSupply)] == entered


async def test_no_more_are_handled_at_once_than_allowed() -> None:
    inside: set[str] = set()
    most = 0

    async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
        nonlocal most
        inside.add(message.event.campaign_id)
        most = max(most, len(inside))
        await asyncio.sleep(0)
        inside.discard(message.event.campaign_id)
        return Publish([supply(message.event.campaign_id)])

    broker = waiting_broker(*map(demand, KEYS))
    async with run_in_memory(service_of(on_demand, side_by_side=2), broker) as runtime:
        await runtime.settle()
    assert most == 2
    assert len(broker.events(PacingSupply)) == len(KEYS)


async def test_messages_of_one_key_never_overlap() -> None:
    inside: set[str] = set()
    epochs: list[int] = []

    async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
        assert message.event.campaign_id not in inside
        inside.add(message.event.campaign_id)
        await asyncio.sleep(0)
        inside.discard(message.event.campaign_id)
        epochs.append(message.event.epoch)
        return Publish([supply(message.event.campaign_id, message.event.epoch)])

    broker = waiting_broker(*(demand("a", epoch) for epoch in (1, 2, 3, 4)))
    async with run_in_memory(service_of(on_demand), broker) as runtime:
        await runtime.settle()
    assert epochs == [1, 2, 3, 4]


async def test_one_put_off_holds_back_the_ones_behind_it_and_loses_none() -> None:
    broker = waiting_broker(*map(demand, KEYS))
    messages = broker.log.messages(PacingDemand.TOPIC)
    fullest = max((m.partition for m in messages), key=lambda p: sum(m.partition == p for m in messages))
    first, second, *behind = [m.key.decode() for m in messages if m.partition == fullest and m.key]
    handled: list[str] = []

    async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
        campaign = message.event.campaign_id
        handled.append(campaign)
        if campaign == second and handled.count(campaign) == 1:
            return RetryLater("NOT_YET", after_seconds=5.0)
        return Publish([supply(campaign)])

    async with run_in_memory(service_of(on_demand), broker) as runtime:
        await runtime.settle()
        published = {e.campaign_id for e in broker.events(PacingSupply)}
        assert first in published
        assert published.isdisjoint({second, *behind})
        await runtime.advance(5.5)
    assert sorted(e.campaign_id for e in broker.events(PacingSupply)) == list(KEYS)
    assert handled.count(first) == 1
    async with run_in_memory(service_of(on_demand), broker) as runtime:
        before = len(handled)
        await runtime.settle()
        assert len(handled) == before


async def test_a_fault_beside_others_ends_the_service_and_commits_nothing() -> None:
    async def failing(message: Received[PacingDemand], deps: Any) -> Outcome:
        if message.event.campaign_id == KEYS[2]:
            raise LookupError("broken")
        return Publish([supply(message.event.campaign_id)])

    async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
        return Publish([supply(message.event.campaign_id)])

    broker = waiting_broker(*map(demand, KEYS))
    with pytest.raises(HandlerFault, match="LookupError"):
        async with run_in_memory(service_of(failing), broker) as runtime:
            await runtime.settle()
    async with run_in_memory(service_of(on_demand), broker) as runtime:
        await runtime.settle()
    assert sorted(e.campaign_id for e in broker.events(PacingSupply)) == list(KEYS)
