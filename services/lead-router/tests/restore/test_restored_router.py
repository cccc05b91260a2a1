"""After its database went back in time: no offer number twice, nobody on call offered, revisions never go back."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from lead_router.handlers import restoring
from outdial_contracts import events as ev
from outdial_contracts.identity import lead_id as lead_id_of
from outdial_runtime.loop import HandlerFault


class Killed(Exception):
    """The process died here."""


def assert_nothing_twice(router: Any) -> None:
    attempts = [offer.attempt_id for offer in router.offers]
    assert len(set(attempts)) == len(attempts)
    for revisions in router.revisions().values():
        assert revisions == sorted(set(revisions))


async def test_offer_numbers_go_on_above_every_lead_ready(router: Any) -> None:
    [first] = await router.want(1)
    await router.close(first, ev.CloseOutcome.LAPSED)
    await router.restore()
    assert (await router.lead("L0")).offers == 1
    await router.advance(20)
    await router.want(3)
    again = [offer for offer in router.offers if offer.person_id == "P0"]
    assert [offer.offer_no for offer in again] == [1, 2]
    assert_nothing_twice(router)


async def test_offer_whose_answer_is_still_to_come_is_not_made_again(router: Any) -> None:
    await router.want(2)
    await router.restore()
    await router.want(5)
    assert sorted(offer.person_id for offer in router.offers) == ["P0", "P1", "P2"]
    assert_nothing_twice(router)


async def test_demand_that_was_met_after_the_backup_is_not_met_again(router: Any) -> None:
    await router.want(2)
    await router.restore()
    await router.advance(5)
    assert len(router.offers) == 2


async def test_lead_on_call_is_not_offered_and_its_outcome_counts_once(router: Any) -> None:
    [first] = await router.want(1)
    await router.close(first, ev.CloseOutcome.REDEEMED)
    await router.restore()
    lead = await router.lead("L0")
    assert (lead.status, lead.attempts) == (ev.LeadStatus.ATTEMPTING, 1)
    await router.want(5)
    assert [offer.person_id for offer in router.offers].count("P0") == 1
    await router.dispose(first, ev.DispositionCode.NO_ANSWER)
    lead = await router.lead("L0")
    assert (lead.status, lead.attempts) == (ev.LeadStatus.WAITING, 1)
    assert_nothing_twice(router)


async def test_block_after_the_backup_holds_and_is_replaced_once(router: Any) -> None:
    [first] = await router.want(1)
    await router.block(first, ev.BlockReason.INTERNAL_DNC)
    assert len(router.offers) == 2
    await router.restore()
    await router.advance(5)
    assert (await router.lead("L0")).status is ev.LeadStatus.BLOCKED
    assert len(router.offers) == 2
    assert_nothing_twice(router)


async def test_what_ended_after_the_backup_stays_ended(router: Any) -> None:
    [first] = await router.want(1)
    await router.close(first, ev.CloseOutcome.REDEEMED)
    await router.dispose(first, ev.DispositionCode.NOT_INTERESTED)
    await router.runtime.http("DELETE", f"/v1/leads/{lead_id_of('crm', 'L1')}")
    tokens = (router.deps.keys.person_token("P2"),)
    await router.say(
        ev.SuppressionChanged(
            suppression_id=uuid.uuid4().hex,
            seller_id="*",
            source=ev.SuppressionSource.CRM,
            requested_at=router.clock.now(),
            changed_at=router.clock.now(),
            person_tokens=tokens,
        )
    )
    before = {f"L{n}": (await router.lead(f"L{n}")).status for n in range(3)}
    await router.restore()
    assert {f"L{n}": (await router.lead(f"L{n}")).status for n in range(3)} == before
    await router.want(5)
    assert len(router.offers) == 1
    assert_nothing_twice(router)


async def test_leads_imported_after_the_backup_go_on_where_they_were_when_they_are_imported_again(router: Any) -> None:
    await router.import_leads(6)
    offers = {offer.person_id: offer for offer in await router.want(6)}
    await router.close(offers["P4"], ev.CloseOutcome.REDEEMED)
    await router.dispose(offers["P4"], ev.DispositionCode.NOT_INTERESTED)
    await router.close(offers["P5"], ev.CloseOutcome.LAPSED)
    await router.restore()
    assert await router.lead("L5") is None
    assert (await router.import_leads(6))["leads"] == 3
    assert (await router.lead("L4")).status is ev.LeadStatus.DONE
    assert (await router.lead("L4")).attempts == 1
    await router.advance(60)
    await router.want(5)
    assert [offer.offer_no for offer in router.offers if offer.person_id == "P5"] == [1, 2]
    assert [offer.offer_no for offer in router.offers if offer.person_id == "P3"] == [1]
    assert_nothing_twice(router)


async def test_lead_submitted_on_the_topic_comes_again_by_itself(router: Any) -> None:
    submitted = ev.LeadSubmitted(
        lead_id=lead_id_of("crm", "L9"),
        source="crm",
        external_id="L9",
        action=ev.LeadAction.SUBMIT,
        campaign_id="c1",
        person_id="P9",
        phones=(ev.Phone(number="+12125550199", line_type=ev.LineType.MOBILE, default_region="US"),),
        consumer=True,
        address=ev.Address(country="US"),
        segment=ev.Segment.COLD,
        score=0.99,
        submitted_at=router.clock.now(),
    )
    await router.say(submitted)
    [first] = await router.want(1)
    assert first.person_id == "P9"
    await router.close(first, ev.CloseOutcome.REDEEMED)
    await router.restore()
    lead = await router.lead("L9")
    assert (lead.status, lead.offers, lead.attempts) == (ev.LeadStatus.ATTEMPTING, 1, 1)
    assert_nothing_twice(router)


async def test_restart_without_a_restore_finds_nothing(router: Any) -> None:
    [first] = await router.want(1)
    await router.close(first, ev.CloseOutcome.REDEEMED)
    await router.advance(40)
    revisions = router.revisions()
    await router.kill()
    await router.start()
    assert not router.deps.guard.restored
    assert router.revisions() == revisions
    assert len(router.offers) == 1


@pytest.mark.parametrize("dies_at", [1, 3, 5, 7])
async def test_crash_while_reading_back_changes_nothing_of_its_end(
    router: Any, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await router.want(2)
    await router.close(first, ev.CloseOutcome.REDEEMED)
    await router.block(second, ev.BlockReason.INTERNAL_DNC)
    taken, real = [0], restoring._take

    async def take(*args: Any) -> bool:
        taken[0] += 1
        if taken[0] == dies_at:
            raise Killed
        return await real(*args)

    monkeypatch.setattr(restoring, "_take", take)
    with pytest.raises(HandlerFault):
        await router.restore()
    await router.start()
    statuses = [(await router.lead(f"L{n}")).status for n in range(3)]
    assert statuses == [ev.LeadStatus.ATTEMPTING, ev.LeadStatus.BLOCKED, ev.LeadStatus.OFFERED]
    await router.want(5)
    assert len(router.offers) == 3
    assert_nothing_twice(router)
