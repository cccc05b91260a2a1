"""A store in memory for tests and the deterministic world; tests/test_store.py holds it to what PostgreSQL does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from disposition.adapters.webhook_memory import MemoryWebhooks
from disposition.domain.payloads import Webhook
from disposition.domain.record import AttemptRecord
from outdial_contracts.events import CallDisposition
from outdial_runtime.outcome import Emit


@dataclass(kw_only=True)
class MemoryUnit:
    """Implements ports.Unit."""

    record: AttemptRecord | None
    saved: list[AttemptRecord] = field(default_factory=list)
    said: list[Emit] = field(default_factory=list)
    told: list[tuple[Webhook, datetime]] = field(default_factory=list)

    async def save(self, record: AttemptRecord) -> None:
        """Kept at the end of the block."""
        self.saved.append(record)

    async def say(self, event: CallDisposition, cause: str) -> None:
        """Leaves at the end of the block."""
        self.said.append(Emit(event=event, cause=cause, revision=event.revision))

    async def tell(self, webhook: Webhook, now: datetime) -> None:
        """Queued at the end of the block."""
        self.told.append((webhook, now))


class _Locks(defaultdict[str, asyncio.Lock]):
    """One for each attempt; nothing of it belongs into a backup."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Locks:
        return _Locks(asyncio.Lock)


class MemoryStore:
    """Implements ports.Store; `outbox` holds what a table outbox would relay, oldest first."""

    def __init__(self) -> None:
        self.records: dict[str, AttemptRecord] = {}
        self.outbox: list[Emit] = []
        self.webhooks = MemoryWebhooks()
        self._locks = _Locks(asyncio.Lock)

    @asynccontextmanager
    async def attempt(self, attempt_id: str) -> AsyncIterator[MemoryUnit]:
        """One at a time for each attempt; a block that raises leaves nothing behind."""
        async with self._locks[attempt_id]:
            unit = MemoryUnit(record=self.records.get(attempt_id))
            yield unit
            self.records |= {record.attempt_id: record for record in unit.saved}
            self.outbox += unit.said
            for webhook, now in unit.told:
                await self.webhooks.queue([webhook], now)

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Attempts to look after."""
        dated = [(r.deadline_at, r.attempt_id) for r in self.records.values() if r.deadline_at is not None]
        return [attempt_id for deadline_at, attempt_id in sorted(dated) if deadline_at <= now][:limit]

    async def boots(self) -> list[tuple[str | None, str | None]]:
        """Where calls are awaited to end."""
        return list(dict.fromkeys(r.boot for r in self.records.values() if r.waiting_since is not None))

    async def of_boot(self, gateway_id: str, boot_id: str | None, until: datetime, limit: int) -> list[str]:
        """Attempts that wait for their end there, oldest first."""
        there = [r for r in self.records.values() if r.boot == (gateway_id, boot_id)]
        waiting = [(r.waiting_since, r.attempt_id) for r in there if r.waiting_since is not None]
        return [attempt_id for since, attempt_id in sorted(waiting) if since <= until][:limit]

    async def get(self, attempt_id: str) -> AttemptRecord | None:
        """One attempt."""
        return self.records.get(attempt_id)
