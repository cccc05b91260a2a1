"""What is handed to an outbox leaves in order, once, and with the trace it was written in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from outdial_contracts.events import DialRefused, PacingSupply, SupplyReason
from outdial_contracts.headers import read_headers
from outdial_runtime.broker import BrokerError, Record
from outdial_runtime.metrics import Metrics
from outdial_runtime.migrations import migrate_runtime
from outdial_runtime.outbox import MemoryOutbox
from outdial_runtime.outcome import Emit
from outdial_runtime.spans import Spans
from outdial_runtime.surroundings import Surroundings
from outdial_runtime.table_outbox import RelayedOutbox
from outdial_testing import MemoryBroker, VirtualClock
from outdial_testing.examples import load_examples

AT = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
ATTEMPT = str(UUID(int=7 << 64))


def supplies(*epochs: int) -> list[Emit]:
    return [Emit(event=supply(epoch), cause=f"epoch:{epoch}") for epoch in epochs]


def supply(epoch: int) -> PacingSupply:
    return PacingSupply(
        team_id="blue", campaign_id="c", epoch=epoch, sent_total=1, reason=SupplyReason.SATISFIED, supplied_at=AT
    )


@pytest.fixture
def around() -> Surroundings:
    return Surroundings(service="sample", clock=VirtualClock(), spans=Spans("s", "s-0"), metrics=Metrics())


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@asynccontextmanager
async def running(outbox: MemoryOutbox | RelayedOutbox) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(outbox.run())
    yield task
    task.cancel()
    await asyncio.wait({task})


class Refusing:
    """A producer whose broker is away."""

    async def produce(self, records: Sequence[Record]) -> list[int]:
        raise BrokerError("away")

    async def close(self) -> None:
        """Nothing is open."""


async def test_memory_outbox_keeps_the_order_and_flush_waits_for_all(
    around: Surroundings, broker: MemoryBroker
) -> None:
    outbox = MemoryOutbox(around, broker.producer())
    async with running(outbox):
        for epoch in range(50):
            outbox.emit(*supplies(epoch))
        await outbox.flush()
        assert [event.epoch for event in broker.events(PacingSupply)] == list(range(50))
        assert outbox.depth == 0


async def test_same_cause_in_another_call_has_the_same_id(around: Surroundings, broker: MemoryBroker) -> None:
    outbox = MemoryOutbox(around, broker.producer())
    async with running(outbox):
        outbox.emit(*supplies(1))
        outbox.emit(*supplies(1))
        outbox.emit(*supplies(2))
        await outbox.flush()
    ids = [read_headers(m.headers).id for m in broker.log.messages("pacing.supply")]
    assert ids[0] == ids[1] != ids[2]


async def test_event_that_kafka_does_not_take_ends_the_outbox(around: Surroundings) -> None:
    outbox = MemoryOutbox(around, Refusing())
    async with running(outbox) as task:
        outbox.emit(*supplies(1))
        with pytest.raises(BrokerError, match="away"):
            await task


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    schema = f"outbox_{uuid4().hex}"
    settings = {"search_path": schema}
    async with asyncpg.create_pool(postgres_dsn, min_size=1, max_size=4, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate_runtime(pool)
        yield pool
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


async def write(outbox: RelayedOutbox, pool: asyncpg.Pool, events: Sequence[Emit]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await outbox.write(connection, events)


@pytest.mark.stack
async def test_rows_leave_in_order_after_their_commit_and_are_deleted(
    around: Surroundings, broker: MemoryBroker, pool: asyncpg.Pool
) -> None:
    outbox = RelayedOutbox(around, broker.producer(), pool)
    async with running(outbox):
        for epoch in range(0, 30, 3):
            await write(outbox, pool, supplies(epoch, epoch + 1, epoch + 2))
        async with asyncio.timeout(10):
            while len(broker.events(PacingSupply)) < 30:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
    assert [event.epoch for event in broker.events(PacingSupply)] == list(range(30))
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0


@pytest.mark.stack
async def test_nothing_leaves_of_a_transaction_rolled_back(
    around: Surroundings, broker: MemoryBroker, pool: asyncpg.Pool
) -> None:
    outbox = RelayedOutbox(around, broker.producer(), pool)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await outbox.write(connection, supplies(1))
        assert await outbox.relay() == 0
        await transaction.rollback()
    await outbox.drain()
    assert broker.events(PacingSupply) == []


@pytest.mark.stack
async def test_rows_stay_when_kafka_does_not_take_them(
    around: Surroundings, broker: MemoryBroker, pool: asyncpg.Pool
) -> None:
    await write(RelayedOutbox(around, Refusing(), pool), pool, supplies(1))
    with pytest.raises(BrokerError):
        await RelayedOutbox(around, Refusing(), pool).relay()
    await RelayedOutbox(around, broker.producer(), pool).drain()
    assert [event.epoch for event in broker.events(PacingSupply)] == [1]


@pytest.mark.stack
async def test_two_replicas_relay_every_row_once(
    around: Surroundings, broker: MemoryBroker, pool: asyncpg.Pool
) -> None:
    outboxes = [RelayedOutbox(around, broker.producer(), pool) for _ in range(2)]
    await write(outboxes[0], pool, supplies(*range(100)))
    await asyncio.gather(*(outbox.drain() for outbox in outboxes))
    await outboxes[0].drain()
    assert [event.epoch for event in broker.events(PacingSupply)] == list(range(100))


@pytest.mark.stack
async def test_row_keeps_the_trace_it_was_written_in_and_every_header(
    around: Surroundings, broker: MemoryBroker, pool: asyncpg.Pool
) -> None:
    example = load_examples("dial.refused")[0]
    assert isinstance(example, DialRefused)
    event = replace(example, attempt_id=ATTEMPT, team_id="blue")
    outbox = RelayedOutbox(around, broker.producer(), pool)
    async with around.spans.child_span("redeem", ATTEMPT):
        wanted = around.spans.inject(ATTEMPT)
        await write(outbox, pool, [Emit(event=event, cause="c")])
    await outbox.drain()
    headers = read_headers(broker.log.messages("dial.refused")[0].headers)
    assert (headers.traceparent, headers.source, headers.subject) == (wanted, "sample", "blue")


@pytest.mark.stack
async def test_migrations_run_once_however_many_replicas_start(pool: asyncpg.Pool) -> None:
    await asyncio.gather(*(migrate_runtime(pool) for _ in range(4)))
    assert await pool.fetchval("SELECT count(*) FROM schema_migrations") == 1
