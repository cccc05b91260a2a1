"""The whole gate on the memory broker, on either store, with a backup that can be put back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from joserfc.jwk import OKPKey

from compliance_gate.adapters.memory import MemoryStore
from compliance_gate.adapters.postgres import PostgresStore
from compliance_gate.adapters.signing import Ed25519Signer
from compliance_gate.app import MIGRATIONS, NAME, REQUESTS, SUBSCRIPTIONS, TICKS, begin
from compliance_gate.domain.clearance import State
from compliance_gate.domain.ledger import Chain
from compliance_gate.domain.rules import RulePack
from compliance_gate.handlers.restoring import not_ready_because
from compliance_gate.ports import AttemptFact, Clearance, Deps
from outdial_contracts.events import (
    CallDisposition,
    CampaignPublished,
    CampaignState,
    ClearanceClosed,
    ComplianceCleared,
    DispositionCode,
    EndClass,
    Fault,
    LeadReady,
)
from outdial_contracts.identity import TokenKeys
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.migrations import migrate
from outdial_runtime.outcome import Emit
from outdial_runtime.service import Service, Toolkit
from outdial_runtime.spans import Spans
from outdial_testing import MemoryBroker, SeededChance, VirtualClock
from outdial_testing.memory_runtime import MemoryRuntime

LIFETIME_SECONDS = 60
LOCK_SECONDS = LIFETIME_SECONDS + 2


class RelayedMemory(MemoryStore):
    """What is announced leaves by the runtime's outbox of the boot at hand."""

    toolkit: Toolkit

    async def announce(self, events: Sequence[Emit]) -> None:
        self.toolkit.outbox.emit(*events)


class MemoryDatabase:
    """The store in memory; a backup is a copy."""

    def __init__(self) -> None:
        self._store = RelayedMemory({})
        self._backup = self._store.snapshot()

    def open(self, chains: Mapping[Chain, str], toolkit: Toolkit) -> RelayedMemory:
        self._store.toolkit = toolkit
        self._store.begin_boot(chains)
        return self._store

    async def relayed(self) -> None:
        """What was announced has left already."""

    async def back_up(self) -> None:
        self._backup = self._store.snapshot()

    async def restore(self) -> None:
        self._store.rewind(self._backup)


