"""Demand and supply: cumulative, replaced when blocked, and never twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lead_router.handlers.controls import on_stop_changed
from lead_router.handlers.offers import on_clearance_closed, on_compliance_blocked
from outdial_contracts import events as ev
from outdial_contracts.identity import attempt_id
from outdial_runtime.outcome import NOTHING, Drop

if TYPE_CHECKING:
    from conftest import Desk


def blocked(ready: ev.LeadReady, *reasons: ev.BlockReason, **more: Any) -> ev.ComplianceBlocked:
    event = ev.ComplianceBlocked(
        attempt_id=ready.attempt_id,
        team_id=ready.team_id,
        campaign_id=ready.campaign_id,
        campaign_version=ready.campaign_version,
        context=ready.context,
        epoch=ready.epoch,
        rule_pack="2026.11-1",
        blocked_at=ready.offered_at,
        reasons=reasons or (ev.BlockReason.CONSENT_MISSING,),
    )
    return replace(event, **more)


def closed(ready: ev.LeadReady, outcome: ev.CloseOutcome, **more: Any) -> ev.ClearanceClosed:
    event = ev.ClearanceClosed(
        attempt_id=ready.attempt_id,
        team_id=ready.team_id,
        campaign_id=ready.campaign_id,
        campaign_version=ready.campaign_version,
        context=ready.context,
        outcome=outcome,
        reason=ev.CloseReason.UNKNOWN,
        mode=ev.CallMode.LIVE_AUTODIALED,
        ring_timeout_seconds=18,
        closed_at=ready.offered_at,
    )
    return replace(event, **more)


async def last_supply(desk: Desk) -> tuple[int, str]:
    supply = (await desk.sent(ev.PacingSupply))[-1]
    return supply.sent_total, supply.reason.value


async def test_best_leads_go_first_and_supply_says_satisfied(desk: Desk) -> None:
    await desk.publish()
    await desk.add("A,A,+12125550101,,0.3,cold,\nB,B,+12125550102,,0.7,cold,\nC,C,+12125550103,,0.65,renewal,")
    await desk.demand(2)
    assert await desk.offered() == ["C", "B"]
    assert await last_supply(desk) == (2, "SATISFIED")


async def test_redelivered_demand_sends_nothing_twice(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(5)
    await desk.demand(3)
    before = await desk.store.sent()
    assert await desk.demand(3) is NOTHING
    assert await desk.demand(2) is NOTHING
    assert await desk.store.sent() == before
    await desk.demand(4)
    assert await desk.offered() == ["P0", "P1", "P2", "P3"]


async def test_older_epoch_is_dropped_and_a_new_one_starts_from_zero(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(5)
    await desk.demand(2, epoch=5)
    assert await desk.demand(4, epoch=4) == Drop("STALE_EPOCH")
    await desk.demand(1, epoch=6)
    assert await desk.offered() == ["P0", "P1", "P2"]
    assert (await desk.sent(ev.LeadReady))[-1].epoch == 6
    assert await last_supply(desk) == (1, "SATISFIED")


async def test_lead_ready_carries_what_the_gate_needs(desk: Desk) -> None:
    await desk.publish()
    expires_at = (desk.now + timedelta(seconds=40)).isoformat()
    await desk.add(f"A,A,(212) 555-0101,,0.41,cold,{expires_at}")
    await desk.demand(1)
    ready = (await desk.sent(ev.LeadReady))[0]
    assert ready.phone == "+12125550101"
    assert ready.attempt_id == attempt_id(ready.context.lead_id, 1)
    assert ready.modes == (ev.CallMode.LIVE_AUTODIALED,)
    assert not ready.agent_guaranteed
    assert (ready.context.attempt_no, ready.context.score_band) == (1, "0.4-0.6")
    assert ready.expires_at == desk.now + timedelta(seconds=40)
    assert ready.callee_token == desk.keys.callee_token("+12125550101")
    assert ready.person_token == desk.keys.person_token("A")


async def test_blocked_offer_is_replaced_at_once_and_the_lead_is_final(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(3)
    await desk.demand(1)
    first = (await desk.sent(ev.LeadReady))[0]
    await on_compliance_blocked(desk.received(blocked(first)), desk.deps)
    assert await desk.offered() == ["P0", "P1"]
    assert (await desk.lead(first.context.lead_id)).status is ev.LeadStatus.BLOCKED
    state = [s for s in await desk.sent(ev.LeadState) if s.lead_id == first.context.lead_id][-1]
    assert (state.is_final, state.block_reasons) == (True, (ev.BlockReason.CONSENT_MISSING,))
    assert await desk.demand(1) is NOTHING
    assert await desk.offered() == ["P0", "P1"]


async def test_repeated_block_replaces_once(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(4)
    await desk.demand(1)
    message = desk.received(blocked((await desk.sent(ev.LeadReady))[0]))
    await on_compliance_blocked(message, desk.deps)
    assert await on_compliance_blocked(message, desk.deps) == Drop("ALREADY_ANSWERED")
    assert await desk.offered() == ["P0", "P1"]


async def test_block_of_an_older_epoch_does_not_raise_the_new_ones_supply(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(4)
    await desk.demand(1, epoch=1)
    await desk.demand(1, epoch=2)
    await on_compliance_blocked(desk.received(blocked((await desk.sent(ev.LeadReady))[0])), desk.deps)
    assert await desk.offered() == ["P0", "P1"]


async def test_lead_blocked_by_hours_is_due_when_they_open_under_a_new_attempt_id(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(1)
    await desk.demand(1)
    ready = (await desk.sent(ev.LeadReady))[0]
    opens = desk.now + timedelta(hours=1)
    event = blocked(ready, ev.BlockReason.HOURS, next_allowed_at=opens)
    await on_compliance_blocked(desk.received(event), desk.deps)
    supply = (await desk.sent(ev.PacingSupply))[-1]
    assert (supply.sent_total, supply.reason, supply.next_due_at) == (0, ev.SupplyReason.NOT_DUE, opens)
    await desk.tick(3599)
    assert len(await desk.offered()) == 1
    await desk.tick(1)
    again = (await desk.sent(ev.LeadReady))[1]
    assert again.attempt_id == attempt_id(ready.context.lead_id, 2)


async def test_trouble_of_our_own_never_blocks_a_lead_for_good(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(1)
    await desk.demand(1)
    event = blocked((await desk.sent(ev.LeadReady))[0], ev.BlockReason.DEPENDENCY_DOWN)
    await on_compliance_blocked(desk.received(event), desk.deps)
    await desk.tick(60)
    assert await desk.offered() == ["P0", "P0"]


async def test_listed_number_leads_to_the_leads_next_number(desk: Desk) -> None:
    await desk.publish()
    await desk.add("A,A,+12125550101,+12125550102,0.5,cold,")
    await desk.demand(1)
    event = blocked((await desk.sent(ev.LeadReady))[0], ev.BlockReason.DNC_LISTED)
    await on_compliance_blocked(desk.received(event), desk.deps)
    await desk.tick(10)
    assert [ready.phone for ready in await desk.sent(ev.LeadReady)] == ["+12125550101", "+12125550102"]


@pytest.mark.parametrize("outcome", [ev.CloseOutcome.REFUSED, ev.CloseOutcome.LAPSED])
async def test_refused_and_lapsed_are_due_again_but_not_replaced(desk: Desk, outcome: ev.CloseOutcome) -> None:
    await desk.publish()
    await desk.add_many(2)
    await desk.demand(1)
    await on_clearance_closed(desk.received(closed((await desk.sent(ev.LeadReady))[0], outcome)), desk.deps)
    await desk.tick(30)
    assert await desk.offered() == ["P0"]
    await desk.demand(2)
    assert await desk.offered() == ["P0", "P0"]


async def test_offer_the_gate_never_answered_is_replaced_and_its_late_block_counts_once(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(3)
    await desk.demand(1)
    ready = (await desk.sent(ev.LeadReady))[0]
    await desk.tick(149)
    assert await desk.offered() == ["P0"]
    await desk.tick(1)
    assert await desk.offered() == ["P0", "P1"]
    event = blocked(ready, ev.BlockReason.OFFER_EXPIRED)
    await on_compliance_blocked(desk.received(event), desk.deps)
    assert await desk.offered() == ["P0", "P1"]
    assert await last_supply(desk) == (1, "SATISFIED")
    await desk.demand(3)
    assert (await desk.offered())[2:] == ["P2"]
    await desk.tick(6)
    ids = [ready.attempt_id for ready in await desk.sent(ev.LeadReady)]
    assert len(ids) == len(set(ids))


async def test_late_redemption_of_a_lost_offer_is_an_attempt(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(1)
    await desk.demand(1)
    ready = (await desk.sent(ev.LeadReady))[0]
    await desk.tick(90)
    await on_clearance_closed(desk.received(closed(ready, ev.CloseOutcome.REDEEMED)), desk.deps)
    lead = await desk.lead(ready.context.lead_id)
    assert (lead.status, lead.attempts) == (ev.LeadStatus.ATTEMPTING, 1)
    await desk.tick(30)
    assert await desk.offered() == ["P0"]


async def test_lost_offer_redeemed_after_its_successor_counts_as_a_second_attempt(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(1)
    await desk.demand(1)
    await desk.tick(150)
    await desk.tick(10)
    old, new = await desk.sent(ev.LeadReady)
    for ready in (new, old):
        await on_clearance_closed(desk.received(closed(ready, ev.CloseOutcome.REDEEMED)), desk.deps)
    lead = await desk.lead(old.context.lead_id)
    assert (lead.status, lead.attempts) == (ev.LeadStatus.ATTEMPTING, 2)


async def test_supply_says_why_it_is_short_and_only_once(desk: Desk) -> None:
    await desk.demand(1)
    assert await last_supply(desk) == (0, "CAMPAIGN_UNKNOWN")
    await desk.publish(state="PAUSED")
    await desk.add_many(1)
    await desk.tick(1)
    assert await last_supply(desk) == (0, "CAMPAIGN_PAUSED")
    stop = ev.StopChanged(scope="seller:S1", stopped=True, reason="x", changed_at=desk.now, changed_by="t")
    await on_stop_changed(desk.received(stop), desk.deps)
    await desk.tick(1)
    await desk.tick(1)
    assert await last_supply(desk) == (0, "CAMPAIGN_STOPPED")
    await on_stop_changed(desk.received(replace(stop, stopped=False)), desk.deps)
    await desk.publish(state="RUNNING")
    await desk.tick(1)
    assert await last_supply(desk) == (1, "SATISFIED")
    await desk.demand(2)
    assert await last_supply(desk) == (1, "NOT_DUE")
    assert len(await desk.sent(ev.PacingSupply)) == 5


async def test_older_word_on_a_campaign_or_a_stop_that_comes_again_sends_nothing(desk: Desk) -> None:
    await desk.publish(state="RUNNING")
    await desk.add_many(1)
    pressed = ev.StopChanged(scope="all", stopped=True, reason="x", changed_at=desk.now, changed_by="t")
    released = replace(pressed, stopped=False, changed_at=desk.now - timedelta(seconds=1))
    for event in (pressed, released):
        await on_stop_changed(desk.received(event), desk.deps)
    await desk.demand(1)
    assert await last_supply(desk) == (0, "CAMPAIGN_STOPPED")
    await on_stop_changed(desk.received(replace(pressed, stopped=False)), desk.deps)
    desk.now += timedelta(seconds=5)
    await desk.publish(state="PAUSED")
    desk.now -= timedelta(seconds=5)
    await desk.publish(state="RUNNING")
    await desk.tick(1)
    assert await last_supply(desk) == (0, "CAMPAIGN_PAUSED")


async def test_campaign_without_open_leads_says_no_leads(desk: Desk) -> None:
    await desk.publish()
    await desk.add_many(1)
    await desk.demand(1)
    await on_compliance_blocked(desk.received(blocked((await desk.sent(ev.LeadReady))[0])), desk.deps)
    assert await last_supply(desk) == (0, "NO_LEADS")


async def test_stale_lead_expires_instead_of_being_offered(desk: Desk) -> None:
    await desk.publish()
    await desk.add(f"A,A,+12125550101,,0.5,cold,{(desk.now + timedelta(seconds=5)).isoformat()}")
    await desk.tick(5)
    await desk.demand(1)
    assert await desk.offered() == []
    assert (await desk.sent(ev.LeadState))[-1].status is ev.LeadStatus.EXPIRED


async def test_person_with_a_call_in_flight_is_not_offered_for_another_campaign(desk: Desk) -> None:
    await desk.publish("c1")
    await desk.publish("c2")
    await desk.add("A,shared,+12125550101,,0.5,cold,", "c1")
    await desk.add("B,shared,+12125550101,,0.5,cold,", "c2")
    await desk.demand(1, campaign_id="c1")
    await desk.demand(1, campaign_id="c2")
    assert await desk.offered() == ["shared"]


@pytest.mark.stack
async def test_concurrent_demand_of_two_replicas_sends_each_lead_once(postgres_desk: Desk) -> None:
    desk = postgres_desk
    await desk.publish()
    await desk.add_many(40)
    await asyncio.gather(*(desk.demand(wanted) for wanted in (10, 20, 30, 20, 10, 30)))
    offered = await desk.offered()
    assert len(offered) == 30
    assert len(set(offered)) == 30


@pytest.mark.stack
async def test_concurrent_campaigns_never_offer_one_person_twice(postgres_desk: Desk) -> None:
    desk = postgres_desk
    for campaign_id in ("c1", "c2"):
        await desk.publish(campaign_id)
        rows = "\n".join(f"{campaign_id}-{n},P{n},+1212555{100 + n:04d},,0.5,cold," for n in range(30))
        await desk.add(rows, campaign_id)
    await asyncio.gather(desk.demand(30, campaign_id="c1"), desk.demand(30, campaign_id="c2"), desk.tick(), desk.tick())
    offered = await desk.offered()
    assert len(offered) == len(set(offered))


async def crash_within_a_transaction(desk: Desk) -> None:
    async with desk.store.work() as work:
        await work.hold_person("P0", "x")
        await work.emit([(await desk.store.sent())[0]])
        raise RuntimeError("crash")


@pytest.mark.stack
async def test_crash_before_the_commit_leaves_demand_unanswered_and_nothing_sent(postgres_desk: Desk) -> None:
    desk = postgres_desk
    await desk.publish()
    await desk.add_many(2)
    before = len(await desk.store.sent())
    with pytest.raises(RuntimeError, match="crash"):
        await crash_within_a_transaction(desk)
    assert len(await desk.store.sent()) == before
    await desk.demand(1)
    assert await desk.offered() == ["P0"]
