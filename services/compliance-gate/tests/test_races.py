"""Races on real PostgreSQL: whatever the order, one grant, one open attempt, one closing, no grant after Suppress."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from compliance_gate.handlers.offers import lapse_expired
from compliance_gate.handlers.suppressions import suppress
from compliance_gate.ports import StoreUnavailable, Unstorable
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.service import TickInput

pytestmark = pytest.mark.stack


@pytest.fixture
def gate(real: Any) -> Any:
    real.publish(retry_max_per_person=100)
    return real


async def test_fifty_gateways_redeem_one_attempt_and_one_is_granted(gate: Any, a: Any) -> None:
    cleared = await gate.clear(a.offer())
    replies = await asyncio.gather(*(gate.redeem(gate.asking(cleared, f"n{n}")) for n in range(50)))
    assert sum(reply.HasField("granted") for reply in replies) == 1
    assert sum(reply.HasField("already_redeemed") for reply in replies) == 49
    assert await gate.closed(cleared.attempt_id) == ["REDEEMED"]


async def test_one_nonce_retried_at_once_gets_one_answer(gate: Any, a: Any) -> None:
    cleared = await gate.clear(a.offer())
    replies = await asyncio.gather(*(gate.redeem(gate.asking(cleared, "n1")) for _ in range(10)))
    assert {reply.SerializeToString() for reply in replies} == {replies[0].SerializeToString()}
    assert replies[0].HasField("granted")


async def test_two_attempts_of_one_person_on_two_numbers_open_one(gate: Any, a: Any) -> None:
    for n in range(8):
        person = f"p{n}"
        pair = [await gate.clear(a.offer(person_id=person, phone=f"+1{npa}555010{n}")) for npa in (212, 312)]
        replies = await asyncio.gather(*(gate.redeem(gate.asking(cleared)) for cleared in pair))
        assert sorted(reply.WhichOneof("result") for reply in replies) == ["granted", "refused"]


async def test_no_grant_after_suppress_has_answered(gate: Any, a: Any) -> None:
    for n in range(12):
        cleared = await gate.clear(a.offer(person_id=f"p{n}", phone=f"+12125550{100 + n}"))
        message = pb.SuppressRequest(suppression_id=f"s{n}", attempt_id=cleared.attempt_id, source="AGENT")
        answered = asyncio.Event()

        async def suppressing(message: pb.SuppressRequest = message, done: asyncio.Event = answered) -> None:
            await suppress(gate.request(message), gate.deps)
            done.set()

        async def redeeming(nonce: str, cleared: Any = cleared, done: asyncio.Event = answered) -> bool:
            late = done.is_set()
            reply = await gate.redeem(gate.asking(cleared, nonce))
            return late and reply.HasField("granted")

        late_grants = await asyncio.gather(suppressing(), *(redeeming(f"n{i}") for i in range(4)))
        assert not any(late_grants)
        second = await gate.redeem(gate.asking(cleared, "later"))
        assert not second.HasField("granted")
        assert len(await gate.closed(cleared.attempt_id)) == 1


async def test_lapse_and_redeem_close_once(gate: Any, a: Any) -> None:
    tick = TickInput(now=gate.clock.now(), partition=None)
    for n in range(10):
        cleared = await gate.clear(a.offer(person_id=f"p{n}", phone=f"+12125550{100 + n}"))
        message = gate.asking(cleared)
        gate.clock.advance(60)
        message.gateway_time.FromDatetime(gate.clock.now())
        await asyncio.gather(lapse_expired(tick, gate.deps), gate.redeem(message), lapse_expired(tick, gate.deps))
        assert len(await gate.closed(cleared.attempt_id)) == 1


async def test_one_lead_ready_delivered_twice_at_once_is_decided_once(gate: Any, a: Any) -> None:
    offer = a.offer()
    first, second = await asyncio.gather(gate.clear(offer), gate.clear(offer))
    assert first == second


async def test_database_away_fails_closed(gate: Any, a: Any) -> None:
    cleared = await gate.clear(a.offer())
    await gate.pool.execute("ALTER TABLE ledger_records RENAME TO gone")
    with pytest.raises(StoreUnavailable):
        await gate.redeem(gate.asking(cleared))
    await gate.pool.execute("ALTER TABLE gone RENAME TO ledger_records")
    assert await gate.closed(cleared.attempt_id) == []
    assert (await gate.redeem(gate.asking(cleared))).HasField("granted")


async def test_a_text_that_can_never_be_stored_is_not_tried_again(gate: Any, a: Any) -> None:
    """A NUL in a CRM's id would otherwise hold up its partition for good."""
    with pytest.raises(Unstorable):
        await gate.clear(a.offer(attempt_id="a\x00b"))
