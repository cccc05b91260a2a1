"""Webhooks in PostgreSQL: rows claimed under a lease, so that senders of several replicas share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from disposition.domain.delivery import DEAD_KEPT, DELIVERED_KEPT, DeliveryEvent, DeliveryState, Ruling, Trouble
from disposition.domain.payloads import Webhook
from disposition.ports import Claimed, DeadWebhook, Endpoint

# What waits behind another of its subject is due with it, so that looking for work never reads what can't be sent: the
# backlog of a CRM that is down. A minute sooner, so that one on the wire (its due_at ends a lease) postpones nothing.
_QUEUE = """
INSERT INTO webhooks (webhook_id, campaign_id, type, subject, body, due_at, queued_at)
SELECT $1::uuid, $2, $3, $4, $5, greatest($6, (SELECT max(due_at) - interval '1 minute' FROM webhooks
    WHERE campaign_id = $2 AND subject = $4 AND state = 'PENDING')), $6
WHERE NOT EXISTS (SELECT 1 FROM webhook_endpoints WHERE campaign_id = $2 AND url IS NULL)
ON CONFLICT (webhook_id) DO NOTHING
"""
_PUBLISH = """
INSERT INTO webhook_endpoints (campaign_id, version, seller_id, url, secret_env) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (campaign_id) DO UPDATE SET version = excluded.version, seller_id = excluded.seller_id, url = excluded.url,
    secret_env = excluded.secret_env, disabled_at = NULL, paused_until = NULL
WHERE webhook_endpoints.version < excluded.version
"""
_ENDPOINTS_OF = """
SELECT DISTINCT ON (url) campaign_id, version, seller_id, url, secret_env FROM webhook_endpoints
WHERE url IS NOT NULL AND ($1 = '*' OR seller_id = $1) ORDER BY url, campaign_id
"""
_DUE = """
SELECT campaign_id, version, seller_id, url, secret_env FROM webhook_endpoints e
WHERE url IS NOT NULL AND disabled_at IS NULL AND (paused_until IS NULL OR paused_until <= $1)
    AND EXISTS (SELECT 1 FROM webhooks w WHERE w.campaign_id = e.campaign_id AND w.state = 'PENDING' AND w.due_at <= $1)
ORDER BY campaign_id
"""
# What is claimed by another is locked or not due any more; what waits behind it is not the first of its subject.
_CLAIM = """
WITH mine AS (
    SELECT w.webhook_id FROM webhooks w
    WHERE w.campaign_id = $1 AND w.state = 'PENDING' AND w.due_at <= $2 AND NOT EXISTS (
        SELECT 1 FROM webhooks earlier WHERE earlier.campaign_id = w.campaign_id AND earlier.subject = w.subject
            AND earlier.state = 'PENDING' AND earlier.seq < w.seq)
    ORDER BY w.seq LIMIT $4 FOR UPDATE SKIP LOCKED)
UPDATE webhooks w SET due_at = $3, tries = w.tries + 1 FROM mine WHERE w.webhook_id = mine.webhook_id
RETURNING w.webhook_id::text, w.seq, w.campaign_id, w.type, w.subject, w.body, w.tries
"""
_BEHIND = """
UPDATE webhooks w SET due_at = {due} FROM settled WHERE w.campaign_id = settled.campaign_id
    AND w.subject = settled.subject AND w.seq > settled.seq AND w.state = 'PENDING'
"""
_ACCEPTED = """
WITH settled AS (UPDATE webhooks SET state = 'DELIVERED', settled_at = $2, status = $3, trouble = NULL
    WHERE webhook_id = $1::uuid AND state <> 'DELIVERED' RETURNING campaign_id, subject, seq)
""" + _BEHIND.format(due="$2")
_FAILED = """
WITH settled AS (UPDATE webhooks SET due_at = $3, status = $4, trouble = $5
    WHERE webhook_id = $1::uuid AND tries = $2 AND state = 'PENDING' RETURNING campaign_id, subject, seq)
""" + _BEHIND.format(due="$3")
_GIVEN_UP = """
WITH settled AS (UPDATE webhooks SET state = 'DEAD', settled_at = $3, status = $4, trouble = $5
    WHERE webhook_id = $1::uuid AND tries = $2 AND state = 'PENDING' RETURNING campaign_id, subject, seq)
