"""The last look: what it grants once, what it refuses, and what each answer closes; on both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compliance_gate.domain.clearance import IllegalTransition, State, Step, after
from compliance_gate.domain.suppression import Wanted
from compliance_gate.handlers.campaigns import on_stop_changed
from compliance_gate.handlers.suppressions import put_in_force
from outdial_contracts.events import Address, CampaignState, StopChanged, SuppressionSource


async def test_grant_carries_the_number_and_closes_the_offer_as_redeemed(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    reply = await world.redeem(world.asking(cleared))
    assert reply.granted.e164 == "+12125550123"
    assert reply.granted.grant_ms == 300
    assert ".redemptions:" in reply.granted.ledger_record
    assert await world.closed(cleared.attempt_id) == ["REDEEMED"]


async def test_same_nonce_gets_the_same_answer_and_another_nonce_none(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    first = await world.redeem(world.asking(cleared, "n1"))
    world.clock.advance(0.1)
    assert await world.redeem(world.asking(cleared, "n1")) == first
    assert (await world.redeem(world.asking(cleared, "n2"))).HasField("already_redeemed")
    assert await world.closed(cleared.attempt_id) == ["REDEEMED"]


async def test_token_that_we_did_not_sign_is_refused_and_closes_nobodys_offer(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    other = await world.clear(a.offer(person_id="p2", phone="+12125550124"))
    for token in ("", "a.b.c", cleared.token[:-4] + "AAAA", other.token):
        reply = await world.redeem(world.asking(cleared, token=token))
        assert list(reply.refused.reasons) == ["CLEARANCE_FORGED"]
    assert await world.closed(cleared.attempt_id) == []
    assert (await world.redeem(world.asking(cleared))).HasField("granted")


async def test_dead_token_is_refused_and_closes_the_offer(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    world.clock.advance(60)
    reply = await world.redeem(world.asking(cleared))
    assert list(reply.refused.reasons) == ["CLEARANCE_EXPIRED"]
    assert await world.closed(cleared.attempt_id) == ["REFUSED"]


async def test_mode_that_was_not_cleared_is_refused(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    reply = await world.redeem(world.asking(cleared, mode="PRERECORDED"))
    assert "MODE_NOT_ALLOWED" in reply.refused.reasons


async def test_clock_skew_over_two_seconds_is_refused_and_two_seconds_are_not(world: Any, a: Any) -> None:
    for phone, seconds, granted in (("+12125550101", 2.0, True), ("+12125550102", -2.001, False)):
        cleared = await world.clear(a.offer(person_id=phone, phone=phone))
        message = world.asking(cleared)
        message.gateway_time.FromDatetime(world.clock.now() + timedelta(seconds=seconds))
        assert (await world.redeem(message)).HasField("granted") is granted


async def test_hours_need_room_for_the_ring(world: Any, a: Any) -> None:
    world.clock.at = datetime(2026, 11, 18, 1, 59, 30, tzinfo=UTC)  # 20:59:30 in New York
    offer = a.offer(expires_at=world.clock.at + timedelta(minutes=5))
    cleared = await world.clear(offer)
    world.clock.advance(20)
    reply = await world.redeem(world.asking(cleared, ring_timeout_seconds=18))
    assert list(reply.refused.reasons) == ["HOURS"]
    assert reply.refused.next_allowed.ToDatetime(tzinfo=UTC) == datetime(2026, 11, 18, 13, 0, tzinfo=UTC)
    assert await world.closed(cleared.attempt_id) == ["REFUSED"]


async def test_pause_stop_and_stop_button_are_looked_at_again(world: Any, a: Any) -> None:
    wanted = {}
    for n, state in enumerate((CampaignState.PAUSED, CampaignState.STOPPED)):
        cleared = await world.clear(a.offer(person_id=f"p{n}", phone=f"+1212555010{n}"))
        world.publish(state)
        wanted[state] = list((await world.redeem(world.asking(cleared))).refused.reasons)
        world.publish()
    assert wanted == {CampaignState.PAUSED: ["CAMPAIGN_PAUSED"], CampaignState.STOPPED: ["CAMPAIGN_STOPPED"]}
    cleared = await world.clear(a.offer())
    stop = StopChanged(scope="route:demo-carrier", stopped=True, reason="r", changed_at=a.now, changed_by="ops")
    await on_stop_changed(world.received(stop), world.deps)
    assert list((await world.redeem(world.asking(cleared))).refused.reasons) == ["GLOBAL_STOP"]


async def test_own_reservation_does_not_count_in_the_cap(world: Any, a: Any) -> None:
    world.publish(retry_max_per_person=1)
    cleared = await world.clear(a.offer())
    assert (await world.redeem(world.asking(cleared))).HasField("granted")


@pytest.mark.parametrize("other", [{"phone": "+13125550123"}, {"person_id": "person-2"}])
async def test_second_attempt_waits_for_the_disposition_of_the_first(world: Any, a: Any, other: dict[str, Any]) -> None:
    first, second = await world.clear(a.offer()), await world.clear(a.offer(**other))
    assert (await world.redeem(world.asking(first))).HasField("granted")
    reply = await world.redeem(world.asking(second))
    assert list(reply.refused.reasons) == ["OPEN_ATTEMPT"]


async def test_refusal_is_final_for_the_offer(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    world.publish(CampaignState.PAUSED)
    refused = await world.redeem(world.asking(cleared, "n1"))
    world.publish()
    for nonce in ("n1", "n2"):
        assert await world.redeem(world.asking(cleared, nonce)) == refused
    assert await world.closed(cleared.attempt_id) == ["REFUSED"]


async def test_second_leg_redeems_with_all_rules_and_is_neither_charged_nor_closed_again(world: Any, a: Any) -> None:
    world.publish(retry_max_per_person=1)
    cleared = await world.clear(a.offer())
    early = await world.redeem(world.asking(cleared, "n2", leg_no=2))
    assert "CLEARANCE_UNKNOWN" in early.refused.reasons
    assert (await world.redeem(world.asking(cleared, "n1"))).HasField("granted")
    assert (await world.redeem(world.asking(cleared, "n2", leg_no=2))).HasField("granted")
    assert (await world.redeem(world.asking(cleared, "n3", leg_no=2))).HasField("already_redeemed")
    world.publish(CampaignState.PAUSED)
    third = await world.redeem(world.asking(cleared, "n4", leg_no=3))
    assert list(third.refused.reasons) == ["CAMPAIGN_PAUSED"]
    assert await world.closed(cleared.attempt_id) == ["REDEEMED"]


async def test_suppressed_person_is_refused_at_the_last_look(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    wanted = Wanted(
        suppression_id="s1",
        seller_id="S1",
        source=SuppressionSource.CRM,
        requested_at=world.clock.now(),
        person_id="person-1",
    )
    await put_in_force([wanted], world.deps)
    assert list((await world.redeem(world.asking(cleared))).refused.reasons) == ["INTERNAL_DNC"]


async def test_blocked_offer_can_not_be_redeemed(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    blocked = await world.clear(a.offer(address=Address(country="GB"), person_id="p2", phone="+12125550124"))
    claims = {**world.deps.signer.verify(cleared.token), "sub": blocked.attempt_id}
    message = world.asking(cleared, token=world.deps.signer.sign(claims), attempt_id=blocked.attempt_id)
    assert list((await world.redeem(message)).refused.reasons) == ["CLEARANCE_UNKNOWN"]


def test_absent_cell_of_the_offer_table_names_state_and_step() -> None:
    with pytest.raises(IllegalTransition, match="REFUSED can't REDEEM"):
        after(State.REFUSED, Step.REDEEM)
