"""The desk that handler tests work at, on the fake store and on real PostgreSQL alike: the suite proves the fake."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import pytest

from lead_router.adapters.memory import MemoryStore
from lead_router.adapters.postgres import PostgresStore
from lead_router.app import MIGRATIONS
from lead_router.domain.leads import Lead
from lead_router.handlers.controls import on_campaign_published
from lead_router.handlers.imports import post_import
from lead_router.handlers.supplying import on_pacing_demand
from lead_router.handlers.ticks import on_schedule
from lead_router.ports import Deps, Work
from outdial_contracts import events as ev
from outdial_contracts.base import Event
from outdial_contracts.identity import TokenKeys
from outdial_runtime.migrations import migrate
from outdial_runtime.outcome import Emit, Outcome
from outdial_runtime.service import HttpReply, Received, Request, TickInput
from outdial_testing.campaigns import campaign_document

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
Kind = TypeVar("Kind", bound=Event)


class TableRecorder:
    """A table outbox that is never relayed: what it holds is what was committed."""

    def __init__(self) -> None:
        self._events: dict[str, Emit] = {}

    async def write(self, connection: Any, events: Sequence[Emit]) -> None:
        for event in events:
            ref = uuid.uuid4().hex
            self._events[ref] = event
            await connection.execute("INSERT INTO recorded (ref) VALUES ($1)", ref)

    async def committed(self, pool: Any) -> list[Emit]:
        return [self._events[row["ref"]] for row in await pool.fetch("SELECT ref FROM recorded ORDER BY n")]


class RecordedPostgres(PostgresStore):
    def __init__(self, pool: Any, recorder: TableRecorder) -> None:
        super().__init__(pool, recorder)
        self._recorder = recorder

    async def sent(self) -> list[Emit]:
        return await self._recorder.committed(self._pool)


@asynccontextmanager
async def fresh_postgres(dsn: str) -> AsyncIterator[RecordedPostgres]:
    schema = f"lead_router_{uuid.uuid4().hex}"
    settings = {"search_path": schema}
    async with asyncpg.create_pool(dsn, min_size=1, max_size=6, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await pool.execute("CREATE TABLE recorded (n bigserial PRIMARY KEY, ref text NOT NULL)")
        await migrate(pool, MIGRATIONS)
        yield RecordedPostgres(pool, TableRecorder())
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


RETRY_AFTER_SECONDS = {"busy": 900, "no_answer": 3600, "congestion": 120, "voicemail": 14400}


def retrying_document(**changes: Any) -> ev.CampaignDocument:
    return campaign_document(**({"retry_after_seconds": RETRY_AFTER_SECONDS} | changes))


class Desk:
    """What a handler test does: publish, import, ask, answer, and look at what was sent."""

    def __init__(self, store: MemoryStore | RecordedPostgres) -> None:
        self.store = store
        self.keys = TokenKeys({1: b"k" * 16})
        zones = frozenset({"America/New_York", "America/Chicago"})
        self.deps = Deps(store=store, keys=self.keys, zones=zones)
        self.now = NOW

    def received(self, event: Kind, cause: str | None = None) -> Received[Kind]:
        return Received(
            event=event,
            cause=cause or uuid.uuid4().hex,
            time=self.now,
            now=self.now,
            topic=event.TOPIC,
            partition=0,
            offset=0,
            raw=b"",
        )

    def request(self, message: Any = b"", **more: Any) -> Request:
        return Request(message=message, now=self.now, cause="test", **more)

    async def publish(self, campaign_id: str = "c1", state: str = "RUNNING", **changes: Any) -> None:
        version = ev.CampaignPublished(
            campaign_id=campaign_id,
            slot="1",
            version=1,
            team_id="blue",
            state=ev.CampaignState.UNKNOWN,
            document=retrying_document(**changes),
            published_at=self.now,
            published_by="test",
        )
        await on_campaign_published(self.received(version), self.deps)
        running = replace(version, slot="state", document=None, state=ev.CampaignState(state))
        await on_campaign_published(self.received(running), self.deps)

    async def add(self, rows: str, campaign_id: str = "c1", source: str = "crm") -> dict[str, Any]:
        """Imports rows under the header lead_id,person_id,phone,phone_2,score,segment,expires_at."""
        body = "lead_id,person_id,phone,phone_2,score,segment,expires_at\n" + rows
        return await self.upload(body.encode(), campaign_id=campaign_id, source=source)

    async def upload(self, body: bytes, **query: str) -> dict[str, Any]:
        answer = await post_import(self.request(body, query=query), self.deps)
        assert isinstance(answer.reply, HttpReply)
        assert answer.reply.status == 200, answer.reply.body
        reply: dict[str, Any] = answer.reply.body
        return reply

    async def add_many(self, count: int, campaign_id: str = "c1") -> None:
        """Leads L0.. with falling scores."""
        rows = [f"L{n},P{n},+1212555{100 + n:04d},,{0.9 - n / 100},cold," for n in range(count)]
        await self.add("\n".join(rows), campaign_id)

    async def demand(self, wanted: int, epoch: int = 1, campaign_id: str = "c1") -> Outcome:
        event = ev.PacingDemand(
            campaign_id=campaign_id,
            campaign_version=1,
            team_id="blue",
            epoch=epoch,
            wanted_total=wanted,
            asked_at=self.now,
        )
        return await on_pacing_demand(self.received(event), self.deps)

    async def tick(self, seconds: float = 0.0) -> None:
        self.now += timedelta(seconds=seconds)
        await on_schedule(TickInput(now=self.now, partition=None), self.deps)

    async def sent(self, kind: type[Kind]) -> list[Kind]:
        return [emit.event for emit in await self.store.sent() if isinstance(emit.event, kind)]

    async def offered(self) -> list[str]:
        """The CRM's person of each lead.ready, in order."""
        return [ready.person_id for ready in await self.sent(ev.LeadReady)]

    async def lead(self, lead_id: str) -> Lead:
        async with self.store.work() as work:
            typed: Work = work
            lead = await typed.lead(lead_id)
        assert lead is not None
        return lead


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    if request.param == "memory":
        yield Desk(MemoryStore())
        return
    async with fresh_postgres(request.getfixturevalue("postgres_dsn")) as store:
        yield Desk(store)


@pytest.fixture
async def postgres_desk(postgres_dsn: str) -> AsyncIterator[Desk]:
    async with fresh_postgres(postgres_dsn) as store:
        yield Desk(store)


@pytest.fixture
def document() -> ev.CampaignDocument:
    """A campaign's document."""
    return retrying_document()
