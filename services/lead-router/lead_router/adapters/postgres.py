"""The store in PostgreSQL: plain SQL, one transaction per piece of work; the emitted events are rows of it too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from lead_router.adapters import rows
from lead_router.adapters.postgres_restore import RestoringWork
from lead_router.domain.admission import Taken, tokens_of
from lead_router.domain.leads import Campaign, Lead, Offer
from lead_router.domain.rows import is_storable
from lead_router.domain.supply import Backlog, Demand
from lead_router.ports import CampaignCounts, StoredReply
from outdial_contracts.events import CampaignPublished, LeadStatus, StopChanged
from outdial_runtime.outcome import Emit
from outdial_runtime.service import TableOutbox

DUE = "status IN ('NEW', 'WAITING', 'CALLBACK')"
ADMISSION_LOCK = 0x1EAD
DEMAND_LOCK = 0xDE3A
"""First halves of advisory locks' keys; the second is the campaign's hash."""


class PostgresStore:
    """lead_router.ports.Store on an asyncpg pool."""

    def __init__(self, pool: asyncpg.Pool[Any], outbox: TableOutbox) -> None:
        self._pool = pool
        self._outbox = outbox

    @asynccontextmanager
    async def work(self) -> AsyncIterator[PostgresWork]:
        """One READ COMMITTED transaction."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield PostgresWork(connection, self._outbox)


