"""lead.ready -> compliance.cleared | compliance.blocked; offer.returned, dead tokens -> clearance.closed{lapsed}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from compliance_gate.domain.clearance import Allowance, State, Step, after, claims
from compliance_gate.domain.facts import Attempt
from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.domain.offers import Known, Outlook, clear
from compliance_gate.domain.places import locate, normalise
from compliance_gate.handlers.closing import close_entry, closed
from compliance_gate.handlers.known import Index, Party, distinct, known_of_all, taken_up, told_relations
from compliance_gate.ports import Clearance, Deps, Transaction, reservation
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


@dataclass(frozen=True, kw_only=True)
class Ready:
    """An offer that can be decided."""

    offer: LeadReady
    """In canonical form."""
    cause: str
    document: CampaignDocument | None
    """None: the offer is too late."""
    party: Party


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision that has no ledger record yet."""

    ready: Ready
    outlook: Outlook
    answer: ComplianceCleared | ComplianceBlocked
    at: datetime
    expires_at: datetime

    def recorded(self, record_name: str) -> Clearance:
        """The clearance that the store keeps."""
        return Clearance(
            offer=self.ready.offer,
            answer=self.answer,
            cause=self.ready.cause,
            state=State.BLOCKED if self.outlook.allowance is None else State.RESERVED,
            keys=self.ready.party.keys,
            decided_at=self.at,
            expires_at=self.expires_at,
            record_name=record_name,
        )


async def on_lead_ready(message: Received[LeadReady], deps: Deps) -> Outcome:
    """Decides an offer once. The same message again re-emits the same answer; another cause for it does not."""
    [outcome] = await on_lead_ready_batch([message], deps)
    return outcome


async def on_lead_ready_batch(messages: Sequence[Received[LeadReady]], deps: Deps) -> Sequence[Outcome]:
    """Decides offers in their order, in one transaction whose number of queries does not grow with them."""
    taken = [_ready(message, deps) for message in messages]
    ready = [one for one in taken if isinstance(one, Ready)]
    clearances = await _decide_all(ready, deps) if ready else {}
    return [_answer(one, clearances) if isinstance(one, Ready) else one for one in taken]


def _ready(message: Received[LeadReady], deps: Deps) -> Ready | Outcome:
    offer = message.event
    if not offer.modes or CallMode.UNKNOWN in offer.modes or offer.purpose is Purpose.UNKNOWN:
        return DeadLetter("BAD_OFFER", "modes and purpose must be known words and modes not empty")
    document = deps.live.document(offer.campaign_id, offer.campaign_version)
    in_time = message.now < offer.expires_at
    if in_time and (document is None or not deps.live.knows(offer.campaign_id, offer.campaign_version)):
        return RetryLater("CAMPAIGN_UNKNOWN", 0.2)
    offer, party = taken_up(offer, deps)
    return Ready(offer=offer, cause=message.cause, document=document if in_time else None, party=party)


def _answer(ready: Ready, clearances: Mapping[str, Clearance]) -> Outcome:
    """The first message of an attempt decides it; what comes later is a repeat or somebody else's."""
    clearance = clearances[ready.offer.attempt_id]
    return Publish([clearance.answer]) if clearance.cause == ready.cause else Drop("ALREADY_DECIDED")


async def _decide_all(ready: Sequence[Ready], deps: Deps) -> Mapping[str, Clearance]:
    """Attempt id -> its clearance, decided now or before."""
    async with deps.store.transaction() as tx:
        await tx.lock([token for one in ready for token in one.party.tokens])
        earlier = await tx.known_clearances([one.offer.attempt_id for one in ready])
        new: dict[str, Ready] = {}
        for one in ready:
            if one.offer.attempt_id not in earlier:
                new.setdefault(one.offer.attempt_id, one)
        made = await _decide(tx, list(new.values()), deps) if new else ()
    return {**earlier, **{clearance.offer.attempt_id: clearance for clearance in made}}


