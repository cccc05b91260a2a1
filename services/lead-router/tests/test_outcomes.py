"""What becomes of a redeemed offer: retries, callbacks, one budget, suppression, in any order and with repeats."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lead_router.handlers.controls import on_suppression_changed
from lead_router.handlers.offers import on_call_disposition, on_clearance_closed
from outdial_contracts import events as ev
from outdial_runtime.outcome import DeadLetter, Drop, Outcome

if TYPE_CHECKING:
    from conftest import Desk

Code = ev.DispositionCode
Status = ev.LeadStatus


async def redeem(desk: Desk, ready: ev.LeadReady) -> Outcome:
    event = ev.ClearanceClosed(
        attempt_id=ready.attempt_id,
        team_id=ready.team_id,
        campaign_id=ready.campaign_id,
        campaign_version=ready.campaign_version,
        context=ready.context,
        outcome=ev.CloseOutcome.REDEEMED,
        reason=ev.CloseReason.DIALLED,
        mode=ev.CallMode.LIVE_AUTODIALED,
        ring_timeout_seconds=18,
        closed_at=desk.now,
    )
    return await on_clearance_closed(desk.received(event), desk.deps)


async def dispose(
    desk: Desk, ready: ev.LeadReady, code: Code, revision: int = 1, callback_at: datetime | None = None
) -> Outcome:
    event = ev.CallDisposition(
        attempt_id=ready.attempt_id,
        team_id=ready.team_id,
        campaign_id=ready.campaign_id,
        campaign_version=ready.campaign_version,
        context=ready.context,
        lead_id=ready.context.lead_id,
        revision=revision,
        code=code,
        final=False,
        reached=True,
        human_answer=False,
        connected=False,
        abandoned=False,
        conversation=False,
        right_party=False,
        conversion=False,
        dnc=code is Code.DNC_REQUESTED,
        charged=code is not Code.NOT_DIALLED,
        end_class=ev.EndClass.UNKNOWN,
        fault=ev.Fault.UNKNOWN,
        closed_by_deadline=False,
        disposed_at=desk.now,
        callback_at=callback_at,
        redeemed_at=desk.now,
    )
    return await on_call_disposition(desk.received(event), desk.deps)


async def call(desk: Desk, code: Code, wanted: int, **more: Any) -> ev.LeadReady:
    """The next offer, redeemed and disposed of."""
    await desk.demand(wanted)
    ready = (await desk.sent(ev.LeadReady))[wanted - 1]
    await redeem(desk, ready)
    await dispose(desk, ready, code, **more)
    return ready


async def one_lead(desk: Desk) -> None:
    await desk.publish()
    await desk.add("A,A,+12125550101,+12125550102,0.5,cold,")


async def last_state(desk: Desk) -> ev.LeadState:
    return (await desk.sent(ev.LeadState))[-1]


async def test_retries_are_spaced_by_outcome_until_the_budget_is_spent(desk: Desk) -> None:
    await one_lead(desk)
    await call(desk, Code.BUSY, 1)
    assert (await last_state(desk)).next_due_at == desk.now + timedelta(seconds=900)
    await desk.tick(900)
    second = await call(desk, Code.NO_ANSWER, 2)
    assert second.context.attempt_no == 2
    assert (await last_state(desk)).next_due_at == desk.now + timedelta(seconds=7200)
    await desk.tick(7200)
    await call(desk, Code.BUSY, 3)
    state = await last_state(desk)
    assert (state.status, state.is_final, state.attempts) == (Status.EXHAUSTED, True, 3)
    revisions = [s.revision for s in await desk.sent(ev.LeadState)]
    assert revisions == sorted(set(revisions))


async def test_budget_is_one_per_person_over_campaigns_and_numbers(desk: Desk) -> None:
    await desk.publish("c1", retry_max_per_person=2)
    await desk.publish("c2", retry_max_per_person=2)
    await desk.add("A,shared,+12125550101,,0.5,cold,", "c1")
    await desk.add("B,shared,+12125550102,,0.5,cold,", "c2")
    await call(desk, Code.BUSY, 1)
    await desk.tick(900)
    await call(desk, Code.BUSY, 2)
    await desk.demand(1, campaign_id="c2")
    assert len(await desk.offered()) == 2
    newest = {state.lead_id: state.status for state in await desk.sent(ev.LeadState)}
    assert list(newest.values()) == [Status.EXHAUSTED, Status.EXHAUSTED]


async def test_call_that_was_not_dialled_costs_nothing(desk: Desk) -> None:
    await desk.publish(retry_max_per_person=1)
    await desk.add("A,A,+12125550101,,0.5,cold,")
    await call(desk, Code.NOT_DIALLED, 1)
    assert (await last_state(desk)).status is Status.WAITING
    await desk.tick(120)
    await call(desk, Code.BUSY, 2)
    assert (await last_state(desk)).status is Status.EXHAUSTED


async def test_number_not_in_service_leads_to_the_next_number(desk: Desk) -> None:
    await one_lead(desk)
    await call(desk, Code.NOT_IN_SERVICE, 1)
    await desk.tick(10)
    ready = await call(desk, Code.NOT_IN_SERVICE, 2)
    assert ready.phone == "+12125550102"
    assert (await last_state(desk)).status is Status.DONE


@pytest.mark.parametrize("code", [Code.NOT_INTERESTED, Code.WRONG_NUMBER, Code.DECLINED, Code.INTERESTED])
async def test_a_persons_answer_ends_the_lead(desk: Desk, code: Code) -> None:
    await one_lead(desk)
    await call(desk, code, 1)
    state = await last_state(desk)
    assert (state.status, state.is_final, state.last_code) == (Status.DONE, True, code)


async def test_callback_is_offered_first_at_the_promised_time(desk: Desk) -> None:
    await one_lead(desk)
    promised = desk.now + timedelta(minutes=30)
    await call(desk, Code.CALLBACK, 1, callback_at=promised)
    assert (await last_state(desk)).status is Status.CALLBACK
    await desk.add("B,B,+12125550109,,1.0,renewal,")
    await desk.tick(1800)
    await desk.demand(2)
    assert await desk.offered() == ["A", "A"]


async def test_each_revision_acts_once_and_a_later_one_may_promise_a_callback(desk: Desk) -> None:
    await one_lead(desk)
    ready = await call(desk, Code.CONNECTED, 1)
    assert await dispose(desk, ready, Code.CONNECTED) == Drop("REPEATED_REVISION")
    await dispose(desk, ready, Code.CALLBACK, revision=2, callback_at=desk.now + timedelta(hours=1))
    assert (await last_state(desk)).status is Status.CALLBACK
    assert await dispose(desk, ready, Code.NOT_INTERESTED, revision=1) == Drop("REPEATED_REVISION")
    assert (await last_state(desk)).status is Status.CALLBACK


async def test_late_refusal_of_an_earlier_attempt_takes_the_next_offer_back(desk: Desk) -> None:
    await one_lead(desk)
    ready = await call(desk, Code.BUSY, 1)
    await desk.tick(900)
    await desk.demand(2)
    await dispose(desk, ready, Code.NOT_INTERESTED, revision=2)
    assert (await last_state(desk)).status is Status.DONE
    returned = await desk.sent(ev.OfferReturned)
    assert [r.attempt_id for r in returned] == [(await desk.sent(ev.LeadReady))[1].attempt_id]


async def test_offer_that_we_cancel_and_the_pacer_returns_too_is_two_events(desk: Desk) -> None:
    """The pacer gives offers back on the same topic under the cause returned:{attempt}."""
    await one_lead(desk)
    ready = await call(desk, Code.BUSY, 1)
    await desk.tick(900)
    await desk.demand(2)
    await dispose(desk, ready, Code.NOT_INTERESTED, revision=2)
    [cause] = [e.cause for e in await desk.store.sent() if isinstance(e.event, ev.OfferReturned)]
    assert not cause.startswith("returned:")


async def test_disposition_before_the_redemption_counts_one_attempt(desk: Desk) -> None:
    await one_lead(desk)
    await desk.demand(1)
    ready = (await desk.sent(ev.LeadReady))[0]
    await dispose(desk, ready, Code.BUSY)
    assert await redeem(desk, ready) == Drop("ALREADY_ANSWERED")
    lead = await desk.lead(ready.context.lead_id)
    assert (lead.status, lead.attempts) == (Status.WAITING, 1)


async def test_disposition_of_a_lapsed_offer_is_a_dead_letter(desk: Desk) -> None:
    await one_lead(desk)
    await desk.demand(1)
    ready = (await desk.sent(ev.LeadReady))[0]
    event = ev.ClearanceClosed(
        attempt_id=ready.attempt_id,
        team_id="blue",
        campaign_id="c1",
        campaign_version=1,
        context=ready.context,
        outcome=ev.CloseOutcome.LAPSED,
        reason=ev.CloseReason.EXPIRED,
        mode=ev.CallMode.LIVE_AUTODIALED,
        ring_timeout_seconds=18,
        closed_at=desk.now,
    )
    await on_clearance_closed(desk.received(event), desk.deps)
    assert isinstance(await dispose(desk, ready, Code.BUSY), DeadLetter)


def suppression(desk: Desk, seller_id: str = "*", **tokens: tuple[str, ...]) -> ev.SuppressionChanged:
    return ev.SuppressionChanged(
        suppression_id="s1",
        seller_id=seller_id,
        source=ev.SuppressionSource.AGENT,
        requested_at=desk.now,
        changed_at=desk.now,
        **tokens,
    )


async def test_suppression_by_number_ends_the_lead_and_leaves_its_offer_to_the_last_look(desk: Desk) -> None:
    await one_lead(desk)
    await desk.demand(1)
    event = suppression(desk, callee_tokens=(desk.keys.callee_token("+12125550102"),))
    await on_suppression_changed(desk.received(event), desk.deps)
    await on_suppression_changed(desk.received(event), desk.deps)
    assert (await last_state(desk)).status is Status.SUPPRESSED
    assert await desk.sent(ev.OfferReturned) == []


async def test_suppression_of_another_seller_binds_nobody_here(desk: Desk) -> None:
    await one_lead(desk)
    tokens = (desk.keys.person_token("A"),)
    await on_suppression_changed(desk.received(suppression(desk, "S2", person_tokens=tokens)), desk.deps)
    assert (await last_state(desk)).status is Status.NEW
    await on_suppression_changed(desk.received(suppression(desk, "S1", person_tokens=tokens)), desk.deps)
    assert (await last_state(desk)).status is Status.SUPPRESSED


async def test_suppression_binds_a_lead_that_is_over_so_that_no_later_revision_calls_back(desk: Desk) -> None:
    await one_lead(desk)
    ready = await call(desk, Code.NOT_INTERESTED, 1)
    assert (await last_state(desk)).status is Status.DONE
    tokens = (desk.keys.person_token("A"),)
    await on_suppression_changed(desk.received(suppression(desk, person_tokens=tokens)), desk.deps)
    await dispose(desk, ready, Code.CALLBACK, revision=2, callback_at=desk.now + timedelta(hours=2))
    assert (await last_state(desk)).status is Status.SUPPRESSED


async def test_suppressed_during_the_call_stays_so_after_its_disposition(desk: Desk) -> None:
    await one_lead(desk)
    await desk.demand(1)
    ready = (await desk.sent(ev.LeadReady))[0]
    await redeem(desk, ready)
    tokens = (desk.keys.person_token("A"),)
    await on_suppression_changed(desk.received(suppression(desk, person_tokens=tokens)), desk.deps)
    await dispose(desk, ready, Code.BUSY)
    state = await last_state(desk)
    assert (state.status, state.attempts, state.last_code) == (Status.SUPPRESSED, 1, Code.BUSY)
