"""The whole lead-router on the memory broker, on either store, with a backup that can be put back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import asyncpg
import pytest

from lead_router.adapters.memory import MemoryStore, MemoryWork
from lead_router.adapters.postgres import PostgresStore
from lead_router.app import MIGRATIONS, REQUESTS, SUBSCRIPTIONS, TICKS
from lead_router.domain.leads import Lead
from lead_router.handlers.restoring import not_ready_because
from lead_router.ports import Deps, Guard, Store
from outdial_contracts import events as ev
from outdial_contracts.identity import TokenKeys
from outdial_contracts.identity import lead_id as lead_id_of
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.migrations import migrate
from outdial_runtime.service import HttpReply, Service, Toolkit
from outdial_runtime.spans import Spans
from outdial_testing import MemoryBroker, SeededChance, VirtualClock
from outdial_testing.memory_runtime import MemoryRuntime

NAME = "lead-router"
HEADER = "lead_id,person_id,phone,phone_2,score,segment,expires_at\n"


class RelayedMemory(MemoryStore):
    """What is emitted leaves by the runtime's outbox of the boot at hand, after the commit."""

    toolkit: Toolkit

    @asynccontextmanager
    async def work(self) -> AsyncIterator[MemoryWork]:
        async with super().work() as work:
            yield work
        self.toolkit.outbox.emit(*self.tables.sent)
        self.tables.sent.clear()


class MemoryDatabase:
    """The store in memory; a backup is a copy."""

    def __init__(self) -> None:
        self._store = RelayedMemory()
        self._backup = deepcopy(self._store.tables)

    def open(self, toolkit: Toolkit) -> Store:
        self._store.toolkit = toolkit
        return self._store

    async def relayed(self) -> None:
        """What was emitted has left already."""

    async def back_up(self) -> None:
        self._backup = deepcopy(self._store.tables)

    async def restore(self) -> None:
        self._store.tables = deepcopy(self._backup)


