"""The table outbox: rows written in the service's own transaction, relayed in order after its commit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from outdial_runtime.broker import Producer, Record
from outdial_runtime.migrations import migrate_runtime
from outdial_runtime.outcome import Emit
from outdial_runtime.records import Stamp
from outdial_runtime.surroundings import Surroundings

MAX_BATCH = 500
IDLE_SECONDS = 0.05
AWAITED_SECONDS = 0.003
"""How often to look while a write of this process awaits its commit."""
AWAIT_COMMIT_SECONDS = 0.25
INSERT = """INSERT INTO outbox (topic, key, partition, value, headers)
    SELECT topic, key, partition, value, headers::jsonb
    FROM unnest($1::text[], $2::bytea[], $3::integer[], $4::bytea[], $5::text[])
        WITH ORDINALITY AS new (topic, key, partition, value, headers, position) ORDER BY position"""
SELECT = "SELECT seq, topic, key, partition, value, headers::text FROM outbox ORDER BY seq LIMIT $1"
LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.outbox', 0))"


class RelayedOutbox:
    """outdial_runtime.service.TableOutbox on an asyncpg pool.

    One replica relays at a time (advisory lock of the schema). A crash between acknowledgement and delete repeats
    events under the same ce_id. Rows written under one lock of the service's own keep their order.
    """

    def __init__(self, around: Surroundings, producer: Producer, pool: Any) -> None:
        self.pool = pool
        self._around = around
        self._producer = producer
        self._written = asyncio.Event()
        self._awaited = 0
        self._await_until = 0.0

    async def write(self, connection: Any, events: Sequence[Emit]) -> None:
        around = self._around
        stamp = Stamp(service=around.service, cause="", now=around.clock.now(), traces=around.spans)
        records = stamp.records(events)
        if not records:
            return
        await connection.execute(
            INSERT,
            [r.topic for r in records],
            [r.key for r in records],
            [r.partition for r in records],
            [r.value for r in records],
            [json.dumps([[name, value.decode()] for name, value in r.headers]) for r in records],
        )
        self._awaited += len(records)
        self._await_until = asyncio.get_running_loop().time() + AWAIT_COMMIT_SECONDS
        self._written.set()

    async def run(self) -> None:
        """Relays until cancelled."""
        await migrate_runtime(self.pool)
        while True:
            moved = await self.relay()
            self._awaited = max(self._awaited - moved, 0)
            if not moved:
                await self._pause()

    async def relay(self) -> int:
        """Moves the oldest rows to Kafka and returns how many; 0 when empty or when another replica is at it."""
        async with self.pool.acquire() as connection:
            if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM outbox)"):
                self._around.metrics.outbox_depth.labels("table").set(0)
                return 0
            async with connection.transaction():
                if not await connection.fetchval(LOCK):
                    return 0
                rows = await connection.fetch(SELECT, MAX_BATCH)
                self._around.metrics.outbox_depth.labels("table").set(len(rows))
                await self._producer.produce([_record(row) for row in rows])
                await connection.execute("DELETE FROM outbox WHERE seq = ANY($1)", [row["seq"] for row in rows])
        return len(rows)

    async def drain(self) -> None:
        """Relays until the table is empty (or another replica relays it)."""
        while await self.relay():
            pass

    async def _pause(self) -> None:
        if self._awaited and asyncio.get_running_loop().time() < self._await_until:
            await asyncio.sleep(AWAITED_SECONDS)
            return
        self._awaited = 0
        self._written.clear()
        try:
            await asyncio.wait_for(self._written.wait(), IDLE_SECONDS)
        except TimeoutError:
            return


def _record(row: Any) -> Record:
    headers = [(name, value.encode()) for name, value in json.loads(row["headers"])]
    return Record(topic=row["topic"], key=row["key"], value=row["value"], headers=headers, partition=row["partition"])
