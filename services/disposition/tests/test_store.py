"""What every store of attempts does: the fake in memory and PostgreSQL under one suite."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

from disposition.domain.decide import decide
from disposition.domain.record import AttemptRecord, with_answered, with_closed, with_ended, with_progress, with_wrapup
from disposition.ports import Store
from outdial_contracts.events import DispositionCode
from outdial_testing import VirtualClock

NOW = VirtualClock().now()


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


async def test_a_full_record_survives_the_round_trip(store: Store, attempt: Any) -> None:
    record = full_record(attempt)
    assert len(record.said) == 2
    async with store.attempt(attempt.attempt_id) as unit:
        assert unit.record is None
        await unit.save(record)
    assert await store.get(attempt.attempt_id) == record


async def test_two_folds_of_one_attempt_take_turns(store: Store, attempt: Any) -> None:
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


async def test_what_is_awaited_is_found_and_nothing_else(store: Store, attempt: Any) -> None:
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


async def test_a_block_that_raises_leaves_nothing_behind(store: Store, attempt: Any) -> None:
    async def fail_after_saving() -> None:
        async with store.attempt(attempt.attempt_id) as unit:
            await unit.save(full_record(attempt))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_saving()
    assert await store.get(attempt.attempt_id) is None


async def test_what_is_looked_after_comes_oldest_first_and_no_more_than_asked(store: Store, attempt: Any) -> None:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    for place, attempt_id in enumerate(reversed(ids)):
        record = with_closed(AttemptRecord(attempt_id=attempt_id), attempt.closed(seconds=10.0 - place))
        async with store.attempt(attempt_id) as unit:
            await unit.save(record)
    later = attempt.closed(seconds=1000.0).closed_at
    assert await store.due(later, 2) == ids[:2]
    assert await store.of_boot("gw-0", "boot-1", later, 2) == ids[:2]
