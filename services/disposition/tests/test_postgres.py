"""The real store: ticks cost only what is awaited, the outbox shares the commit, the service runs on it."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from disposition.adapters.postgres import _BOOTS, _DUE, _OF_BOOT, PostgresStore
from disposition.app import build_service
from disposition.config import Config
from disposition.domain.decide import decide
from disposition.domain.record import AttemptRecord, with_closed, with_ended
from outdial_contracts.events import CallDisposition, DispositionCode
from outdial_contracts.headers import read_headers
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

pytestmark = pytest.mark.stack
NOW = VirtualClock().now()


async def test_the_outbox_row_shares_the_transaction(
    real_store: PostgresStore, pool: asyncpg.Pool, attempt: Any
) -> None:
    async def fail_after_saying() -> None:
        async with real_store.attempt(attempt.attempt_id) as unit:
            record = with_closed(AttemptRecord(attempt_id=attempt.attempt_id), attempt.closed())
            ruling = decide(with_ended(record, attempt.ended("BUSY")), NOW, "m1")
            assert ruling.event is not None
            await unit.say(ruling.event, "deadline:x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_saying()
    assert await pool.fetchval("SELECT to_regclass('recorded')") is None


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
    config: Config, real_store: PostgresStore, attempt: Any, new_world: Any
) -> None:
    broker = MemoryBroker(VirtualClock(attempt.closed(seconds=1.0).closed_at))
    ended = attempt.ended("BUSY", 0.4, sip_status=486)
    broker.publish(ended)
    [message] = broker.log.messages("call.ended")
    cause = read_headers(message.headers).id
    killed = new_world(real_store)
    await killed.take(ended, 1.0, cause=cause)
    assert broker.events(CallDisposition) == []
    async with run_in_memory(build_service(config), broker) as running:
        await running.advance(0.5)  # what came before the topics were read back waits a moment
        broker.publish(attempt.closed())
        await running.settle()
    assert broker.events(CallDisposition) == killed.published


async def test_an_opt_out_waits_for_the_gate_and_is_no_dead_letter(
    config: Config, real_store: PostgresStore, attempt: Any
) -> None:
    broker = MemoryBroker(VirtualClock(attempt.closed(seconds=45.0).closed_at))
    async with run_in_memory(build_service(config), broker) as running:
        for event in (*attempt.conversation(), attempt.wrapup("DNC_REQUESTED")):
            broker.publish(event)
        async with asyncio.timeout(20.0):
            while not await all_but_the_last_word(real_store, attempt.attempt_id):
                await asyncio.sleep(0.01)
        assert running.not_ready is None
    assert broker.events(CallDisposition) == []
    assert broker.dead("agent.wrapup") == broker.dead("call.ended") == []


async def all_but_the_last_word(real_store: PostgresStore, attempt_id: str) -> bool:
    """Everything is stored but the one message that would have published the opt-out."""
    record = await real_store.get(attempt_id)
    facts = record is not None and record.redemption and record.bridged_at and record.answered_at
    return record is not None and bool(facts) and (record.end is None) != (record.wrapup is None)
