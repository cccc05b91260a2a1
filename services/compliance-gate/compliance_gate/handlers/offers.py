"""lead.ready -> compliance.cleared | compliance.blocked; offer.returned, dead tokens -> clearance.closed{lapsed}."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from compliance_gate.domain.clearance import Allowance, State, Step, after, claims
from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.domain.offers import Known, Outlook, clear
from compliance_gate.domain.places import locate, normalise
from compliance_gate.handlers.closing import close_entry, closed
from compliance_gate.handlers.known import canonical_offer, distinct, keys_of, known_of, tokens_of
from compliance_gate.ports import Clearance, Deps, Transaction
from outdial_contracts.events import (
    BlockReason,
    CallMode,
    CampaignDocument,
    CloseOutcome,
    CloseReason,
    ComplianceBlocked,
    ComplianceCleared,
    LeadReady,
    OfferReturned,
    OfferReturnReason,
    Purpose,
)
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, Outcome, Publish, RetryLater
from outdial_runtime.service import Received, TickInput

LAPSE_BATCH = 200
RETURNED = {
    OfferReturnReason.POLICY: CloseReason.POLICY,
    OfferReturnReason.SKIPPED: CloseReason.SKIPPED,
    OfferReturnReason.LEAD_CANCELLED: CloseReason.LEAD_CANCELLED,
}
EXPIRED = Outlook(
    reasons=(BlockReason.OFFER_EXPIRED,),
    rule_ids=("GATE-OFFER",),
    next_allowed_at=None,
    allowance=None,
    region=None,
    zone=None,
)


async def on_lead_ready(message: Received[LeadReady], deps: Deps) -> Outcome:
    """Decides an offer once. The same message again re-emits the same answer; another cause for it does not."""
    offer = message.event
    if not offer.modes or CallMode.UNKNOWN in offer.modes or offer.purpose is Purpose.UNKNOWN:
        return DeadLetter("BAD_OFFER", "modes and purpose must be known words and modes not empty")
    document = deps.live.document(offer.campaign_id, offer.campaign_version)
    in_time = message.now < offer.expires_at
    if in_time and (document is None or not deps.live.knows(offer.campaign_id, offer.campaign_version)):
        return RetryLater("CAMPAIGN_UNKNOWN", 0.2)
    offer = canonical_offer(offer, deps)
    async with deps.store.transaction() as tx:
        await tx.lock(tokens_of(offer, deps.tokens))
        earlier = await tx.clearance(offer.attempt_id)
        if earlier is not None:
            return Publish([earlier.answer]) if earlier.cause == message.cause else Drop("ALREADY_DECIDED")
        clearance = await _decide(tx, offer, document if in_time else None, message.cause, deps)
    return Publish([clearance.answer])


async def _decide(
    tx: Transaction, offer: LeadReady, document: CampaignDocument | None, cause: str, deps: Deps
) -> Clearance:
    """Evaluates under the locks, at this instant, and writes decision, reservation and ledger record."""
    now = deps.clock.now()
    consents = await tx.merge_consents(distinct(offer.consents))
    known = await known_of(tx, offer, consents, now, deps)
    outlook = _outlook(offer, known, document, now, deps) if document else EXPIRED
    answer: ComplianceCleared | ComplianceBlocked
    if outlook.allowance is not None and document is not None:
        expires_at = (now + timedelta(seconds=document.clearance_ttl_seconds)).replace(microsecond=0)
        answer, state = _cleared(offer, outlook, outlook.allowance, now, expires_at, deps), State.RESERVED
    else:
        expires_at, answer, state = now, _blocked(offer, outlook, now, deps), State.BLOCKED
    [record] = await tx.append(Chain.DECISIONS, [_entry(offer, outlook, cause, now, expires_at, deps)])
    clearance = Clearance(
        offer=offer,
        answer=answer,
        cause=cause,
        state=state,
        keys=keys_of(offer, deps.tokens),
        decided_at=now,
        expires_at=expires_at,
        record_name=record.name,
    )
    await tx.add_clearance(clearance)
    return clearance


def _outlook(offer: LeadReady, known: Known, document: CampaignDocument, now: datetime, deps: Deps) -> Outlook:
    valid = normalise(offer.phone, "US", deps.pack.geography)
    regions = locate(valid, offer.address, deps.pack).jurisdictions if valid else frozenset[str]()
    live = list(deps.live.blocks(offer.campaign_id, offer.seller_id, regions))
    return clear(offer, known, document, live, now, deps.pack)


def _cleared(
    offer: LeadReady, outlook: Outlook, allowance: Allowance, now: datetime, expires_at: datetime, deps: Deps
) -> ComplianceCleared:
    claim_set = claims(offer, allowance, deps.pack.version, deps.pack.tzdata, now, expires_at)
    return ComplianceCleared(
        attempt_id=offer.attempt_id,
        team_id=offer.team_id,
        campaign_id=offer.campaign_id,
        campaign_version=offer.campaign_version,
        context=replace(offer.context, region=outlook.region, local_zone=outlook.zone),
        person_token=offer.person_token,
        callee_token=offer.callee_token,
        country=claim_set["country"],
        number_class=allowance.place.number_class,
        destination_prefix=allowance.place.destination_prefix,
        agent_guaranteed=offer.agent_guaranteed,
        may_play_recording=allowance.may_play_recording,
        recording_rule=allowance.recording,
        rule_pack=deps.pack.version,
        tzdata=deps.pack.tzdata,
        score=offer.score,
        token=deps.signer.sign(claim_set),
        cleared_at=now,
        expires_at=expires_at,
        allowed_modes=allowance.modes,
    )


def _blocked(offer: LeadReady, outlook: Outlook, now: datetime, deps: Deps) -> ComplianceBlocked:
    return ComplianceBlocked(
        attempt_id=offer.attempt_id,
        team_id=offer.team_id,
        campaign_id=offer.campaign_id,
        campaign_version=offer.campaign_version,
        context=replace(offer.context, region=outlook.region, local_zone=outlook.zone),
        epoch=offer.epoch,
        rule_pack=deps.pack.version,
        blocked_at=now,
        reasons=outlook.reasons,
        rule_ids=outlook.rule_ids,
        next_allowed_at=outlook.next_allowed_at,
    )


def _entry(offer: LeadReady, outlook: Outlook, cause: str, now: datetime, expires_at: datetime, deps: Deps) -> Entry:
    allowance = outlook.allowance
    body = {
        "attempt_id": offer.attempt_id,
        "person_token": offer.person_token,
        "callee_token": offer.callee_token,
        "campaign": f"{offer.campaign_id}/{offer.campaign_version}",
        "seller_id": offer.seller_id,
        "purpose": offer.purpose.value,
        "modes": [mode.value for mode in offer.modes],
        "decision": "cleared" if allowance else "blocked",
        "allowed_modes": [mode.value for mode in allowance.modes] if allowance else [],
        "reasons": [reason.value for reason in outlook.reasons],
        "rule_ids": list(outlook.rule_ids),
        "consent_ids": sorted(consent.consent_id for consent in offer.consents),
        **({"approvers": list(outlook.approvers)} if offer.purpose is Purpose.EMERGENCY else {}),
        "rule_pack": deps.pack.version,
        "tzdata": deps.pack.tzdata,
        "lists": {name: one.as_of.isoformat() for name, one in sorted(deps.lists.in_force().items())},
        "cause": cause,
        "at": now.isoformat(),
        "expires_at": expires_at.isoformat(),
    }
    return Entry(kind=RecordKind.DECISION, body=body)


async def on_offer_returned(message: Received[OfferReturned], deps: Deps) -> Outcome:
    """Closes an offer given back unused as lapsed; one that is closed already stays as it is."""
    reason = RETURNED.get(message.event.reason, CloseReason.UNKNOWN)
    async with deps.store.transaction() as tx:
        clearance = await tx.clearance(message.event.attempt_id, lock=True)
        if clearance is None:
            return Drop("UNKNOWN_ATTEMPT")
        if clearance.state is not State.RESERVED:
            return Drop("ALREADY_CLOSED")
        await _lapse(tx, [clearance], reason, deps)
    return NOTHING


async def lapse_expired(tick: TickInput, deps: Deps) -> Outcome:
    """Closes clearances whose token died unredeemed; replicas share the work by skipping locked rows."""
    async with deps.store.transaction() as tx:
        if await tx.restore_lock() is not None:
            return Drop("RESTORE_LOCK")
        expired = await tx.expired(deps.clock.now(), LAPSE_BATCH)
        if expired:
            await _lapse(tx, expired, CloseReason.EXPIRED, deps)
    return NOTHING


async def _lapse(tx: Transaction, clearances: Sequence[Clearance], reason: CloseReason, deps: Deps) -> None:
    now = deps.clock.now()
    for clearance in clearances:
        await tx.set_state(clearance.offer.attempt_id, after(clearance.state, Step.LAPSE), now)
    await tx.announce([closed(c, CloseOutcome.LAPSED, reason, now) for c in clearances])
    entries = [close_entry(c.offer.attempt_id, CloseOutcome.LAPSED, reason, now) for c in clearances]
    await tx.append(Chain.REDEMPTIONS, entries)
