"""The whole disposition service on the memory broker, on either store, with a backup that can be put back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from disposition.adapters.memory import MemoryStore, MemoryUnit
from disposition.adapters.postgres import PostgresStore
from disposition.adapters.webhook_postgres import PostgresWebhooks
from disposition.app import MIGRATIONS, REQUESTS, SUBSCRIPTIONS, TICKS
from disposition.domain.record import AttemptRecord
from disposition.domain.watch import GatewayWatch
from disposition.ports import Deps
from outdial_contracts import events as ev
from outdial_contracts.headers import read_headers
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.marks import MemoryMarks, PoolMarks
from outdial_runtime.migrations import migrate
from outdial_runtime.reading_back import Guard, Source, not_ready_because
from outdial_runtime.service import Service, Toolkit
from outdial_runtime.spans import Spans
from outdial_testing import MemoryBroker, SeededChance, VirtualClock
from outdial_testing.memory_runtime import MemoryRuntime

NAME = "disposition"
NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


class RelayedMemory(MemoryStore):
    """What is said by a deadline leaves by the runtime's outbox of the boot at hand, after the commit."""

    toolkit: Toolkit

    @asynccontextmanager
    async def attempt(self, attempt_id: str) -> AsyncIterator[MemoryUnit]:
        async with super().attempt(attempt_id) as unit:
            yield unit
        self.toolkit.outbox.emit(*self.outbox)
        self.outbox.clear()


class MemoryDatabase:
    """The stores in memory; a backup is a copy."""

    def __init__(self) -> None:
        self._store, self._marks = RelayedMemory(), MemoryMarks()
        self._backup: Any = None

    def open(self, toolkit: Toolkit) -> dict[str, Any]:
        """Store, webhooks and marks for a boot."""
        self._store.toolkit = toolkit
        return {"store": self._store, "webhooks": self._store.webhooks, "marks": self._marks}

    async def relayed(self) -> None:
        """What was emitted has left already."""

    async def back_up(self) -> None:
        self._backup = deepcopy((self._store.records, self._store.webhooks, self._marks))

    async def restore(self) -> None:
        self._store.records, self._store.webhooks, self._marks = deepcopy(self._backup)

    async def webhooks(self) -> dict[str, str]:
        """webhook_id -> body, in the order they were queued."""
        return {webhook_id: row.webhook.body for webhook_id, row in self._store.webhooks.rows.items()}


class PostgresDatabase:
    """A schema of PostgreSQL; a backup is a copy of every table."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def open(self, toolkit: Toolkit) -> dict[str, Any]:
        store = PostgresStore(self._pool, toolkit.table_outbox(self._pool))
        return {"store": store, "webhooks": PostgresWebhooks(self._pool), "marks": PoolMarks(self._pool)}

    async def relayed(self) -> None:
        """Returns once the outbox is empty; it works in real time."""
        for _ in range(500):
            if not await self._pool.fetchval("SELECT EXISTS (SELECT 1 FROM outbox)"):
                return
            await asyncio.sleep(0.005)
        raise AssertionError("the outbox is not relayed")

    async def back_up(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            for table in await self._tables(connection):
                await connection.execute(f"DROP TABLE IF EXISTS {table}_copy")
                await connection.execute(f"CREATE TABLE {table}_copy AS TABLE {table}")

    async def restore(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            tables = await self._tables(connection)
            await connection.execute(f"TRUNCATE {', '.join(tables)}")
            for table in tables:
                await connection.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table}_copy")

    async def webhooks(self) -> dict[str, str]:
        rows = await self._pool.fetch("SELECT webhook_id::text, body FROM webhooks ORDER BY seq")
        return {row["webhook_id"]: row["body"] for row in rows}

    @staticmethod
    async def _tables(connection: Any) -> list[str]:
        query = """SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
            AND tablename <> 'schema_migrations' AND tablename NOT LIKE '%\\_copy'"""
        return [row["tablename"] for row in await connection.fetch(query)]


class OpenGate:
    """Confirms every opt-out."""

    async def suppress(self, attempt_id: str, wrapup: Any) -> None: ...


class IdleSending:
    """No sender runs."""

    def check(self) -> None: ...


class Disposition:
    """A service that can be killed, put back in time and started again."""

    def __init__(self, database: MemoryDatabase | PostgresDatabase) -> None:
        self.database = database
        self.clock = VirtualClock(NOW)
        self.broker = MemoryBroker(self.clock)
        self.runtime: MemoryRuntime | None = None
        self._chance, self._spans = SeededChance(), Spans(NAME, NAME)

    @property
    def deps(self) -> Deps:
        assert self.runtime is not None
        found: Deps = self.runtime.deps
        return found

    def boot(self) -> None:
        """A process begins."""

        @asynccontextmanager
        async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
            opened = self.database.open(toolkit)
            yield Deps(
                store=opened["store"],
                gate=OpenGate(),
                watch=GatewayWatch(since=toolkit.clock.now()),
                webhooks=opened["webhooks"],
                sending=IdleSending(),
                source=Source(past=toolkit.past, marks=opened["marks"], clock=toolkit.clock),
                guard=Guard(verified=False),
            )

        service = Service(
            name=NAME,
            build=build,
            subscriptions=SUBSCRIPTIONS,
            ticks=TICKS,
            requests=REQUESTS,
            ready=not_ready_because,
            exactly_once=True,
        )
        config = RunConfig(service_name=NAME, kafka_bootstrap="memory")
        host = Host(service, config, self.broker, clock=self.clock, chance=self._chance, spans=self._spans)
        self.runtime = MemoryRuntime(service, self.broker, host)

    async def start(self) -> None:
        """A boot, until it has read back what there is."""
        self.boot()
        for _ in range(40):
            await self.advance(0.5)
            if self.deps is not None and self.deps.guard.verified:
                return
        raise AssertionError(f"never read back: {self.runtime and self.runtime.not_ready}")

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

    async def hear(self, *events: Any) -> None:
        """Other services' events, one after the other."""
        for event in events:
            self.broker.publish(event, cause=uuid.uuid4().hex)
            await self.advance(0.3)

    async def record(self, attempt_id: str) -> AttemptRecord | None:
        return await self.deps.store.get(attempt_id)

    @property
    def said(self) -> list[tuple[int, str]]:
        """(revision, code) of all that was published, in order."""
        return [(e.revision, e.code.value) for e in self.broker.events(ev.CallDisposition)]

    def cause_of(self, event: Any) -> str:
        """ce_id of the last record on the event's topic."""
        return read_headers(self.broker.log.messages(event.TOPIC)[-1].headers).id


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[MemoryDatabase | PostgresDatabase]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    schema = f"disposition_{uuid.uuid4().hex}"
    settings = {"search_path": schema}
    dsn = request.getfixturevalue("postgres_dsn")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=6, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate(pool, MIGRATIONS)
        yield PostgresDatabase(pool)
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
async def service(database: MemoryDatabase | PostgresDatabase, attempt: Any) -> AsyncIterator[Disposition]:
    """Running; the attempt was redeemed and rings, then the database was backed up."""
    made = Disposition(database)
    await made.start()
    await made.hear(attempt.closed(), attempt.progress("INVITED", 0.1), attempt.progress("ALERTING", 1.0))
    await database.back_up()
    yield made
    await made.kill()