""" + _BEHIND.format(due="$3")
_PAUSE = "UPDATE webhook_endpoints SET paused_until = greatest(paused_until, $2) WHERE url = $1"
_DISABLE = "UPDATE webhook_endpoints SET disabled_at = $2 WHERE url = $1 AND disabled_at IS NULL"
_SWEEPS = (
    """UPDATE webhooks SET state = 'DEAD', settled_at = $1, status = 410, trouble = 'GONE' WHERE webhook_id IN (
    SELECT w.webhook_id FROM webhooks w JOIN webhook_endpoints e USING (campaign_id)
    WHERE w.state = 'PENDING' AND w.queued_at <= $1 AND e.disabled_at IS NOT NULL LIMIT $2)""",
    """DELETE FROM webhooks WHERE webhook_id IN (SELECT w.webhook_id FROM webhooks w
    JOIN webhook_endpoints e USING (campaign_id) WHERE w.state = 'PENDING' AND e.url IS NULL
        AND w.due_at <= $1 LIMIT $2)""",
)
_FORGET = """DELETE FROM webhooks WHERE webhook_id IN (
    SELECT webhook_id FROM webhooks WHERE state = $1 AND settled_at <= $2 LIMIT $3)"""
_FORGET_UNKNOWN = """DELETE FROM webhooks WHERE webhook_id IN (SELECT webhook_id FROM webhooks w
    WHERE state = 'PENDING' AND due_at <= $1 AND NOT EXISTS (
        SELECT 1 FROM webhook_endpoints e WHERE e.campaign_id = w.campaign_id) LIMIT $2)"""
_DEAD = """
SELECT webhook_id::text, campaign_id, type, subject, tries, trouble, status, queued_at, settled_at AS dead_at
FROM webhooks WHERE state = 'DEAD' AND ($1::text IS NULL OR campaign_id = $1) ORDER BY settled_at, seq LIMIT $2
"""
_REPLAY = """
UPDATE webhooks SET state = 'PENDING', tries = 0, due_at = $3, settled_at = NULL
WHERE campaign_id = $1 AND state = 'DEAD' AND ($2::uuid IS NULL OR webhook_id = $2::uuid)
"""
_ENABLE = "UPDATE webhook_endpoints SET disabled_at = NULL, paused_until = NULL WHERE campaign_id = $1"
_COUNTS = "SELECT campaign_id, state, count(*) AS n FROM webhooks GROUP BY campaign_id, state ORDER BY campaign_id"


async def queue(connection: Any, webhooks: Sequence[Webhook], now: datetime) -> None:
    """Rows within the caller's transaction."""
    rows = [(w.webhook_id, w.campaign_id, w.type, w.subject, w.body, now) for w in webhooks]
    await connection.executemany(_QUEUE, rows)


class PostgresWebhooks:
    """Implements ports.Webhooks."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def publish(self, endpoint: Endpoint) -> None:
        """The newest version wins."""
        e = endpoint
        await self._pool.execute(_PUBLISH, e.campaign_id, e.version, e.seller_id, e.url, e.secret_env)

    async def endpoints_of(self, seller_id: str) -> list[Endpoint]:
        """One per URL."""
        return [Endpoint(**dict(row)) for row in await self._pool.fetch(_ENDPOINTS_OF, seller_id)]

    async def queue(self, webhooks: Sequence[Webhook], now: datetime) -> None:
        """A transaction of its own."""
        async with self._pool.acquire() as connection, connection.transaction():
            await queue(connection, webhooks, now)

    async def due(self, now: datetime) -> list[Endpoint]:
        """Where something can be sent now."""
        return [Endpoint(**dict(row)) for row in await self._pool.fetch(_DUE, now)]

    async def claim(self, campaign_id: str, now: datetime, until: datetime, limit: int) -> list[Claimed]:
        """Under a lease until `until`."""
        rows = await self._pool.fetch(_CLAIM, campaign_id, now, until, limit)
        return [_claimed(row) for row in sorted(rows, key=lambda row: row["seq"])]

    async def settle(self, claimed: Claimed, url: str, ruling: Ruling, now: datetime) -> None:
        """The row and its endpoint in one transaction."""
        webhook_id, tries, answer = claimed.webhook.webhook_id, claimed.tries, ruling.answer
        async with self._pool.acquire() as connection, connection.transaction():
            match ruling.event:
                case DeliveryEvent.ACCEPTED:
                    await connection.execute(_ACCEPTED, webhook_id, now, answer.status)
                case DeliveryEvent.FAILED:
                    row = (webhook_id, tries, ruling.due_at, answer.status, answer.trouble)
                    await connection.execute(_FAILED, *row)
                case DeliveryEvent.GIVEN_UP:
                    await connection.execute(_GIVEN_UP, webhook_id, tries, now, answer.status, answer.trouble)
            if ruling.pause_until is not None:
                await connection.execute(_PAUSE, url, ruling.pause_until)
            if answer.trouble is Trouble.GONE:
                await connection.execute(_DISABLE, url, now)

    async def sweep(self, now: datetime, limit: int) -> int:
        """A few rows at a time."""
        done = [await self._pool.execute(statement, now, limit) for statement in _SWEEPS]
        done.append(await self._pool.execute(_FORGET, DeliveryState.DELIVERED, now - DELIVERED_KEPT, limit))
        done.append(await self._pool.execute(_FORGET, DeliveryState.DEAD, now - DEAD_KEPT, limit))
        done.append(await self._pool.execute(_FORGET_UNKNOWN, now - DEAD_KEPT, limit))
        return sum(int(tag.rpartition(" ")[2]) for tag in done)

    async def dead(self, campaign_id: str | None, limit: int) -> list[DeadWebhook]:
        """Oldest first."""
        rows = await self._pool.fetch(_DEAD, campaign_id, limit)
        return [DeadWebhook(**{**dict(row), "trouble": Trouble(row["trouble"])}) for row in rows]

    async def replay(self, campaign_id: str, webhook_id: str | None, now: datetime) -> int:
        """Rows and endpoint in one transaction."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_ENABLE, campaign_id)
            tag = await connection.execute(_REPLAY, campaign_id, webhook_id, now)
        return int(tag.rpartition(" ")[2])

    async def counts(self) -> Mapping[str, Mapping[DeliveryState, int]]:
        """What is kept."""
        counted: dict[str, dict[DeliveryState, int]] = {}
        for row in await self._pool.fetch(_COUNTS):
            counted.setdefault(row["campaign_id"], {})[DeliveryState(row["state"])] = row["n"]
        return counted


def _claimed(row: asyncpg.Record) -> Claimed:
    webhook = Webhook(**{name: row[name] for name in ("webhook_id", "campaign_id", "type", "subject", "body")})
    return Claimed(webhook=webhook, tries=row["tries"])
