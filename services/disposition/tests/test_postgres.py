"""The real store: records survive the round trip, ticks cost only what is awaited, the outbox shares the commit."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from disposition.adapters.postgres import _BOOTS, _DUE, _OF_BOOT, PostgresStore
from disposition.app import MIGRATIONS, build_service
from disposition.config import Config
from disposition.domain.decide import decide
from disposition.domain.record import AttemptRecord, with_answered, with_closed, with_ended, with_progress, with_wrapup
from outdial_contracts.events import CallDisposition, DispositionCode
from outdial_contracts.headers import read_headers
from outdial_runtime.migrations import migrate
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

pytestmark = pytest.mark.stack
NOW = VirtualClock().now()


class RecordingOutbox:
    """Keeps events, and a row of each in the given transaction."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def write(self, connection: Any, events: Any) -> None:
        self.events += [(e.event, e.cause, e.revision) for e in events]
        await connection.execute("CREATE TABLE IF NOT EXISTS recorded (n integer)")
        await connection.execute("INSERT INTO recorded VALUES (1)")


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    schema = f"disposition_{uuid.uuid4().hex}"
    settings = {"search_path": schema}
    async with asyncpg.create_pool(postgres_dsn, min_size=1, max_size=4, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate(pool, MIGRATIONS)
        yield pool
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresStore:
    return PostgresStore(pool, RecordingOutbox())


def full_record(attempt: Any) -> AttemptRecord:
    """Every field set, two revisions said."""
    closed, invited, alerting, answered, _, bridged, ended = attempt.conversation()
    record = with_closed(AttemptRecord(attempt_id=attempt.attempt_id), closed)
    for event in (invited, alerting, bridged):
        record = with_progress(record, event)
    record = with_ended(with_answered(record, answered), ended)
    word = attempt.wrapup("CALLBACK", callback_at=NOW + timedelta(microseconds=123_457), suppression_id="s")
    record = decide(record, ended.ended_at + timedelta(hours=1), "m1").record
    return decide(with_wrapup(record, word), NOW, "m2").record


async def test_a_full_record_survives_the_round_trip(store: PostgresStore, attempt: Any) -> None:
    record = full_record(attempt)
    assert len(record.said) == 2
    async with store.attempt(attempt.attempt_id) as unit:
        assert unit.record is None
        await unit.save(record)
    assert await store.get(attempt.attempt_id) == record


async def test_two_folds_of_one_attempt_take_turns(store: PostgresStore, attempt: Any) -> None:
    async def fold(code: str, seconds: float) -> None:
        async with store.attempt(attempt.attempt_id) as unit:
            before = unit.record or AttemptRecord(attempt_id=attempt.attempt_id)
            await asyncio.sleep(0.02)
            await unit.save(with_closed(with_wrapup(before, attempt.wrapup(code, seconds)), attempt.closed()))

    await asyncio.gather(fold("CALLBACK", 2.0), fold("INTERESTED", 3.0), fold("CONNECTED", 1.0))
    record = await store.get(attempt.attempt_id)
    assert record is not None
    assert record.wrapup is not None
    assert record.wrapup.code is DispositionCode.INTERESTED


async def test_the_outbox_row_shares_the_transaction(store: PostgresStore, pool: asyncpg.Pool, attempt: Any) -> None:
    async def fail_after_saying() -> None:
        async with store.attempt(attempt.attempt_id) as unit:
            await unit.save(full_record(attempt))
            await unit.say(full_record(attempt).said[0].event, "deadline:x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_saying()
    assert await store.get(attempt.attempt_id) is None
    assert await pool.fetchval("SELECT to_regclass('recorded')") is None


async def test_what_is_awaited_is_found_and_nothing_else(store: PostgresStore, attempt: Any) -> None:
    waiting = with_closed(AttemptRecord(attempt_id=str(uuid.uuid4())), attempt.closed())
    for record in (waiting, full_record(attempt)):
        async with store.attempt(record.attempt_id) as unit:
            await unit.save(record)
    redeemed_at = attempt.closed().closed_at
    assert await store.boots() == [("gw-0", "boot-1")]
    assert await store.of_boot("gw-0", "boot-1", redeemed_at, 10) == [waiting.attempt_id]
    assert await store.of_boot("gw-0", "boot-1", redeemed_at - timedelta(seconds=1), 10) == []
    assert await store.of_boot("gw-0", None, redeemed_at, 10) == []
    assert await store.due(redeemed_at + timedelta(seconds=47), 10) == []
    assert await store.due(redeemed_at + timedelta(seconds=48), 10) == [waiting.attempt_id]


async def test_a_tick_reads_indexes_of_what_is_awaited(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO attempts (attempt_id, record) SELECT gen_random_uuid(), '{}' FROM generate_series(1, 20000)"
    )
    await pool.execute(
        "INSERT INTO attempts SELECT gen_random_uuid(), '{}', $1, $1, 'gw-0', 'boot-1' FROM generate_series(1, 200)",
        NOW,
    )
    await pool.execute("ANALYZE attempts")
    for query, arguments in ((_DUE, [NOW, 10]), (_BOOTS, []), (_OF_BOOT, ["gw-0", "boot-1", NOW, 10])):
        plan = "\n".join(row[0] for row in await pool.fetch(f"EXPLAIN {query}", *arguments))
        assert "attempts_due" in plan or "attempts_waiting" in plan, plan
        assert "Seq Scan" not in plan, plan


@pytest.fixture
async def config(pool: asyncpg.Pool, postgres_dsn: str) -> Config:
    schema = await pool.fetchval("SELECT current_schema()")
    separator = "&" if "?" in postgres_dsn else "?"
    dsn = f"{postgres_dsn}{separator}options=-csearch_path%3D{schema}"
    return Config(postgres_dsn=dsn, gate_address="127.0.0.1:1")


async def test_the_service_runs_from_redemption_to_disposition(config: Config, attempt: Any) -> None:
    broker = MemoryBroker(VirtualClock(attempt.closed(seconds=45.0).closed_at))
    async with run_in_memory(build_service(config), broker) as running:
        for event in (*attempt.conversation(), attempt.wrapup("INTERESTED")):
            broker.publish(event)
        await running.settle()
        said = broker.events(CallDisposition)
        assert [(d.attempt_id, d.code, d.revision) for d in said] == [
            (attempt.attempt_id, DispositionCode.INTERESTED, 1)
        ]
        reply = await running.http("GET", f"/v1/attempts/{attempt.attempt_id}")
        assert (reply.status, reply.body["attempt_id"]) == (200, attempt.attempt_id)


async def test_killed_after_it_stored_and_before_it_published_it_says_it_once(
    config: Config, store: PostgresStore, attempt: Any, new_world: Any
) -> None:
    broker = MemoryBroker(VirtualClock(attempt.closed(seconds=1.0).closed_at))
    ended = attempt.ended("BUSY", 0.4, sip_status=486)
    broker.publish(ended)
    [message] = broker.log.messages("call.ended")
    cause = read_headers(message.headers).id
    killed = new_world(store)
    await killed.take(ended, 1.0, cause=cause)
    assert broker.events(CallDisposition) == []
    async with run_in_memory(build_service(config), broker) as running:
        await running.settle()
        broker.publish(attempt.closed())
        await running.settle()
    assert broker.events(CallDisposition) == killed.published


async def test_an_opt_out_waits_for_the_gate_and_is_no_dead_letter(
    config: Config, store: PostgresStore, attempt: Any
) -> None:
    broker = MemoryBroker(VirtualClock(attempt.closed(seconds=45.0).closed_at))
    async with run_in_memory(build_service(config), broker) as running:
        for event in (*attempt.conversation(), attempt.wrapup("DNC_REQUESTED")):
            broker.publish(event)
        async with asyncio.timeout(20.0):
            while not await all_but_the_last_word(store, attempt.attempt_id):
                await asyncio.sleep(0.01)
        assert running.not_ready is None
    assert broker.events(CallDisposition) == []
    assert broker.dead("agent.wrapup") == broker.dead("call.ended") == []


async def all_but_the_last_word(store: PostgresStore, attempt_id: str) -> bool:
    """Everything is stored but the one message that would have published the opt-out."""
    record = await store.get(attempt_id)
    facts = record is not None and record.redemption and record.bridged_at and record.answered_at
    return record is not None and bool(facts) and (record.end is None) != (record.wrapup is None)