class PostgresDatabase:
    """A schema of PostgreSQL; a backup is a copy of every table."""

    def __init__(self, pool: asyncpg.Pool[Any], schema: str) -> None:
        self._pool, self.schema = pool, schema

    def open(self, chains: Mapping[Chain, str], toolkit: Toolkit) -> PostgresStore:
        return PostgresStore(self._pool, toolkit.table_outbox(self._pool), chains)

    async def relayed(self) -> None:
        """Returns once the outbox is empty; it works in real time."""
        for _ in range(500):
            if not await self._pool.fetchval("SELECT EXISTS (SELECT 1 FROM outbox)"):
                return
            await asyncio.sleep(0.005)
        raise AssertionError("the outbox is not relayed")

    async def _tables(self, connection: Any) -> list[str]:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'schema_migrations'"
        return [row["tablename"] for row in await connection.fetch(query, self.schema)]

    async def back_up(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            await connection.execute(f"DROP SCHEMA IF EXISTS {self.schema}_backup CASCADE")
            await connection.execute(f"CREATE SCHEMA {self.schema}_backup")
            for table in await self._tables(connection):
                await connection.execute(f"CREATE TABLE {self.schema}_backup.{table} AS TABLE {table}")

    async def restore(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            tables = await self._tables(connection)
            await connection.execute("SET LOCAL session_replication_role = replica")  # no foreign keys meanwhile
            await connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            for table in tables:
                source = f"{self.schema}_backup.{table}"
                await connection.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {source}")


async def no_pause(seconds: float) -> None:
    """Grants are not what these tests are about."""


class Gate:
    """A gate that can be killed, put back in time and started again."""

    def __init__(self, database: MemoryDatabase | PostgresDatabase, pack: RulePack, a: Any) -> None:
        self.database, self._pack, self.a = database, pack, a
        self.clock = VirtualClock(a.now)
        self.broker = MemoryBroker(self.clock)
        self.signer = Ed25519Signer(OKPKey.generate_key("Ed25519", {"kid": "test"}))
        self.runtime: MemoryRuntime | None = None
        self._chance = SeededChance()
        self._spans = Spans(NAME, NAME)

    @property
    def deps(self) -> Deps:
        assert self.runtime is not None
        found: Deps = self.runtime.deps
        return found

    @property
    def why(self) -> str | None:
        """What /readyz says."""
        assert self.runtime is not None
        return self.runtime.not_ready

    async def start(self) -> None:
        """A boot, until it has read back what there is."""

        @asynccontextmanager
        async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
            yield await begin(
                lambda chains: self.database.open(chains, toolkit),
                toolkit,
                self._pack,
                self.signer,
                TokenKeys({1: b"k" * 16, 2: b"l" * 16}),
                no_pause,
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
        async with asyncio.timeout(60):  # a database opens in real time
            while host.deps is None:
                await self.runtime.settle()
                await asyncio.sleep(0.001)
        for _ in range(30):
            await self.advance(0.5)
            if self.deps is not None and self.deps.guard.verified:
                return
        raise AssertionError(f"never verified: {self.why}")

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

    async def publish(self, **changes: Any) -> None:
        whole = CampaignPublished(
            campaign_id="spring",
            slot="1",
            version=1,
            team_id="blue",
            state=CampaignState.UNKNOWN,
            published_at=self.clock.now(),
            published_by="ops@example.test",
            document=replace(self.a.document(), **changes),
        )
        self.broker.publish(whole)
        self.broker.publish(replace(whole, slot="state", state=CampaignState.RUNNING, document=None), cause="state")

    async def offer(self, **changes: Any) -> LeadReady:
        """An offer, decided."""
        now = self.clock.now()
        made: LeadReady = self.a.offer(offered_at=now, expires_at=now + timedelta(minutes=10), **changes)
        self.broker.publish(made, cause=f"offer:{made.attempt_id}")
        await self.advance(1.5)
        return made

    async def clear(self, person: str, number: int) -> ComplianceCleared:
        """An offer of its own person and number, cleared."""
        made = await self.offer(person_id=person, phone=f"+1212555{number:04d}")
        [cleared] = [e for e in self.broker.events(ComplianceCleared) if e.attempt_id == made.attempt_id]
        return cleared

    async def redeem(self, cleared: ComplianceCleared, nonce: str = "n1") -> pb.RedeemReply:
        assert self.runtime is not None
        message = pb.RedeemRequest(
            token=cleared.token,
            attempt_id=cleared.attempt_id,
            leg_no=1,
            gateway_id="gw-1",
            boot_id="boot-1",
            nonce=nonce,
            mode="LIVE_AUTODIALED",
            caller_id="+12125550101",
            ring_timeout_seconds=18,
            route_id="demo-carrier",
        )
        message.gateway_time.FromDatetime(self.clock.now())
        reply: pb.RedeemReply = await self.runtime.rpc("Clearance", "Redeem", message)
        await self.database.relayed()
        await self.runtime.settle()
        return reply

    async def dispose(self, cleared: ComplianceCleared) -> None:
        """The attempt's outcome: nobody answered."""
        event = CallDisposition(
            attempt_id=cleared.attempt_id,
            team_id=cleared.team_id,
            campaign_id=cleared.campaign_id,
            campaign_version=cleared.campaign_version,
            context=cleared.context,
            lead_id=cleared.context.lead_id,
            revision=1,
            code=DispositionCode.NO_ANSWER,
            final=False,
            reached=True,
            human_answer=False,
            connected=False,
            abandoned=False,
            conversation=False,
            right_party=False,
            conversion=False,
            dnc=False,
            charged=True,
            end_class=EndClass.NO_ANSWER,
            fault=Fault.UNKNOWN,
            closed_by_deadline=False,
            disposed_at=self.clock.now(),
        )
        self.broker.publish(event, cause=f"disposed:{cleared.attempt_id}")
        await self.advance(1.0)

    async def clearance(self, cleared: ComplianceCleared) -> Clearance | None:
        async with self.deps.store.transaction() as tx:
            return await tx.clearance(cleared.attempt_id)

    async def state(self, cleared: ComplianceCleared) -> State | None:
        found = await self.clearance(cleared)
        return found.state if found else None

    async def fact(self, cleared: ComplianceCleared) -> AttemptFact | None:
        async with self.deps.store.transaction() as tx:
            return await tx.attempt_fact(cleared.attempt_id)

    def closed(self, cleared: ComplianceCleared) -> list[str]:
        """Outcomes of every clearance.closed of an offer."""
        return [e.outcome.value for e in self.broker.events(ClearanceClosed) if e.attempt_id == cleared.attempt_id]


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[MemoryDatabase | PostgresDatabase]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    dsn, schema = request.getfixturevalue("postgres_dsn"), f"gate_{uuid.uuid4().hex[:12]}"
    async with asyncpg.create_pool(dsn, min_size=1, max_size=8, server_settings={"search_path": schema}) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate(pool, MIGRATIONS)
        yield PostgresDatabase(pool, schema)
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")
        await pool.execute(f"DROP SCHEMA IF EXISTS {schema}_backup CASCADE")


@pytest.fixture
async def gate(database: MemoryDatabase | PostgresDatabase, pack: RulePack, a: Any) -> AsyncIterator[Gate]:
    """Running, with its campaign, backed up."""
    made = Gate(database, pack, a)
    await made.start()
    await made.publish()
    await made.advance(1.0)
    await database.back_up()
    yield made
    await made.kill()
