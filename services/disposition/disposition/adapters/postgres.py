"""Attempts in PostgreSQL: a row per attempt, the record as JSON, locked while it is folded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from disposition.domain.record import AttemptRecord
from outdial_contracts.events import CallDisposition
from outdial_runtime.outcome import Emit
from outdial_runtime.service import TableOutbox

if TYPE_CHECKING:  # generic in the stubs only
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

_LOCK = "SELECT record FROM attempts WHERE attempt_id = $1 FOR UPDATE"
_LOCK_ATTEMPT = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_SAVE = """
INSERT INTO attempts (attempt_id, record, deadline_at, said) VALUES ($1, $2, $3, $4)
ON CONFLICT (attempt_id) DO UPDATE
SET record = excluded.record, deadline_at = excluded.deadline_at, said = excluded.said
"""
_DUE = "SELECT attempt_id::text FROM attempts WHERE deadline_at <= $1 ORDER BY deadline_at LIMIT $2"
_UNSAID = "SELECT record FROM attempts WHERE NOT said AND record -> 'redemption' <> 'null' ORDER BY attempt_id LIMIT $1"


class PostgresUnit:
    """Implements ports.Unit."""

    def __init__(self, connection: Connection, outbox: TableOutbox, record: AttemptRecord | None) -> None:
        self._connection, self._outbox, self.record = connection, outbox, record

    async def save(self, record: AttemptRecord) -> None:
        """Writes the row."""
        said = record.said_code is not None
        body = msgspec.json.encode(record).decode()
        await self._connection.execute(_SAVE, record.head.attempt_id, body, record.deadline_at, said)

    async def say(self, event: CallDisposition, cause: str) -> None:
        """A row of the outbox, in the same transaction."""
        await self._outbox.write(self._connection, [Emit(event=event, cause=cause, revision=event.revision)])


class PostgresStore:
    """Implements ports.Store."""

    def __init__(self, pool: asyncpg.Pool, outbox: TableOutbox) -> None:
        self._pool, self._outbox = pool, outbox

    @asynccontextmanager
    async def attempt(self, attempt_id: str) -> AsyncIterator[PostgresUnit]:
        """An advisory lock stands in for the row lock while the row does not exist yet."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK_ATTEMPT, attempt_id)
            body = await connection.fetchval(_LOCK, attempt_id)
            yield PostgresUnit(connection, self._outbox, _record(body) if body else None)

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Attempts to look at."""
        return [row[0] for row in await self._pool.fetch(_DUE, now, limit)]

    async def unsaid(self, limit: int) -> list[AttemptRecord]:
        """Attempts without a disposition."""
        return [_record(row[0]) for row in await self._pool.fetch(_UNSAID, limit)]

    async def get(self, attempt_id: str) -> AttemptRecord | None:
        """One attempt."""
        body = await self._pool.fetchval("SELECT record FROM attempts WHERE attempt_id = $1", attempt_id)
        return _record(body) if body else None


def _record(body: str) -> AttemptRecord:
    return msgspec.json.decode(body, type=AttemptRecord)