class PostgresWork(RestoringWork):
    """lead_router.ports.Work within a transaction; meanings stand there."""

    def __init__(self, connection: Any, outbox: TableOutbox) -> None:
        super().__init__(connection)
        self._outbox = outbox

    async def emit(self, events: Sequence[Emit]) -> None:
        await self._outbox.write(self._db, events)

    async def campaign(self, campaign_id: str) -> Campaign | None:
        if not is_storable(campaign_id):
            return None
        row = await self._db.fetchrow(
            """SELECT v.campaign_id, v.team_id, v.version, v.document, coalesce(s.state, 'UNKNOWN') AS state
               FROM campaign_versions v LEFT JOIN campaign_states s USING (campaign_id)
               WHERE v.campaign_id = $1 AND (s.version IS NULL OR s.version = v.version)
               ORDER BY v.version DESC LIMIT 1""",
            campaign_id,
        )
        return rows.campaign_from(row) if row else None

    async def save_campaign(self, event: CampaignPublished) -> None:
        if event.document is not None:
            await self._db.execute(
                """INSERT INTO campaign_versions (campaign_id, version, team_id, document) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (campaign_id, version) DO NOTHING""",
                *(event.campaign_id, event.version, event.team_id, json.dumps(event.document.to_record())),
            )
            return
        await self._db.execute(
            """INSERT INTO campaign_states (campaign_id, version, state, published_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (campaign_id) DO UPDATE
               SET version = excluded.version, state = excluded.state, published_at = excluded.published_at
               WHERE campaign_states.published_at <= excluded.published_at""",
            *(event.campaign_id, event.version, event.state.value, event.published_at),
        )

    async def stops(self) -> frozenset[str]:
        found = await self._db.fetch("SELECT scope FROM stops WHERE stopped")
        return frozenset(row["scope"] for row in found)

    async def save_stop(self, event: StopChanged) -> None:
        await self._db.execute(
            """INSERT INTO stops (scope, stopped, changed_at) VALUES ($1, $2, $3)
               ON CONFLICT (scope) DO UPDATE SET stopped = excluded.stopped, changed_at = excluded.changed_at
               WHERE stops.changed_at <= excluded.changed_at""",
            *(event.scope, event.stopped, event.changed_at),
        )

    async def lock_admission(self, campaign_id: str) -> None:
        await self._db.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", ADMISSION_LOCK, campaign_id)

    async def taken(self, campaign_id: str, lead_ids: Collection[str], tokens: Collection[str]) -> Taken:
        ids = await self._db.fetch("SELECT lead_id FROM leads WHERE lead_id = ANY($1)", list(lead_ids))
        held = await self._db.fetch(
            "SELECT token FROM lead_tokens WHERE campaign_id = $1 AND token = ANY($2)", campaign_id, list(tokens)
        )
        return Taken(lead_ids={row["lead_id"] for row in ids}, tokens={row["token"] for row in held})

    async def insert_leads(self, leads: Sequence[Lead]) -> None:
        persons = sorted({lead.person_id for lead in leads})
        await self._db.execute(
            "INSERT INTO persons (person_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", persons
        )
        await self._db.executemany(_insert("leads", rows.LEAD_COLUMNS), [rows.lead_row(lead) for lead in leads])
        tokens = [(lead.campaign_id, token, lead.lead_id) for lead in leads for token in tokens_of(lead)]
        await self._db.executemany("INSERT INTO lead_tokens VALUES ($1, $2, $3)", tokens)

    async def lead(self, lead_id: str) -> Lead | None:
        if not is_storable(lead_id):
            return None
        row = await self._db.fetchrow("SELECT * FROM leads WHERE lead_id = $1 FOR UPDATE", lead_id)
        return rows.lead_from(row) if row else None

    async def leads_with_tokens(self, tokens: Collection[str], seller_id: str) -> list[Lead]:
        found = await self._db.fetch(
            """SELECT l.* FROM leads l
               WHERE l.lead_id IN (SELECT t.lead_id FROM lead_tokens t WHERE t.token = ANY($1))
                 AND ($2 = '*' OR EXISTS (SELECT 1 FROM campaign_versions v WHERE v.campaign_id = l.campaign_id
                                          AND v.document->>'seller_id' = $2))
               ORDER BY l.lead_id FOR UPDATE OF l""",
            *(list(tokens), seller_id),
        )
        return [rows.lead_from(row) for row in found]

    async def expired_leads(self, now: datetime, limit: int) -> list[Lead]:
        found = await self._db.fetch(
            f"""SELECT * FROM leads WHERE {DUE} AND expires_at <= $1
                ORDER BY lead_id LIMIT $2 FOR UPDATE SKIP LOCKED""",
            *(now, limit),
        )
        return [rows.lead_from(row) for row in found]

    async def due_leads(self, campaign_id: str, now: datetime, limit: int) -> list[Lead]:
        found = await self._db.fetch(
            f"""SELECT l.* FROM leads l JOIN persons p USING (person_id)
                WHERE l.campaign_id = $1 AND l.{DUE} AND l.due_at <= $2 AND p.open_attempt_id IS NULL
                ORDER BY (l.last_code IS NOT DISTINCT FROM 'CALLBACK') DESC, l.priority DESC, l.due_at, l.lead_id
                LIMIT $3 FOR UPDATE OF l, p SKIP LOCKED""",
            *(campaign_id, now, limit),
        )
        return [rows.lead_from(row) for row in found]

    async def save_lead(self, lead: Lead) -> None:
        await self._db.execute(_update("leads", rows.LEAD_COLUMNS), *rows.lead_row(lead))

    async def release_tokens(self, lead_id: str) -> None:
        await self._db.execute("DELETE FROM lead_tokens WHERE lead_id = $1", lead_id)

    async def backlog(self, campaign_id: str, now: datetime) -> Backlog:
        row = await self._db.fetchrow(
            f"""SELECT (SELECT min(due_at) FROM leads WHERE campaign_id = $1 AND {DUE} AND due_at > $2) AS next_due_at,
                  EXISTS (SELECT 1 FROM leads WHERE campaign_id = $1 AND {DUE})
                  OR EXISTS (SELECT 1 FROM leads WHERE campaign_id = $1 AND status IN ('OFFERED', 'ATTEMPTING'))
                  AS any_open""",
            *(campaign_id, now),
        )
        return Backlog(any_open=row["any_open"], next_due_at=row["next_due_at"])

    async def counts(self, campaign_id: str) -> CampaignCounts:
        found = await self._db.fetch(
            """SELECT status, count(*) AS n, count(*) FILTER (WHERE offers = 0) AS unoffered
               FROM leads WHERE campaign_id = $1 GROUP BY status ORDER BY status""",
            campaign_id,
        )
        return CampaignCounts(
            by_status={LeadStatus(row["status"]): row["n"] for row in found},
            never_offered=sum(row["unoffered"] for row in found),
        )

    async def offer(self, attempt_id: str) -> Offer | None:
        row = await self._db.fetchrow("SELECT * FROM offers WHERE attempt_id = $1 FOR UPDATE", attempt_id)
        return rows.offer_from(row) if row else None

    async def save_offer(self, offer: Offer) -> None:
        await self._db.execute(_upsert("offers", rows.OFFER_COLUMNS), *rows.offer_row(offer))

    async def unanswered_offers(self, now: datetime, limit: int) -> list[Offer]:
        found = await self._db.fetch(
            "SELECT * FROM offers WHERE state = 'OPEN' AND answer_due_at <= $1 ORDER BY answer_due_at LIMIT $2",
            *(now, limit),
        )
        return [rows.offer_from(row) for row in found]

    async def hold_person(self, person_id: str, attempt_id: str) -> None:
        await self._db.execute("UPDATE persons SET open_attempt_id = $2 WHERE person_id = $1", person_id, attempt_id)

    async def free_person(self, person_id: str, attempt_id: str) -> None:
        await self._db.execute(
            "UPDATE persons SET open_attempt_id = NULL WHERE person_id = $1 AND open_attempt_id = $2",
            *(person_id, attempt_id),
        )

    async def charged_at(self, person_id: str, window: timedelta, now: datetime) -> list[datetime]:
        found = await self._db.fetch(
            """SELECT redeemed_at FROM offers WHERE person_id = $1 AND redeemed_at > $2 AND charged
               ORDER BY redeemed_at""",
            *(person_id, now - window),
        )
        return [row["redeemed_at"] for row in found]

    async def demand(self, campaign_id: str) -> Demand | None:
        # A row lock can't hold what is not there yet: two first demands of a campaign must not both find nothing.
        await self._db.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", DEMAND_LOCK, campaign_id)
        row = await self._db.fetchrow("SELECT * FROM demands WHERE campaign_id = $1", campaign_id)
        return rows.demand_from(row) if row else None

    async def save_demand(self, demand: Demand) -> None:
        await self._db.execute(_upsert("demands", rows.DEMAND_COLUMNS), *rows.demand_row(demand))

    async def short_campaigns(self) -> list[str]:
        found = await self._db.fetch(
            "SELECT campaign_id FROM demands WHERE wanted_total > sent_total - blocked_total ORDER BY campaign_id"
        )
        return [row["campaign_id"] for row in found]

    async def claim_key(self, key: str, body_sha256: str, now: datetime) -> StoredReply | None:
        made = await self._db.execute(
            "INSERT INTO idempotency_keys VALUES ($1, $2, 0, '{}', $3) ON CONFLICT (key) DO NOTHING",
            *(key, body_sha256, now),
        )
        if made == "INSERT 0 1":
            return None
        row = await self._db.fetchrow("SELECT * FROM idempotency_keys WHERE key = $1", key)
        return StoredReply(body_sha256=row["body_sha256"], status=row["status"], reply=json.loads(row["reply"]))

    async def save_reply(self, key: str, status: int, reply: Mapping[str, Any]) -> None:
        await self._db.execute(
            "UPDATE idempotency_keys SET status = $2, reply = $3 WHERE key = $1", key, status, json.dumps(reply)
        )

    async def forget_keys(self, before: datetime) -> None:
        await self._db.execute("DELETE FROM idempotency_keys WHERE created_at < $1", before)


def _insert(table: str, columns: Sequence[str]) -> str:
    values = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"


def _assignments(columns: Sequence[str], sources: Iterable[str]) -> str:
    return ", ".join(f"{name} = {source}" for name, source in zip(columns, sources, strict=True))


def _update(table: str, columns: Sequence[str]) -> str:
    """The first column is the key."""
    changed = _assignments(columns[1:], (f"${n}" for n in range(2, len(columns) + 1)))
    return f"UPDATE {table} SET {changed} WHERE {columns[0]} = $1"


def _upsert(table: str, columns: Sequence[str]) -> str:
    """The first column is the key."""
    changed = _assignments(columns[1:], (f"excluded.{name}" for name in columns[1:]))
    return f"{_insert(table, columns)} ON CONFLICT ({columns[0]}) DO UPDATE SET {changed}"
