"""The windows in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zlib import crc32

import asyncpg

from analytics.domain.windows import (
    COUNTED,
    Contribution,
    Counts,
    Window,
    WindowState,
    changes,
    next_revision,
)
from analytics.ports import Share

_COLUMNS = tuple(Contribution.__dataclass_fields__)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_KNOWN = "SELECT * FROM window_attempts WHERE attempt_id = $1"
_PUT = f"""
INSERT INTO window_attempts ({", ".join(_COLUMNS)}) VALUES ({", ".join(f"${n + 1}" for n in range(len(_COLUMNS)))})
ON CONFLICT (attempt_id) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS[1:])}
"""
_CHANGE = f"""
INSERT INTO windows (window_id, share_hash, campaign_id, local_hour, seconds, start, revision, issued, changed_at,
    {", ".join(COUNTED)})
VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, {", ".join(f"${n + 9}" for n in range(len(COUNTED)))})
ON CONFLICT (window_id) DO UPDATE SET
    revision = greatest(windows.revision + 1, excluded.revision),
    changed_at = CASE WHEN windows.revision > windows.issued THEN windows.changed_at ELSE excluded.changed_at END,
    {", ".join(f"{c} = windows.{c} + excluded.{c}" for c in COUNTED)}
"""
_UNISSUED = """
SELECT * FROM windows WHERE revision > issued AND share_hash % $1 = $2 ORDER BY changed_at, window_id LIMIT $3
"""
_MARK = """
UPDATE windows SET issued = greatest(issued, said.revision)
FROM unnest($1::text[], $2::bigint[]) AS said (window_id, revision) WHERE windows.window_id = said.window_id
"""
_WAITING = "SELECT min(changed_at) FROM windows WHERE revision > issued"
_OF_CAMPAIGN = """
SELECT * FROM windows WHERE campaign_id = $1 AND seconds = $2 AND start >= $3
ORDER BY start DESC, local_hour DESC NULLS FIRST LIMIT $4
"""


class PostgresWindows:
    """Implements ports.Windows."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def put(self, contribution: Contribution, now: datetime) -> bool:
        """One attempt at a time by advisory lock; windows are locked in the order of their ids."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK, contribution.attempt_id)
            row = await connection.fetchrow(_KNOWN, contribution.attempt_id)
            known = None if row is None else _contribution(row)
            if not contribution.replaces(known):
                return False
            await connection.execute(_PUT, *(getattr(contribution, c) for c in _COLUMNS))
            changed = sorted(changes(known, contribution).items(), key=lambda change: change[0].window_id)
            await connection.executemany(_CHANGE, [_change(window, counts, now) for window, counts in changed])
            return True

    async def unissued(self, share: Share, limit: int) -> list[WindowState]:
        """One statement, so that revision and counts belong together."""
        return [_state(row) for row in await self._pool.fetch(_UNISSUED, share.of, share.index, limit)]

    async def mark_issued(self, states: Sequence[WindowState]) -> None:
        """One statement."""
        ids, revisions = [s.window.window_id for s in states], [s.revision for s in states]
        await self._pool.execute(_MARK, ids, revisions)

    async def waiting_since(self) -> datetime | None:
        """By the partial index."""
        at: datetime | None = await self._pool.fetchval(_WAITING)
        return at

    async def of_campaign(self, campaign_id: str, seconds: int, since: datetime, limit: int) -> list[WindowState]:
        """Oldest first."""
        rows = await self._pool.fetch(_OF_CAMPAIGN, campaign_id, seconds, since, limit)
        return [_state(row) for row in reversed(rows)]

    async def forget(self, before: datetime) -> None:
        """By the indexes on time."""
        await self._pool.execute("DELETE FROM window_attempts WHERE began_at < $1", before)
        await self._pool.execute("DELETE FROM windows WHERE start < $1", before)


def _change(window: Window, counts: Counts, now: datetime) -> tuple[Any, ...]:
    place = (window.campaign_id, window.local_hour, window.seconds, window.start)
    counted = (getattr(counts, name) for name in COUNTED)
    return (window.window_id, crc32(window.slice.encode()), *place, next_revision(0, now), now, *counted)


def _contribution(row: asyncpg.Record) -> Contribution:
    return Contribution(**{**row, "attempt_id": str(row["attempt_id"])})


def _state(row: asyncpg.Record) -> WindowState:
    window = Window(**{name: row[name] for name in Window.__dataclass_fields__})
    return WindowState(window=window, revision=row["revision"], counts=Counts(**{name: row[name] for name in COUNTED}))
