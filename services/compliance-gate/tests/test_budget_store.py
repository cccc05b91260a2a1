"""Dispositions through the gate on both stores: each attempt once, a revision in place of the one before, then said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from compliance_gate.adapters.drop_limits import load_drop_limits
from compliance_gate.domain.ledger import RecordKind
from compliance_gate.domain.suppression import read_row
from compliance_gate.handlers.budget import publish_budgets
from compliance_gate.handlers.dispositions import on_call_disposition
from compliance_gate.handlers.ledger import checkpoint
from compliance_gate.handlers.reports import get_compliance_report
from compliance_gate.handlers.suppressions import put_in_force
from outdial_contracts.events import AbandonBudget
from outdial_runtime.service import Request, TickInput

from .test_budget import ABANDONED, HUNG_UP, RANG, SPRING, disposition


@pytest.fixture
def gate(world: Any) -> Any:
    world.deps = replace(world.deps, drop_limits=load_drop_limits())
    return world


async def attempt(gate: Any, a: Any, n: int) -> str:
    """A redeemed attempt of another person each time."""
    cleared = await gate.clear(a.offer(person_id=f"p{n}", phone=f"+1212555{1000 + n}"), cause=f"cause-{n}")
    assert (await gate.redeem(gate.asking(cleared, nonce=f"n{n}"))).HasField("granted")
    return str(cleared.attempt_id)


async def dispose(gate: Any, attempt_id: str, revision: int = 1, **changes: Any) -> Any:
    event = disposition(attempt_id=attempt_id, revision=revision, **changes)
    return await on_call_disposition(gate.received(event), gate.deps)


async def said(gate: Any) -> AbandonBudget | None:
    """What a tick leaves to be said."""
    gate.clock.advance(1.0)
    await publish_budgets(TickInput(now=gate.clock.now(), partition=None), gate.deps)
    async with gate.deps.store.transaction() as tx:
        books = await tx.drop_books([SPRING], gate.clock.now().date() - timedelta(days=31))
    kept: AbandonBudget | None = books[SPRING].said
    return kept


async def test_an_attempt_is_counted_once_and_a_revision_replaces_it(gate: Any, a: Any) -> None:
    one, two = await attempt(gate, a, 1), await attempt(gate, a, 2)
    await dispose(gate, one, **ABANDONED)
    await dispose(gate, one, **ABANDONED)
    await dispose(gate, two)
    first = await said(gate)
    assert first is not None
    assert [(w.jurisdiction, w.humans, w.abandoned) for w in first.windows] == [("US", 2, 1)]
    assert [(t.team_id, t.humans, t.abandoned) for t in first.teams] == [("blue", 2, 1)]
    assert first.left_calls == pytest.approx(0.03 * 102 - 1)
    await dispose(gate, one, 2)
    await dispose(gate, one, 1, **ABANDONED)
    second = await said(gate)
    assert second is not None
    assert [(w.humans, w.abandoned) for w in second.windows] == [(2, 0)]
    assert second.revision == first.revision + 1


async def test_nothing_new_is_said_twice_and_a_limit_is_in_the_ledger_once(gate: Any, a: Any) -> None:
    first = await said(gate)
    assert first is not None
    assert await said(gate) == first
    gate.publish(abandon_limit=0.01)
    lowered = await said(gate)
    assert lowered is not None
    assert (lowered.revision, lowered.left_calls) == (2, 1.0)
    async with gate.deps.store.transaction() as tx:
        rare = await tx.rare_records()
    limits = [record.body for record in rare if record.kind is RecordKind.DROP_LIMIT]
    assert ['"limit":"0.03"' in body for body in limits] == [True, False]
    assert ['"limit":"0.01"' in body for body in limits] == [False, True]


async def test_an_attempt_that_the_gate_never_redeemed_is_not_counted(gate: Any) -> None:
    await dispose(gate, "0f8b5f3e-5a2c-5d0b-9d5e-3c1f6a7b8c9d", **ABANDONED)
    kept = await said(gate)
    assert kept is not None
    assert kept.windows == ()


async def test_the_months_report_has_every_limb(gate: Any, a: Any) -> None:
    ids = [await attempt(gate, a, n) for n in range(4)]
    now = gate.clock.now()
    await dispose(gate, ids[0], **ABANDONED, safe_harbour_played=True)
    await dispose(gate, ids[1])
    await dispose(gate, ids[2], **HUNG_UP)
    await dispose(gate, ids[3], **RANG | {"alerting_at": now, "ended_at": now + timedelta(seconds=12)})
    row = {"phone": "+12125559999", "seller_id": "S1", "source": "AGENT"}
    await put_in_force([read_row(row, now, gate.deps.pack.geography)], gate.deps)
    await said(gate)
    await checkpoint(TickInput(now=gate.clock.now(), partition=None), gate.deps)
    body = await report(gate, "S1", f"{now:%Y-%m}")
    [window] = body["windows"]
    assert {k: window[k] for k in ("legal_campaign", "jurisdiction", "humans", "abandoned", "machine_hangups")} == {
        "legal_campaign": "S1/T1", "jurisdiction": "US", "humans": 2, "abandoned": 1, "machine_hangups": 1,
    }  # fmt: skip
    assert (window["rate"], window["within_limit"], window["machine_sample"]) == (0.5, False, "no sample")
    assert body["safe_harbour"]["message"]["message_began"] == 1
    assert body["safe_harbour"]["ring"] == body["safe_harbour"]["ring"] | {"given_up": 1, "sooner": 1, "kept": False}
    assert body["dnc_requests"]["requests"] == 1
    assert [o["limit"] for o in body["overrides"] if o["kind"] == "DROP_LIMIT"] == ["0.03"]
    assert len(body["days"]) == 1
    assert body["checkpoints"]
    assert (await report(gate, "S1", "2026-01"))["windows"] == []
    assert (await report(gate, "S2", f"{now:%Y-%m}"))["windows"] == []


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ({"month": "2026-11"}, "MISSING_FIELD"),
        ({"seller": "S1"}, "BAD_MONTH"),
        ({"seller": "S1", "month": "11"}, "BAD_MONTH"),
    ],
)
async def test_a_bad_question_is_refused_by_field(fake: Any, query: dict[str, str], title: str) -> None:
    request = Request(message=b"", now=fake.clock.now(), cause="r", path={}, query=query)
    reply = (await get_compliance_report(request, fake.deps)).reply
    assert (reply.status, reply.body["title"]) == (422, title)


async def report(gate: Any, seller: str, month: str) -> Any:
    query = {"seller": seller, "month": month}
    request = Request(message=b"", now=gate.clock.now(), cause="report", path={}, query=query)
    return (await get_compliance_report(request, gate.deps)).reply.body