async def _decide(tx: Transaction, ready: Sequence[Ready], deps: Deps) -> Sequence[Clearance]:
    """Evaluates under the locks, at one instant, and writes decisions, reservations and ledger records."""
    now = deps.clock.now()
    parties = await _with_revocations(tx, [one.party for one in ready])
    await tx.merge_relations([told for one in ready for told in told_relations(one.offer, now, deps)])
    known = await known_of_all(tx, parties, now, deps)
    decided = _in_turn(ready, known, now, deps)
    lists = {name: one.as_of.isoformat() for name, one in sorted(deps.lists.in_force().items())}
    records = await tx.append(Chain.DECISIONS, [_entry(one, lists, deps) for one in decided])
    clearances = [one.recorded(record.name) for one, record in zip(decided, records, strict=True)]
    await tx.add_clearances(clearances)
    return clearances


async def _with_revocations(tx: Transaction, parties: Sequence[Party]) -> list[Party]:
    """The parties with the earliest revocation ever seen of each of their consents."""
    stored = await tx.merge_consents(distinct(tuple(c for party in parties for c in party.consents)))
    revoked = {c.consent_id: c.revoked_at for c in stored if c.revoked_at is not None}
    return [
        replace(p, consents=tuple(replace(c, revoked_at=revoked.get(c.consent_id)) for c in p.consents))
        if any(c.consent_id in revoked for c in p.consents)
        else p
        for p in parties
    ]


def _in_turn(ready: Sequence[Ready], known: Sequence[Known], now: datetime, deps: Deps) -> list[Decided]:
    """Decides one after the other: what is cleared counts as a reservation for those that come after it."""
    reserved, decided = Index[Attempt](), []
    for one, stored in zip(ready, known, strict=True):
        keys = (one.party.keys.person, one.party.keys.number)
        newer = reserved.of(keys)
        made = _decided(one, replace(stored, attempts=stored.attempts + newer) if newer else stored, now, deps)
        if made.outlook.allowance is not None:
            reserved.add(keys, reservation(one.offer, made.at, made.expires_at))
        decided.append(made)
    return decided


def _decided(ready: Ready, known: Known, now: datetime, deps: Deps) -> Decided:
    offer, document = ready.offer, ready.document
    outlook = _outlook(offer, known, document, now, deps) if document else EXPIRED
    answer: ComplianceCleared | ComplianceBlocked
    if outlook.allowance is not None and document is not None:
        expires_at = (now + timedelta(seconds=document.clearance_ttl_seconds)).replace(microsecond=0)
        answer = _cleared(offer, outlook, outlook.allowance, now, expires_at, deps)
    else:
        expires_at, answer = now, _blocked(offer, outlook, now, deps)
    return Decided(ready=ready, outlook=outlook, answer=answer, at=now, expires_at=expires_at)


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
        recording_rule=allowance.recording.asks,
        rule_pack=deps.pack.version,
        tzdata=deps.pack.tzdata,
        score=offer.score,
        token=deps.signer.sign(claim_set),
        cleared_at=now,
        expires_at=expires_at,
        allowed_modes=allowance.modes,
        caller_id_rule=",".join(allowance.shown.rule_ids) or None,
        caller_id_prefixes=allowance.shown.prefixes or (),
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


def _entry(decided: Decided, lists: Mapping[str, str], deps: Deps) -> Entry:
    offer, outlook = decided.ready.offer, decided.outlook
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
        "recording": allowance.recording.asks.value if allowance else None,
        "recording_rule_ids": list(allowance.recording.rule_ids) if allowance else [],
        "caller_id_rule_ids": list(allowance.shown.rule_ids) if allowance else [],
        "reasons": [reason.value for reason in outlook.reasons],
        "rule_ids": list(outlook.rule_ids),
        "consent_ids": sorted(consent.consent_id for consent in offer.consents),
        **({"approvers": list(outlook.approvers)} if offer.purpose is Purpose.EMERGENCY else {}),
        "rule_pack": deps.pack.version,
        "tzdata": deps.pack.tzdata,
        "lists": lists,
        "cause": decided.ready.cause,
        "at": decided.at.isoformat(),
        "expires_at": decided.expires_at.isoformat(),
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