class PostgresDatabase:
    """A schema of PostgreSQL; a backup is a copy of every table."""

    def __init__(self, pool: asyncpg.Pool[Any], schema: str) -> None:
        self._pool, self._schema = pool, schema

    def open(self, toolkit: Toolkit) -> Store:
        return PostgresStore(self._pool, toolkit.table_outbox(self._pool))

    async def relayed(self) -> None:
        """Returns once the outbox is empty; it works in real time."""
        for _ in range(500):
            if not await self._pool.fetchval("SELECT EXISTS (SELECT 1 FROM outbox)"):
                return
            await asyncio.sleep(0.005)
        raise AssertionError("the outbox is not relayed")

    async def _tables(self, connection: Any) -> list[str]:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'schema_migrations'"
        return [row["tablename"] for row in await connection.fetch(query, self._schema)]

    async def back_up(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            await connection.execute(f"DROP SCHEMA IF EXISTS {self._schema}_backup CASCADE")
            await connection.execute(f"CREATE SCHEMA {self._schema}_backup")
            for table in await self._tables(connection):
                await connection.execute(f"CREATE TABLE {self._schema}_backup.{table} AS TABLE {table}")

    async def restore(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            tables = await self._tables(connection)
            await connection.execute("SET LOCAL session_replication_role = replica")  # no foreign keys meanwhile
            await connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            for table in tables:
                await connection.execute(f"INSERT INTO {table} SELECT * FROM {self._schema}_backup.{table}")


class Router:
    """A lead-router that can be killed, put back in time and started again."""

    def __init__(self, database: MemoryDatabase | PostgresDatabase, document: ev.CampaignDocument) -> None:
        self.database, self._document = database, document
        self.clock = VirtualClock()
        self.broker = MemoryBroker(self.clock)
        self.runtime: MemoryRuntime | None = None
        self.wanted = 0
        self._chance, self._spans = SeededChance(), Spans(NAME, NAME)

    @property
    def deps(self) -> Deps:
        assert self.runtime is not None
        found: Deps = self.runtime.deps
        return found

    async def start(self) -> None:
        """A boot, until it has read back what there is."""

        @asynccontextmanager
        async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
            yield Deps(
                store=self.database.open(toolkit),
                keys=TokenKeys({1: b"k" * 16}),
                zones=frozenset({"America/New_York"}),
                past=toolkit.past,
                clock=toolkit.clock,
                guard=Guard(verified=False),
            )

        service = Service(
            name=NAME,
            build=build,
            subscriptions=SUBSCRIPTIONS,
            ticks=TICKS,
            requests=REQUESTS,
            ready=not_ready_because,
        )
        config = RunConfig(service_name=NAME, kafka_bootstrap="memory")
        host = Host(service, config, self.broker, clock=self.clock, chance=self._chance, spans=self._spans)
        self.runtime = MemoryRuntime(service, self.broker, host)
        for _ in range(30):
            await self.advance(0.5)
            if self.deps is not None and self.deps.guard.verified:
                return
        raise AssertionError(f"never read back: {self.runtime.not_ready}")

    async def kill(self) -> None:
        assert self.runtime is not None
        await self.runtime.kill()

    async def restore(self) -> None:
        """The process dies, the database is put back, the process starts again."""
        await self.kill()
        await self.database.restore()
        await self.start()

    async def advance(self, seconds: float) -> None:
        assert self.runtime is not None
        await self.runtime.advance(seconds)
        await self.database.relayed()
        await self.runtime.settle()

    async def say(self, *events: Any) -> None:
        """Another service's events."""
        for event in events:
            self.broker.publish(event, cause=uuid.uuid4().hex)
        await self.advance(0.5)

    async def publish(self) -> None:
        version = ev.CampaignPublished(
            campaign_id="c1",
            slot="1",
            version=1,
            team_id="blue",
            state=ev.CampaignState.UNKNOWN,
            document=self._document,
            published_at=self.clock.now(),
            published_by="test",
        )
        await self.say(version)
        running = {**version.to_record(), "slot": "state", "document": None, "state": "RUNNING"}
        await self.say(ev.CampaignPublished.from_record(running))

    async def import_leads(self, count: int) -> dict[str, Any]:
        """Leads L0.. of one person each."""
        rows = [f"L{n},P{n},+1212555{100 + n:04d},,{0.9 - n / 100},cold," for n in range(count)]
        assert self.runtime is not None
        reply: HttpReply = await self.runtime.http(
            "POST", "/v1/imports", HEADER + "\n".join(rows), query={"campaign_id": "c1", "source": "crm"}
        )
        assert reply.status == 200, reply.body
        await self.advance(0.1)
        body: dict[str, Any] = reply.body
        return body

    async def want(self, more: int) -> list[ev.LeadReady]:
        """Asks for more offers and gives those that came."""
        before = len(self.offers)
        self.wanted += more
        demand = ev.PacingDemand(
            campaign_id="c1",
            campaign_version=1,
            team_id="blue",
            epoch=1,
            wanted_total=self.wanted,
            asked_at=self.clock.now(),
        )
        await self.say(demand)
        return self.offers[before:]

    @property
    def offers(self) -> list[ev.LeadReady]:
        """Every lead.ready, in the order of time."""
        return sorted(self.broker.events(ev.LeadReady), key=lambda e: e.offered_at)

    async def close(self, offer: ev.LeadReady, outcome: ev.CloseOutcome) -> None:
        await self.say(
            ev.ClearanceClosed(
                attempt_id=offer.attempt_id,
                team_id="blue",
                campaign_id="c1",
                campaign_version=1,
                context=offer.context,
                outcome=outcome,
                reason=ev.CloseReason.DIALLED,
                mode=ev.CallMode.LIVE_AUTODIALED,
                ring_timeout_seconds=18,
                closed_at=self.clock.now(),
            )
        )

    async def block(self, offer: ev.LeadReady, reason: ev.BlockReason) -> None:
        await self.say(
            ev.ComplianceBlocked(
                attempt_id=offer.attempt_id,
                team_id="blue",
                campaign_id="c1",
                campaign_version=1,
                context=offer.context,
                epoch=offer.epoch,
                rule_pack="p",
                blocked_at=self.clock.now(),
                reasons=(reason,),
            )
        )

    async def dispose(self, offer: ev.LeadReady, code: ev.DispositionCode) -> None:
        names = ("reached", "human_answer", "connected", "abandoned", "conversation", "right_party")
        await self.say(
            ev.CallDisposition(
                attempt_id=offer.attempt_id,
                team_id="blue",
                campaign_id="c1",
                campaign_version=1,
                context=offer.context,
                lead_id=offer.context.lead_id,
                revision=1,
                code=code,
                final=False,
                conversion=False,
                dnc=False,
                charged=True,
                end_class=ev.EndClass.UNKNOWN,
                fault=ev.Fault.UNKNOWN,
                closed_by_deadline=False,
                disposed_at=self.clock.now(),
                **dict.fromkeys(names, False),
            )
        )

    async def lead(self, external_id: str) -> Lead | None:
        async with self.deps.store.work() as work:
            return await work.lead(lead_id_of("crm", external_id))

    def revisions(self) -> dict[str, list[int]]:
        """Revisions of lead.state by lead, as published."""
        found: dict[str, list[int]] = {}
        for event in self.broker.events(ev.LeadState):
            found.setdefault(event.lead_id, []).append(event.revision)
        return found


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[MemoryDatabase | PostgresDatabase]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    dsn, schema = request.getfixturevalue("postgres_dsn"), f"router_{uuid.uuid4().hex[:12]}"
    async with asyncpg.create_pool(dsn, min_size=1, max_size=8, server_settings={"search_path": schema}) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate(pool, MIGRATIONS)
        yield PostgresDatabase(pool, schema)
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")
        await pool.execute(f"DROP SCHEMA IF EXISTS {schema}_backup CASCADE")


@pytest.fixture
async def router(database: MemoryDatabase | PostgresDatabase, document: Any) -> AsyncIterator[Router]:
    """Running, with a campaign of three leads, backed up."""
    made = Router(database, document)
    await made.start()
    await made.publish()
    await made.import_leads(3)
    await made.advance(1.0)
    await database.back_up()
    yield made
    await made.kill()
