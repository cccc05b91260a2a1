"""The table outbox of a memory store: events that are written with the store's commit and relayed after it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from outdial_runtime.broker import Record
from outdial_runtime.outcome import Emit
from outdial_runtime.records import Stamp
from outdial_world.life import Life, Step
from outdial_world.wire import ProcessProducer

if TYPE_CHECKING:
    from outdial_world.stores import Database

MAX_BATCH = 500
IDLE_SECONDS = 0.05


@dataclass
class Rows:
    """The table: durable, shared by all replicas; one relays at a time."""

    waiting: deque[Record] = field(default_factory=deque)
    relaying: asyncio.Lock = field(default_factory=asyncio.Lock)
    written: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, service: str, events: Sequence[Emit], now: datetime) -> None:
        """Part of the store's commit; one write's ordinals are its own, as in outdial_runtime.table_outbox."""
        if events:
            self.waiting.extend(Stamp(service=service, cause="", now=now, traces=NoTraces()).records(events))
            self.written.set()


class Relay:
    """What the host runs for each process: outdial_runtime.table_outbox.RelayedOutbox on Rows."""

    def __init__(self, database: Database, life: Life, producer: ProcessProducer) -> None:
        self.pool: Any = database
        self._database, self._life, self._producer = database, life, producer

    async def run(self) -> None:
        """Relays until cancelled."""
        while True:
            if not await self.relay():
                await self._database.rows.written.wait()
                await asyncio.sleep(0.003)

    async def relay(self) -> int:
        """Moves the oldest rows to the broker; a crash before the delete repeats them under the same ids."""
        rows = self._database.rows
        async with rows.relaying:
            await self._database.reach()
            batch = list(rows.waiting)[:MAX_BATCH]
            if not batch:
                rows.written.clear()
                return 0
            await self._producer.produce(batch)
            await self._life.step(Step.RELAY_BEFORE)
            for _ in batch:
                rows.waiting.popleft()
            await self._life.step(Step.RELAY_AFTER)
        return len(batch)

    async def drain(self) -> None:
        """Relays until the table is empty."""
        while await self.relay():
            pass


class NoTraces:
    """outdial_runtime.records.Traces that knows of none."""

    def publish(self, topic: str, attempt_id: str | None) -> str | None:
        return None
