"""Suspensions, answers of the Reassigned Numbers Database and relations are there again after a restore."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from outdial_contracts.events import ReassignedAnswer, ReassignedAnswered, ReassignedReply, Relation, SuspensionChanged

LOCK_SECONDS = 62.0


async def http(gate: Any, path: str, body: dict[str, Any]) -> Any:
    return await gate.runtime.http("POST", path, json.dumps(body).encode())


async def test_emergency_declared_since_the_backup_is_in_force_again(gate: Any) -> None:
    told = {"region": "US-NY", "source": "Executive Order 28", "entered_by": "ops", "suspension_id": "s1"}
    reply = await http(gate, "/v1/suspensions", told)
    assert reply.status == 200
    await gate.advance(1.0)
    assert len(gate.broker.events(SuspensionChanged)) == 1
    await gate.restore()
    async with gate.deps.store.transaction() as tx:
        assert [s.region for s in await tx.suspensions(gate.clock.now())] == ["US-NY"]
    assert gate.why is not None  # something was missing: it is locked
    await gate.advance(LOCK_SECONDS + 5)
    assert gate.why is None
    await http(gate, "/v1/suspensions/s1/lift", {"lifted_by": "ops"})
    await gate.advance(1.0)
    await gate.restore()
    async with gate.deps.store.transaction() as tx:
        assert await tx.suspensions(gate.clock.now()) == ()


async def test_answers_imported_since_the_backup_are_known_again(gate: Any) -> None:
    yes = ReassignedAnswer(
        number_key="n1", consent_date="2026-01-02", reply=ReassignedReply.YES, answered_at=gate.clock.now()
    )
    gate.broker.publish(ReassignedAnswered(batch_id="b1", answers=(yes,)), cause="reassigned:b1")
    await gate.restore()
    async with gate.deps.store.transaction() as tx:
        assert await tx.reassigned(["n1"]) == {"n1": (yes,)}
    assert gate.why is not None


async def test_contract_that_ended_since_the_backup_stays_ended(gate: Any) -> None:
    now = gate.clock.now()
    ended = Relation(seller_id="S1", as_of=now, contract_active=False)
    active = Relation(seller_id="S1", as_of=now - timedelta(days=1), contract_active=True)
    made = await gate.offer(person_id="p1", phone="+12125550101", relations=(active,))
    await gate.database.back_up()
    await gate.offer(person_id="p1", phone="+12125550101", relations=(ended,))
    await gate.restore()
    key = gate.deps.tokens.person_tokens(made.person_id)[0]
    async with gate.deps.store.transaction() as tx:
        [relation] = (await tx.relations([key]))[key]
    assert not relation.contract_active
