"""The windows in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_PLACES = {
    "window_id": "text", "share_hash": "bigint", "campaign_id": "text", "local_hour": "smallint", "seconds": "integer",
    "start": "timestamptz",
}  # fmt: skip
_LISTS = _PLACES | dict.fromkeys(COUNTED, "bigint")
_NOT_KNOWN = (-1, -1)
"""Revision and leg of no contribution."""


def _places(first: int, count: int) -> str:
    return ", ".join(f"${n}" for n in range(first, first + count))


_KNOWN = "SELECT * FROM window_attempts WHERE attempt_id = $1"
_PUT = f"""
WITH put AS (
    INSERT INTO window_attempts ({", ".join(_COLUMNS)}) VALUES ({_places(5, len(_COLUMNS))})
    ON CONFLICT (attempt_id) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS[1:])}
    WHERE window_attempts.revision = $1 AND window_attempts.leg_no = $2
    RETURNING attempt_id
), changed AS (
    INSERT INTO windows ({", ".join(_LISTS)}, revision, issued, changed_at)
    SELECT new.*, $3::bigint, 0, $4::timestamptz
    FROM unnest({", ".join(f"${n + 5 + len(_COLUMNS)}::{kind}[]" for n, kind in enumerate(_LISTS.values()))}) AS new
    WHERE EXISTS (SELECT 1 FROM put)
    ON CONFLICT (window_id) DO UPDATE SET
        revision = greatest(windows.revision + 1, excluded.revision),
        changed_at = CASE WHEN windows.revision > windows.issued THEN windows.changed_at ELSE excluded.changed_at END,
        {", ".join(f"{c} = windows.{c} + excluded.{c}" for c in COUNTED)}
)
SELECT EXISTS (SELECT 1 FROM put)
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
        """One statement, that does nothing when another word came in since the known one was read: then once more."""
        while True:
            row = await self._pool.fetchrow(_KNOWN, contribution.attempt_id)
            known = None if row is None else _contribution(row)
            if not contribution.replaces(known):
                return False
            rank = _NOT_KNOWN if known is None else (known.revision, known.leg_no)
            columns = [getattr(contribution, c) for c in _COLUMNS]
            lists = _lists(changes(known, contribution))
            if await self._pool.fetchval(_PUT, *rank, next_revision(0, now), now, *columns, *lists):
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


def _lists(changed: Mapping[Window, Counts]) -> list[list[Any]]:
    """One list for each of _LISTS; in order of ids, so that no two statements wait for each other's windows."""
    rows = []
    for window, counts in sorted(changed.items(), key=lambda change: change[0].window_id):
        place = (window.campaign_id, window.local_hour, window.seconds, window.start)
        counted = (getattr(counts, name) for name in COUNTED)
        rows.append((window.window_id, crc32(window.slice.encode()), *place, *counted))
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in _LISTS]


def _contribution(row: asyncpg.Record) -> Contribution:
    return Contribution(**{**row, "attempt_id": str(row["attempt_id"])})


def _state(row: asyncpg.Record) -> WindowState:
    window = Window(**{name: row[name] for name in Window.__dataclass_fields__})
    return WindowState(window=window, revision=row["revision"], counts=Counts(**{name: row[name] for name in COUNTED}))
