"""lead.ready to an answer, and the ways a cleared offer lapses; on the memory store and on PostgreSQL."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import KeySet

from compliance_gate.domain import jose
from compliance_gate.domain.ledger import RecordKind
from compliance_gate.handlers.campaigns import on_stop_changed
from compliance_gate.handlers.dispositions import on_call_disposition
from compliance_gate.handlers.offers import lapse_expired, on_lead_ready, on_offer_returned
from outdial_contracts.events import (
    BlockReason,
    CallDisposition,
    CallMode,
    CampaignState,
    ComplianceBlocked,
    ComplianceCleared,
    DispositionCode,
    EndClass,
    Fault,
    OfferReturned,
    OfferReturnReason,
    Purpose,
    RuleOutcome,
    StopChanged,
)
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, RetryLater
from outdial_runtime.service import TickInput


def returned(cleared: Any, reason: OfferReturnReason) -> OfferReturned:
    return OfferReturned(
        attempt_id=cleared.attempt_id,
        team_id="blue",
        campaign_id="spring",
        campaign_version=1,
        context=cleared.context,
        reason=reason,
        returned_at=cleared.cleared_at,
    )


def disposition(cleared: Any, revision: int = 1, charged: bool = True, *outcomes: RuleOutcome) -> CallDisposition:
    names = ("reached", "human_answer", "connected", "abandoned", "conversation", "right_party", "conversion", "dnc")
    flags: dict[str, Any] = dict.fromkeys(names, False)
    return CallDisposition(
        attempt_id=cleared.attempt_id,
        team_id="blue",
        campaign_id="spring",
        campaign_version=1,
        context=cleared.context,
        lead_id=cleared.context.lead_id,
        revision=revision,
        code=DispositionCode.NO_ANSWER if charged else DispositionCode.NOT_DIALLED,
        final=False,
        **flags,
        charged=charged,
        end_class=EndClass.NO_ANSWER,
        fault=Fault.CALLEE,
        closed_by_deadline=False,
        disposed_at=cleared.cleared_at,
        rule_outcomes=outcomes,
    )


async def test_clearance_token_is_signed_and_names_what_was_cleared(world: Any, a: Any) -> None:
    offer = a.offer()
    cleared = await world.clear(offer)
    assert isinstance(cleared, ComplianceCleared)
    keys = KeySet.import_key_set(world.deps.signer.public_keys())
    claims = jose.verify(cleared.token, keys)
    assert claims is not None
    assert claims["sub"] == offer.attempt_id
    assert claims["aud"] == "outdial-media-gateway"
    assert claims["modes"] == ["LIVE_AUTODIALED"]
    assert claims["prefix"] == "+1212"
    assert claims["exp"] == int(cleared.expires_at.timestamp()) == int((a.now + timedelta(seconds=60)).timestamp())
    assert cleared.context.region == "US-NY"
    assert cleared.context.local_zone == "America/New_York"
    assert "+12125550123" not in repr(cleared)


async def test_redelivery_re_emits_the_same_event_and_another_cause_does_not(world: Any, a: Any) -> None:
    offer = a.offer()
    first = await world.clear(offer, "cause-1")
    world.clock.advance(1)
    assert await world.clear(offer, "cause-1") == first
    assert await on_lead_ready(world.received(offer, "cause-2"), world.deps) == Drop("ALREADY_DECIDED")


async def test_redelivery_of_a_blocked_offer_repeats_the_block(world: Any, a: Any) -> None:
    offer = a.offer(consents=())
    first = await world.clear(offer)
    assert isinstance(first, ComplianceBlocked)
    assert first.reasons == (BlockReason.CONSENT_MISSING,)
    assert first.rule_ids == ("US-PEWC-AUTODIAL-MOBILE",)
    assert await world.clear(offer) == first
    assert await world.closed(offer.attempt_id) == []


async def test_offer_of_an_unknown_version_waits_until_it_is_stale(world: Any, a: Any) -> None:
    offer = a.offer(campaign_version=9)
    assert isinstance(await on_lead_ready(world.received(offer), world.deps), RetryLater)
    world.clock.advance(3600)
    assert (await world.clear(offer)).reasons == (BlockReason.OFFER_EXPIRED,)


async def test_offer_without_a_known_mode_or_purpose_is_a_dead_letter(fake: Any, a: Any) -> None:
    for offer in (a.offer(modes=()), a.offer(modes=(CallMode.UNKNOWN,)), a.offer(purpose=Purpose.UNKNOWN)):
        assert isinstance(await on_lead_ready(fake.received(offer), fake.deps), DeadLetter)


async def test_recording_is_only_cleared_when_its_own_rules_pass(world: Any, a: Any) -> None:
    modes = (CallMode.LIVE_MANUAL, CallMode.PRERECORDED)
    with_consent = await world.clear(a.offer(modes=modes))
    assert with_consent.allowed_modes == modes
    assert with_consent.may_play_recording
    without = await world.clear(a.offer(modes=modes, consents=(), person_id="p2", phone="+12125550124"))
    assert without.allowed_modes == (CallMode.LIVE_MANUAL,)
    assert not without.may_play_recording


async def test_revocation_once_seen_is_never_cleared_by_a_later_copy(world: Any, a: Any) -> None:
    revoked = a.consent(revoked_at=a.now - timedelta(days=1))
    assert (await world.clear(a.offer(consents=(revoked,)))).reasons == (BlockReason.CONSENT_REVOKED,)
    later_copies = (a.consent(), a.consent(revoked_at=a.now + timedelta(days=1)))
    for copy in later_copies:
        assert (await world.clear(a.offer(consents=(copy,)))).reasons == (BlockReason.CONSENT_REVOKED,)


async def test_reservations_count_in_the_cap_until_they_lapse(world: Any, a: Any) -> None:
    for _ in range(3):
        assert isinstance(await world.clear(a.offer()), ComplianceCleared)
    blocked = await world.clear(a.offer())
    assert blocked.reasons == (BlockReason.ATTEMPT_CAP,)
    assert blocked.rule_ids == ("GATE-CAMPAIGN-CAP",)
    assert blocked.next_allowed_at == a.now + timedelta(seconds=60)
    same_number = await world.clear(a.offer(person_id="someone-else"))
    assert same_number.reasons == (BlockReason.ATTEMPT_CAP,)
    world.clock.advance(61)
    assert isinstance(await world.clear(a.offer()), ComplianceCleared)


async def test_disposition_turns_the_open_attempt_into_a_fact_and_not_dialled_releases_it(world: Any, a: Any) -> None:
    world.publish(retry_max_per_person=1)
    cleared = await world.clear(a.offer())
    assert (await world.redeem(world.asking(cleared))).HasField("granted")
    assert (await world.clear(a.offer())).reasons == (BlockReason.ATTEMPT_CAP,)
    event = disposition(cleared, 1, False)
    assert await on_call_disposition(world.received(event), world.deps) == NOTHING
    assert isinstance(await world.clear(a.offer(attempt_id="22222222-2222-5222-8222-222222222222")), ComplianceCleared)


async def test_older_revision_of_a_disposition_changes_nothing(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    await world.redeem(world.asking(cleared))
    second = disposition(cleared, 2, True, RuleOutcome.CONVERSATION)
    assert await on_call_disposition(world.received(second), world.deps) == NOTHING
    for repeat in (second, disposition(cleared, 1, False)):
        assert isinstance(await on_call_disposition(world.received(repeat), world.deps), Drop)


async def test_paused_stopped_and_stop_button_block_offers(world: Any, a: Any) -> None:
    world.publish(CampaignState.PAUSED)
    assert (await world.clear(a.offer())).reasons == (BlockReason.CAMPAIGN_PAUSED,)
    world.publish(CampaignState.STOPPED)
    assert (await world.clear(a.offer())).reasons == (BlockReason.CAMPAIGN_STOPPED,)
    world.publish()
    stop = StopChanged(scope="state:US-NY", stopped=True, reason="storm", changed_at=a.now, changed_by="ops")
    await on_stop_changed(world.received(stop), world.deps)
    assert (await world.clear(a.offer())).reasons == (BlockReason.GLOBAL_STOP,)


async def test_returned_offer_lapses_once_with_its_reason(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    event = returned(cleared, OfferReturnReason.LEAD_CANCELLED)
    assert await on_offer_returned(world.received(event), world.deps) == NOTHING
    assert await on_offer_returned(world.received(event), world.deps) == Drop("ALREADY_CLOSED")
    await lapse_expired(TickInput(now=world.clock.now(), partition=None), world.deps)
    assert await world.closed(cleared.attempt_id) == ["LAPSED"]
    reply = await world.redeem(world.asking(cleared))
    assert "CLEARANCE_UNKNOWN" in reply.refused.reasons
    assert await world.closed(cleared.attempt_id) == ["LAPSED"]


async def test_unredeemed_clearance_lapses_when_its_token_dies(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    world.clock.advance(59)
    await lapse_expired(TickInput(now=world.clock.now(), partition=None), world.deps)
    assert await world.closed(cleared.attempt_id) == []
    world.clock.advance(1)
    for _ in range(2):
        await lapse_expired(TickInput(now=world.clock.now(), partition=None), world.deps)
    assert await world.closed(cleared.attempt_id) == ["LAPSED"]


@pytest.mark.parametrize("phone", ["+442071838750", "+16045550123"])
async def test_numbers_outside_the_packs_are_blocked(fake: Any, a: Any, phone: str) -> None:
    fake.publish()
    blocked = await fake.clear(a.offer(phone=phone))
    assert blocked.reasons == (BlockReason.JURISDICTION_UNSUPPORTED,)


@pytest.mark.parametrize("approvers", [(), ("A. Example",), ("A. Example", " a.  example "), ("A. Example", " ")])
async def test_emergency_without_two_different_approvers_is_blocked(world: Any, a: Any, approvers: Any) -> None:
    world.publish(purpose=Purpose.EMERGENCY, approvers=approvers)
    blocked = await world.clear(a.offer(purpose=Purpose.EMERGENCY, consents=()))
    assert blocked.reasons == (BlockReason.APPROVERS_MISSING,)
    assert (blocked.rule_ids, blocked.next_allowed_at) == (("GATE-EMERGENCY-APPROVERS",), None)


async def test_emergency_names_its_two_approvers_in_the_ledger_and_no_other_call_does(world: Any, a: Any) -> None:
    world.publish(purpose=Purpose.EMERGENCY, approvers=("A. Example", "B. Example"))
    cleared = await world.clear(a.offer(purpose=Purpose.EMERGENCY, consents=()))
    assert isinstance(cleared, ComplianceCleared)
    await world.clear(a.offer(person_id="p2", phone="+12125550177"))
    bodies = [json.loads(r.body) for r in await world.deps.store.records() if r.kind is RecordKind.DECISION]
    assert [body.get("approvers") for body in bodies] == [["A. Example", "B. Example"], None]
