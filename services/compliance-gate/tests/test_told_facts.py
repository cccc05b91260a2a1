"""What people and CRMs tell the gate, on the memory store and PostgreSQL: it is kept, and every decision heeds it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compliance_gate.adapters.postgres_facts import merge_answers
from compliance_gate.domain.facts import ListCopy
from compliance_gate.domain.facts import Relation as KnownRelation
from compliance_gate.domain.rules import CapRule, Exemption, Key, ListRule, Origin, Scope
from compliance_gate.handlers.http import get_evidence
from compliance_gate.handlers.preflight import post_preflight
from compliance_gate.handlers.reassigned import announce_answers
from compliance_gate.handlers.suspensions import get_suspensions, post_lift, post_suspension
from compliance_gate.ports import NoLists
from outdial_contracts.events import (
    BlockReason,
    ComplianceCleared,
    Purpose,
    ReassignedAnswer,
    ReassignedReply,
    Relation,
    SuspensionChanged,
)
from outdial_runtime.outcome import NOTHING
from outdial_runtime.service import TickInput

NEW_YORK = {"region": "US-NY", "source": "Executive Order 28", "entered_by": "ops@example.test"}


class Listed(NoLists):
    """Every number is on US-NDNC."""

    def copies(self, e164: str) -> dict[str, ListCopy]:
        return {"US-NDNC": ListCopy(as_of=datetime(2026, 11, 17, tzinfo=UTC), listed=True)}


def national_list(world: Any) -> None:
    """The national list applies, and an existing relationship lifts it."""
    rule = ListRule(
        rule_id="US-NDNC",
        scope=Scope(jurisdiction="US", purposes=frozenset({Purpose.MARKETING}), consumers_only=True),
        origin=Origin(citation="47 CFR 64.1200(c)(2)"),
        max_age_days=31,
        lifted_by=Exemption(transaction_months=18, inquiry_months=3, contract_active=True),
    )
    world.deps = replace(world.deps, pack=replace(world.deps.pack, lists=(rule,), consents=()), lists=Listed())


def relation(a: Any, **changes: Any) -> Relation:
    whole = Relation(seller_id="S1", as_of=a.now - timedelta(days=1), contract_active=False)
    return replace(whole, **changes)


def answer(a: Any, number: str, day: str, reply: ReassignedReply, **changes: Any) -> ReassignedAnswer:
    whole = ReassignedAnswer(number_key=number, consent_date=day, reply=reply, answered_at=a.now)
    return replace(whole, **changes)


def number_key(world: Any, phone: str = "+12125550123") -> str:
    return str(world.deps.tokens.callee_tokens(phone)[0])


async def post(world: Any, body: dict[str, Any]) -> Any:
    return (await post_suspension(world.request(json.dumps(body).encode()), world.deps)).reply


async def lift(world: Any, suspension_id: str, body: dict[str, Any]) -> Any:
    request = world.request(json.dumps(body).encode(), suspension_id=suspension_id)
    return (await post_lift(request, world.deps)).reply


async def previewed(world: Any, a: Any, **changes: Any) -> list[str]:
    """Reasons that preflight gives for one lead like the offers here."""
    given = {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in a.consent().to_record().items()}
    lead = {
        "lead_id": "L1",
        "person_id": "person-1",
        "phone": "+12125550123",
        "line_type": "MOBILE",
        "consumer": True,
        "address": {"country": "US", "region": "NY"},
        "consents": [given],
        **changes,
    }
    body = json.dumps({"campaign": a.campaign(), "leads": [lead]}).encode()
    reply = (await post_preflight(world.request(body), world.deps)).reply
    return list(reply.body["results"][0]["reasons"])


async def ledger_kinds(world: Any) -> list[str]:
    return [record.kind.value for record in await world.deps.store.records() if record.kind.value != "GENESIS"]


async def test_declared_emergency_blocks_everywhere_until_it_is_lifted(world: Any, a: Any) -> None:
    before = await world.clear(a.offer())
    assert isinstance(before, ComplianceCleared)
    declared = await post(world, NEW_YORK)
    assert declared.status == 200
    blocked = await world.clear(a.offer(person_id="p2", phone="+12125550124"))
    assert blocked.reasons == (BlockReason.STATE_OF_EMERGENCY,)
    assert blocked.rule_ids == ("US-EMERGENCY-SUSPENSION",)
    refused = (await world.redeem(world.asking(before))).refused
    assert list(refused.reasons) == ["STATE_OF_EMERGENCY"]
    assert await previewed(world, a) == ["STATE_OF_EMERGENCY"]
    elsewhere = a.offer(person_id="p3", phone="+13125550124", address=replace(a.offer().address, region="IL"))
    assert isinstance(await world.clear(elsewhere), ComplianceCleared)
    world.clock.advance(60)
    lifted = await lift(world, declared.body["suspension_id"], {"lifted_by": "chief@example.test"})
    assert (lifted.status, lifted.body["changed_by"]) == (200, "chief@example.test")
    assert isinstance(await world.clear(a.offer()), ComplianceCleared)
    kinds = await ledger_kinds(world)
    assert kinds.count("SUSPENSION") == 2


async def test_emergency_with_an_end_says_when_calls_are_allowed_again(world: Any, a: Any) -> None:
    ends_at = a.now + timedelta(minutes=5)
    await post(world, {**NEW_YORK, "ends_at": ends_at.isoformat()})
    blocked = await world.clear(a.offer())
    assert (blocked.reasons, blocked.next_allowed_at) == ((BlockReason.STATE_OF_EMERGENCY,), ends_at)
    world.clock.advance(300)
    assert isinstance(await world.clear(a.offer()), ComplianceCleared)


async def test_declaration_is_repeated_by_its_id_and_never_reopens_or_changes_one(world: Any, a: Any) -> None:
    named = {**NEW_YORK, "suspension_id": "storm-1"}
    first = await post(world, named)
    world.clock.advance(5)
    assert (await post(world, named)).body == first.body
    assert (await post(world, {**named, "region": "US-LA"})).status == 409
    await lift(world, "storm-1", {"lifted_by": "ops@example.test"})
    assert (await post(world, named)).status == 409
    world.clock.advance(5)
    again = await post(world, NEW_YORK)
    assert again.body["suspension_id"] != "storm-1"
    listed = (await get_suspensions(world.request(b""), world.deps)).reply.body["suspensions"]
    assert [row["in_force"] for row in listed] == [False, True]


@pytest.mark.parametrize(
    "change, field",
    [
        ({"region": "US-ZZ"}, "region"),
        ({"region": None}, "region"),
        ({"source": " "}, "source"),
        ({"entered_by": 7}, "entered_by"),
        ({"starts_at": "yesterday"}, "starts_at"),
        ({"starts_at": "2026-11-17T15:00:00"}, "starts_at"),
        ({"ends_at": "2026-11-01T00:00:00Z"}, "ends_at"),
        ({"state": "NY"}, "state"),
    ],
)
async def test_declaration_that_can_not_be_taken_names_the_field(fake: Any, change: dict[str, Any], field: str) -> None:
    reply = await post(fake, {**NEW_YORK, **change})
    assert (reply.status, reply.body["detail"].partition(":")[0]) == (422, field)
    assert (await lift(fake, "nobody", {"lifted_by": "ops"})).status == 404


async def test_number_reassigned_after_the_consent_voids_it_everywhere(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    asked = a.consent().granted_at.date().isoformat()
    async with world.deps.store.transaction() as tx:
        await tx.merge_reassigned([answer(a, number_key(world), asked, ReassignedReply.YES)])
    blocked = await world.clear(a.offer())
    assert blocked.reasons == (BlockReason.CONSENT_REASSIGNED,)
    assert list((await world.redeem(world.asking(cleared))).refused.reasons) == ["CONSENT_REASSIGNED"]
    assert await previewed(world, a) == ["CONSENT_REASSIGNED"]
    given_since = a.consent(consent_id="c2", granted_at=a.now, captured_at=a.now)
    world.clock.advance(1)
    assert isinstance(await world.clear(a.offer(consents=(given_since,))), ComplianceCleared)


@pytest.mark.parametrize("reply", [ReassignedReply.NO, ReassignedReply.NO_DATA])
async def test_only_a_no_is_a_safe_harbour_and_neither_voids_a_consent(
    world: Any, a: Any, reply: ReassignedReply
) -> None:
    asked = a.consent().granted_at.date().isoformat()
    async with world.deps.store.transaction() as tx:
        await tx.merge_reassigned([answer(a, number_key(world), asked, reply)])
    cleared = await world.clear(a.offer())
    assert isinstance(cleared, ComplianceCleared)
    shown = (await get_evidence(world.request(b"", attempt_id=cleared.attempt_id), world.deps)).reply.body
    reassigned = shown["consents"][0]["reassigned"]
    assert (reassigned["reply"], reassigned["safe_harbour"]) == (reply.value, reply is ReassignedReply.NO)


async def test_relation_of_a_lead_lifts_a_listing_and_its_end_takes_that_back(world: Any, a: Any) -> None:
    national_list(world)
    assert (await world.clear(a.offer())).reasons == (BlockReason.DNC_LISTED,)
    active = relation(a, contract_active=True)
    cleared = await world.clear(a.offer(relations=(active,)))
    assert isinstance(cleared, ComplianceCleared)
    assert isinstance(await world.clear(a.offer(phone="+12125550177")), ComplianceCleared)
    assert await previewed(world, a) == []
    ended = replace(active, contract_active=False, as_of=a.now)
    assert (await world.clear(a.offer(relations=(ended,)))).reasons == (BlockReason.DNC_LISTED,)
    assert list((await world.redeem(world.asking(cleared))).refused.reasons) == ["DNC_LISTED"]
    assert (await world.clear(a.offer(relations=(active,)))).reasons == (BlockReason.DNC_LISTED,)
    newest = {"seller_id": "S1", "last_inquiry_at": (a.now - timedelta(days=5)).isoformat()}
    assert await previewed(world, a, relations=[newest]) == []


async def test_relation_told_of_the_future_does_not_outlive_what_is_told_later(world: Any, a: Any) -> None:
    national_list(world)
    await world.clear(a.offer(relations=(relation(a, contract_active=True, as_of=a.now + timedelta(days=9)),)))
    world.clock.advance(60)
    ended = relation(a, as_of=world.clock.now())
    assert (await world.clear(a.offer(relations=(ended,)))).reasons == (BlockReason.DNC_LISTED,)


async def test_relation_with_another_seller_lifts_nothing(world: Any, a: Any) -> None:
    national_list(world)
    other = relation(a, seller_id="S2", contract_active=True)
    assert (await world.clear(a.offer(relations=(other,)))).reasons == (BlockReason.DNC_LISTED,)


async def test_calls_about_one_debt_do_not_count_against_another(world: Any, a: Any) -> None:
    world.publish(retry_max_per_person=9)
    rule = CapRule(
        rule_id="US-REGF-7IN7",
        scope=Scope(jurisdiction="US", purposes=frozenset({Purpose.COLLECTIONS})),
        origin=Origin(citation="12 CFR 1006.14(b)(2)(i)(A)"),
        max_attempts=1,
        window_days=7,
        same=frozenset({Key.SELLER, Key.DEBT}),
    )
    world.deps = replace(world.deps, pack=replace(world.deps.pack, caps=(rule,), consents=()))
    about = {"purpose": Purpose.COLLECTIONS, "debt_id": "D-1"}
    assert isinstance(await world.clear(a.offer(**about)), ComplianceCleared)
    reserved = await world.clear(a.offer(**about))
    assert (reserved.reasons, reserved.rule_ids) == ((BlockReason.ATTEMPT_CAP,), ("US-REGF-7IN7",))
    other = await world.clear(a.offer(purpose=Purpose.COLLECTIONS, debt_id="D-2"))
    assert (await world.redeem(world.asking(other))).HasField("granted")
    redeemed = await world.clear(a.offer(purpose=Purpose.COLLECTIONS, debt_id="D-2"))
    assert redeemed.rule_ids == ("US-REGF-7IN7",)
    assert isinstance(await world.clear(a.offer(purpose=Purpose.COLLECTIONS, debt_id="D-3")), ComplianceCleared)


async def test_store_keeps_the_latest_word_in_any_order(world: Any, a: Any) -> None:
    old, new = relation(a, contract_active=True, as_of=a.now - timedelta(days=9)), relation(a, last_inquiry_at=a.now)
    change = SuspensionChanged(suspension_id="s1", starts_at=a.now, changed_by="ops", changed_at=a.now, **NEW_YORK)
    ended = replace(change, ends_at=a.now + timedelta(hours=1), changed_at=a.now + timedelta(minutes=1))
    async with world.deps.store.transaction() as tx:
        await tx.merge_relations([("p1", new), ("p1", old), ("p2", old)])
        await tx.merge_relations([("p1", old)])
        assert await tx.relations(["p1", "p9"]) == {"p1": (KnownRelation(seller_id="S1", last_inquiry_at=a.now),)}
        assert await tx.set_suspension(ended) == ended
        assert await tx.set_suspension(change) == ended
        assert len(await tx.suspensions(a.now)) == 1
        assert await tx.suspensions(a.now + timedelta(hours=1)) == ()
        assert await tx.declared_suspensions(["s2"]) == []


@pytest.mark.parametrize("first, then, held", [
    ("NO", "YES", "YES"), ("YES", "NO", "NO"), ("YES", "NO_DATA", "YES"), ("NO", "NO_DATA", "NO"),
    ("NO_DATA", "NO", "NO"), ("NO_DATA", "YES", "YES"),
])  # fmt: skip
async def test_later_answer_holds_but_no_data_unsays_nothing(
    world: Any, a: Any, first: str, then: str, held: str
) -> None:
    one = answer(a, "n1", "2026-01-02", ReassignedReply(first))
    two = answer(a, "n1", "2026-01-02", ReassignedReply(then), answered_at=a.now + timedelta(days=1))
    for order in ([one, two], [two, one]):
        async with world.deps.store.transaction() as tx:
            for told in order:
                await tx.merge_reassigned([told])
            found = await tx.reassigned(["n1", "n2"])
            assert [x.reply.value for x in found["n1"]] == [held]
            assert await tx.merge_reassigned([one, two][:1]) == 0


async def test_imported_answers_are_announced_once_and_recorded(real: Any, a: Any) -> None:
    real.publish()
    await merge_answers(
        real.pool, [answer(a, "n1", f"2026-01-{d:02d}", ReassignedReply.NO) for d in (1, 2, 3)], announced=False
    )
    await real.pool.execute("INSERT INTO reassigned_imports VALUES ('i1', 'ab', '{\"NO\": 3}', $1, $1, false)", a.now)
    for _ in range(2):
        assert await announce_answers(TickInput(now=a.now, partition=None), real.deps) == NOTHING
    assert await real.pool.fetchval("SELECT count(*) FROM announced WHERE topic = 'reassigned.answered'") == 1
    assert (await ledger_kinds(real)).count("REASSIGNED") == 1
