"""After its database went back in time: nothing twice, no cap exceeded, nobody suppressed dialled, one closing each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compliance_gate.domain import verification
from compliance_gate.domain.clearance import State
from compliance_gate.domain.ledger import Chain, RecordKind
from compliance_gate.handlers import ledger
from outdial_contracts.events import (
    BlockReason,
    ComplianceBlocked,
    ComplianceCleared,
    SuppressionSource,
    SuppressionSubmitted,
)
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.requests import NotReady

LOCK_SECONDS = 62.0


async def test_redemption_after_the_backup_is_counted_again_and_never_granted_again(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    assert (await gate.redeem(cleared)).HasField("granted")
    await gate.restore()
    assert await gate.state(cleared) is State.REDEEMED
    assert (await gate.fact(cleared)).charged
    with pytest.raises(NotReady):
        await gate.redeem(cleared, nonce="n2")
    await gate.advance(LOCK_SECONDS)
    assert (await gate.redeem(cleared, nonce="n2")).HasField("already_redeemed")
    assert (await gate.redeem(cleared, nonce="n1")).HasField("already_redeemed")
    assert gate.closed(cleared) == ["REDEEMED"]


async def test_offer_cleared_before_and_redeemed_after_the_backup_is_not_lapsed_by_the_restored_gate(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    await gate.database.back_up()
    await gate.redeem(cleared)
    await gate.restore()
    await gate.advance(LOCK_SECONDS + 5)
    assert await gate.state(cleared) is State.REDEEMED
    assert gate.closed(cleared) == ["REDEEMED"]


async def test_offer_that_the_backup_never_heard_of_lapses_once_and_cannot_be_redeemed(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    await gate.restore()
    await gate.advance(LOCK_SECONDS - 5)
    assert gate.closed(cleared) == []
    await gate.advance(10)
    assert gate.closed(cleared) == ["LAPSED"]
    reply = await gate.redeem(cleared)
    assert BlockReason.CLEARANCE_EXPIRED.value in reply.refused.reasons
    assert gate.closed(cleared) == ["LAPSED"]


async def test_offer_that_lapsed_after_the_backup_is_not_closed_again(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    await gate.advance(65)
    assert gate.closed(cleared) == ["LAPSED"]
    await gate.restore()
    assert await gate.state(cleared) is State.LAPSED
    await gate.advance(LOCK_SECONDS + 5)
    assert gate.closed(cleared) == ["LAPSED"]


async def test_lock_holds_one_clearance_lifetime_and_readyz_says_why(gate: Any) -> None:
    await gate.clear("p1", 101)
    await gate.restore()
    assert "restore lock" in gate.why
    later = await gate.offer(person_id="p2", phone="+12125550102")
    await gate.advance(55.0)
    assert "restore lock" in gate.why
    assert later.attempt_id not in {e.attempt_id for e in gate.broker.events(ComplianceCleared)}
    await gate.advance(6.0)
    assert gate.why is None
    [cleared] = [e for e in gate.broker.events(ComplianceCleared) if e.attempt_id == later.attempt_id]
    assert (await gate.redeem(cleared)).HasField("granted")


async def test_longest_lifetime_of_any_campaign_decides(gate: Any) -> None:
    await gate.publish(clearance_ttl_seconds=300)
    await gate.clear("p1", 101)
    await gate.restore()
    await gate.advance(295)
    assert "restore lock" in gate.why
    await gate.advance(10)
    assert gate.why is None


async def test_suppression_after_the_backup_holds(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    await gate.runtime.rpc(
        "Clearance", "Suppress", pb.SuppressRequest(attempt_id=cleared.attempt_id, seller_id="S1", source="AGENT")
    )
    wish = SuppressionSubmitted(
        suppression_id="s-2",
        seller_id="S1",
        source=SuppressionSource.CRM,
        requested_at=gate.clock.now(),
        person_id="p2",
    )
    gate.broker.publish(wish)
    await gate.advance(1.0)
    await gate.restore()
    await gate.advance(LOCK_SECONDS)
    for person, number in (("p1", 101), ("p2", 102)):
        made = await gate.offer(person_id=person, phone=f"+1212555{number:04d}")
        [blocked] = [e for e in gate.broker.events(ComplianceBlocked) if e.attempt_id == made.attempt_id]
        assert BlockReason.INTERNAL_DNC in blocked.reasons


async def test_attempts_after_the_backup_count_in_the_caps_and_an_open_one_stays_open(gate: Any) -> None:
    await gate.publish(retry_max_per_person=2)
    first = await gate.clear("p1", 101)
    await gate.redeem(first)
    await gate.dispose(first)
    second = await gate.clear("p1", 101)
    assert (await gate.redeem(second)).HasField("granted")
    await gate.restore()
    async with gate.deps.store.transaction() as tx:
        keys = (await tx.clearance(first.attempt_id)).keys
        assert await tx.open_attempts(keys) == {second.attempt_id}
    await gate.advance(LOCK_SECONDS)
    third = await gate.offer(person_id="p1", phone="+12125550101")
    [blocked] = [e for e in gate.broker.events(ComplianceBlocked) if e.attempt_id == third.attempt_id]
    assert BlockReason.ATTEMPT_CAP in blocked.reasons
    await gate.dispose(second)
    async with gate.deps.store.transaction() as tx:
        assert await tx.open_attempts(keys) == frozenset()


async def test_blocked_offer_is_not_decided_anew(gate: Any) -> None:
    made = await gate.offer(person_id="p1", phone="+12125550101", consents=())
    assert len(gate.broker.events(ComplianceBlocked)) == 1
    await gate.restore()
    gate.broker.publish(made, cause="another cause")
    await gate.advance(LOCK_SECONDS + 2)
    assert len(gate.broker.events(ComplianceBlocked)) == 1
    assert gate.broker.events(ComplianceCleared) == []


async def test_crash_or_any_restart_without_a_restore_locks_nothing(gate: Any) -> None:
    redeemed, open_offer = await gate.clear("p1", 101), await gate.clear("p2", 102)
    await gate.redeem(redeemed)
    await gate.advance(40)
    await gate.kill()
    waiting = gate.a.offer(person_id="p3", phone="+12125550103")
    gate.broker.publish(waiting, cause="while it was away")
    await gate.start()
    await gate.advance(2)
    assert gate.why is None
    assert waiting.attempt_id in {e.attempt_id for e in gate.broker.events(ComplianceCleared)}
    await gate.advance(30)
    assert gate.closed(open_offer) == ["LAPSED"]
    assert gate.closed(redeemed) == ["REDEEMED"]


async def test_first_records_after_a_restore_name_the_lost_chains_and_the_export_verifies(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    await gate.redeem(cleared)
    await gate.advance(6)
    lost = dict(gate.deps.chains)
    heads = {c.chain_id: c for c in await gate.deps.store.checkpoints() if c.chain_id in lost.values()}
    topic = {c.chain_id: {c.seq: (c.head, c.root)} for c in heads.values()}
    await gate.restore()
    await gate.advance(LOCK_SECONDS)
    assert gate.why is None
    for chain in Chain:
        genesis = json.loads((await gate.deps.store.records(gate.deps.chains[chain]))[0].body)
        assert genesis["lost"] == {c: [head.seq, head.head] for c, head in heads.items()}
    kinds = [r.kind for r in await gate.deps.store.records(gate.deps.chains[Chain.REDEMPTIONS])]
    assert kinds[1] is RecordKind.RESTORE_LOCK
    assert RecordKind.RESTORED in kinds
    assert kinds[-1] is RecordKind.RESTORE_UNLOCK
    export = b"".join([chunk async for chunk in ledger.export(gate.deps)])
    found = verification.verify(verification.lines_of(export), gate.signer.verify, topic)
    assert found.problems == []
    assert found.lost == {c: head.seq for c, head in heads.items()}
