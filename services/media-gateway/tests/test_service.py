"""The service under its real host and loop, on the memory broker: events in, events out."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from media_gateway.app import build_service
from outdial_contracts.events import (
    CallEnded,
    DialRefusal,
    DialRefused,
    DocumentKind,
    DocumentPublished,
    GatewayCapacity,
    NotDialledReason,
)
from outdial_runtime.clock import SystemClock
from outdial_testing import MemoryBroker, run_in_memory

from .handlers.fakes import ROUTE, START
from .test_loopback import configuration, dial_of


async def test_dial_with_the_gate_away_calls_nobody_and_is_reported(tmp_path: Path) -> None:
    config, key = configuration(tmp_path)
    broker = MemoryBroker(SystemClock())
    document = DocumentPublished(
        document_id=ROUTE.route_id,
        kind=DocumentKind.ROUTE,
        version=1,
        published_at=START,
        published_by="test",
        route=ROUTE,
    )
    attempt_id = str(uuid.uuid4())
    async with asyncio.timeout(20), run_in_memory(build_service(config), broker) as service:
        broker.publish(document)
        while not service.deps.standing.routes:
            await asyncio.sleep(0.01)
        broker.publish(dial_of(attempt_id, key))
        while not broker.events(CallEnded):
            await asyncio.sleep(0.01)
        while not broker.events(GatewayCapacity):
            await asyncio.sleep(0.05)
    [ended] = broker.events(CallEnded)
    assert (ended.attempt_id, ended.dialled) == (attempt_id, False)
    assert ended.not_dialled_reason is NotDialledReason.GATE_UNREACHABLE
    assert broker.events(GatewayCapacity)[-1].draining


async def test_unknown_route_is_refused_to_the_pacer(tmp_path: Path) -> None:
    config, key = configuration(tmp_path)
    broker = MemoryBroker(SystemClock())
    async with asyncio.timeout(20), run_in_memory(build_service(config), broker):
        broker.publish(dial_of(str(uuid.uuid4()), key))
        while not broker.events(DialRefused):
            await asyncio.sleep(0.01)
    assert [refused.reason for refused in broker.events(DialRefused)] == [DialRefusal.NO_ROUTE]
    assert not broker.dead("call.dial")
