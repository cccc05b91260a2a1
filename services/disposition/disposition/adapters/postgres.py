"""Attempts in PostgreSQL: a row per attempt, the record as JSON, locked while it is folded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from disposition.adapters.webhook_postgres import queue
from disposition.domain.payloads import Webhook
from disposition.domain.record import AttemptRecord
from outdial_contracts.events import CallDisposition
from outdial_runtime.outcome import Emit
from outdial_runtime.service import TableOutbox

if TYPE_CHECKING:  # generic in the stubs only
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_GET = "SELECT record FROM attempts WHERE attempt_id = $1"
_SAVE = """
INSERT INTO attempts (attempt_id, record, deadline_at, waiting_since, gateway_id, boot_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (attempt_id) DO UPDATE SET record = excluded.record, deadline_at = excluded.deadline_at,
    waiting_since = excluded.waiting_since, gateway_id = excluded.gateway_id, boot_id = excluded.boot_id
"""
_DUE = "SELECT attempt_id::text FROM attempts WHERE deadline_at <= $1 ORDER BY deadline_at LIMIT $2"
_BOOTS = "SELECT DISTINCT gateway_id, boot_id FROM attempts WHERE waiting_since IS NOT NULL"
_OF_BOOT = """
SELECT attempt_id::text FROM attempts
WHERE waiting_since <= $3 AND gateway_id = $1 AND boot_id IS NOT DISTINCT FROM $2 ORDER BY waiting_since LIMIT $4
"""


class PostgresUnit:
    """Implements ports.Unit."""

    def __init__(self, connection: Connection, outbox: TableOutbox, record: AttemptRecord | None) -> None:
        self._connection, self._outbox, self.record = connection, outbox, record

    async def save(self, record: AttemptRecord) -> None:
        """Writes the row."""
        since = record.waiting_since
        gateway_id, boot_id = record.boot if since is not None else (None, None)
        body = msgspec.json.encode(record).decode()
        row = (record.attempt_id, body, record.deadline_at, since, gateway_id, boot_id)
        await self._connection.execute(_SAVE, *row)

    async def say(self, event: CallDisposition, cause: str) -> None:
        """A row of the outbox, in the same transaction."""
        await self._outbox.write(self._connection, [Emit(event=event, cause=cause, revision=event.revision)])

    async def tell(self, webhook: Webhook, now: datetime) -> None:
        """A row, in the same transaction."""
        await queue(self._connection, [webhook], now)


class PostgresStore:
    """Implements ports.Store."""

    def __init__(self, pool: asyncpg.Pool, outbox: TableOutbox) -> None:
        self._pool, self._outbox = pool, outbox

    @asynccontextmanager
    async def attempt(self, attempt_id: str) -> AsyncIterator[PostgresUnit]:
        """An advisory lock, because a row lock can't be had while the row does not exist yet."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK, attempt_id)
            body = await connection.fetchval(_GET, attempt_id)
            yield PostgresUnit(connection, self._outbox, _record(body) if body else None)

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Attempts to look after."""
        return [row[0] for row in await self._pool.fetch(_DUE, now, limit)]

    async def boots(self) -> list[tuple[str | None, str | None]]:
        """Where calls are awaited to end."""
        return [(row[0], row[1]) for row in await self._pool.fetch(_BOOTS)]

    async def of_boot(self, gateway_id: str, boot_id: str | None, until: datetime, limit: int) -> list[str]:
        """Attempts that wait for their end there, oldest first."""
        return [row[0] for row in await self._pool.fetch(_OF_BOOT, gateway_id, boot_id, until, limit)]

    async def get(self, attempt_id: str) -> AttemptRecord | None:
        """One attempt."""
        body = await self._pool.fetchval(_GET, attempt_id)
        return _record(body) if body else None


def _record(body: str) -> AttemptRecord:
    return msgspec.json.decode(body, type=AttemptRecord)
