"""The whole service on the memory broker, killed at seeded moments of a stream: the last records equal its store."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from analytics.adapters.memory import MemoryFacts, MemoryWindows
from analytics.app import REQUESTS, SUBSCRIPTIONS, TICKS
from analytics.domain.windows import record_of
from analytics.ports import Deps
from outdial_contracts.events import ConnectRateWindow
from outdial_runtime.service import Service, Toolkit
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

Make = Callable[..., Any]


@pytest.mark.parametrize("seed", range(5))
async def test_the_topic_ends_as_the_store_whatever_dies_when(seed: int, disposed: Make, ended: Make) -> None:
    chance, clock = random.Random(seed), VirtualClock()
    broker, facts, windows = MemoryBroker(clock), MemoryFacts(), MemoryWindows()
    service = service_on(facts, windows)
    for life in range(6):
        async with run_in_memory(service, broker) as running:
            for number in chance.sample(range(40), 10):
                at = clock.now() - timedelta(minutes=chance.randrange(20))
                broker.publish(ended(number, invited_at=at), cause=f"{life}-{number}-ended")
                said = disposed(number, revision=chance.randint(1, 3), redeemed_at=at, connected=chance.random() < 0.5)
                broker.publish(said, cause=f"{life}-{number}-disposed")
                if chance.random() < 0.3:
                    await pass_time(clock, turns=chance.randrange(60))
            if life < 5:
                await running.kill()
            else:
                await pass_time(clock, turns=2000)
    last: dict[str, ConnectRateWindow] = {}
    for record in broker.events(ConnectRateWindow):
        before = last.get(record.window_id)
        assert before is None or before.revision <= record.revision
        last[record.window_id] = record
    assert last == {window.window_id: record_of(state) for window, state in windows.states.items()}
    assert sum(record.attempts for record in last.values() if record.window_seconds == 300) == len(windows.attempts)
    assert len(windows.attempts) > 20


async def pass_time(clock: VirtualClock, turns: int) -> None:
    """Lets tasks run, a few turns of the event loop for each tenth of a second; not until they are done."""
    for turn in range(turns):
        if turn % 20 == 0:
            clock.advance(0.1)
        await asyncio.sleep(0)


def service_on(facts: MemoryFacts, windows: MemoryWindows) -> Service:
    """The service as it is, on stores that outlive it."""

    @asynccontextmanager
    async def build(_toolkit: Toolkit) -> AsyncIterator[Deps]:
        yield Deps(facts=facts, windows=windows)

    return Service(name="analytics", build=build, subscriptions=SUBSCRIPTIONS, ticks=TICKS, requests=REQUESTS)
