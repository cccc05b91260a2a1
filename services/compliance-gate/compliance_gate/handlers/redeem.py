"""Clearance.Redeem -> Granted | Refused | AlreadyRedeemed, and clearance.closed in the same transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from compliance_gate.domain.clearance import GRANT_MS, State, Step, after
from compliance_gate.domain.ends import caller_id_failures, shown_of
from compliance_gate.domain.last_look import (
    Asked,
    Refusal,
    Standing,
    is_next_leg,
    last_look,
    token_failure,
)
from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.domain.offers import facts_of
from compliance_gate.domain.places import locate
from compliance_gate.handlers.closing import close_entry, closed
from compliance_gate.handlers.known import known_of, tokens_of
from compliance_gate.ports import Clearance, Deps, Redemption, Transaction
from outdial_contracts.events import BlockReason, CallMode, CloseOutcome, CloseReason
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.requests import NotReady
from outdial_runtime.service import Answer, Request


async def redeem(request: Request, deps: Deps) -> Answer:
    """The last look: grants one leg once, or says why not.

    Raises:
        StoreUnavailable: the store is away.
        NotReady: the restore lock holds.
    """
    message: pb.RedeemRequest = request.message
    asked = _asked(message, deps)
    forged = token_failure(asked)
    async with deps.store.transaction() as tx:
        if await tx.restore_lock() is not None:
            raise NotReady("RESTORE_LOCK")
        if forged is not None:
            return await _turn_away(tx, message, *forged, deps)
        found = await tx.clearance(asked.attempt_id)
        if found is None or found.state is State.BLOCKED:
            return await _turn_away(tx, message, BlockReason.CLEARANCE_UNKNOWN, "GATE-TOKEN", deps)
        await tx.lock(tokens_of(found.offer, deps.tokens))
        clearance = await tx.clearance(asked.attempt_id, lock=True) or found
        redemptions = await tx.redemptions(asked.attempt_id)
        earlier = next((r for r in redemptions if r.leg_no == asked.leg_no), None)
        if earlier is not None:
            return Answer(reply=_repeat(earlier, message, clearance))
        return Answer(reply=await _look(tx, message, asked, clearance, redemptions, request.now, deps))


def _asked(message: pb.RedeemRequest, deps: Deps) -> Asked:
    return Asked(
        attempt_id=message.attempt_id,
        leg_no=message.leg_no,
        mode=_mode(message),
        gateway_time=message.gateway_time.ToDatetime(tzinfo=UTC),
        claims=deps.signer.verify(message.token),
    )


def _nonce_hash(message: pb.RedeemRequest) -> bytes:
    return hashlib.sha256(f"{message.attempt_id}|{message.leg_no}|{message.nonce}".encode()).digest()


async def _turn_away(
    tx: Transaction, message: pb.RedeemRequest, reason: BlockReason, rule_id: str, deps: Deps
) -> Answer:
    """Refuses somebody who holds no offer of ours: recorded, and nobody's offer is closed by it."""
    refusal = Refusal(reasons=(reason,), rule_ids=(rule_id,))
    await tx.append(Chain.REDEMPTIONS, [_entry(message, refusal, deps.clock.now())])
    return Answer(reply=_refused(refusal.reasons, refusal.rule_ids, None))


def _repeat(earlier: Redemption, message: pb.RedeemRequest, clearance: Clearance) -> pb.RedeemReply:
    """The same nonce gets the same answer; anybody else learns that a granted leg is taken."""
    if not earlier.granted:
        return _refused(earlier.reasons, earlier.rule_ids, earlier.next_allowed_at)
    if earlier.nonce_hash != _nonce_hash(message):
        return pb.RedeemReply(already_redeemed=pb.AlreadyRedeemed())
    return _granted(clearance, earlier.record_name)


async def _look(
    tx: Transaction,
    message: pb.RedeemRequest,
    asked: Asked,
    clearance: Clearance,
    redemptions: Sequence[Redemption],
    taken_up_at: datetime,
    deps: Deps,
) -> pb.RedeemReply:
    """Evaluates at this instant, under the locks of person and number, and writes the answer."""
    now = deps.clock.now()
    offer = clearance.offer
    open_ids = await tx.open_attempts(clearance.keys)
    standing = Standing(
        state=clearance.state,
        granted_legs=frozenset(r.leg_no for r in redemptions if r.granted),
        is_open=offer.attempt_id in open_ids,
        other_open=bool(open_ids - {offer.attempt_id}),
        skew=abs(asked.gateway_time - taken_up_at),
    )
    refusal = await _rules(tx, message, asked, clearance, standing, now, deps)
    if refusal.reasons:
        return await _refuse(tx, message, clearance, standing, refusal, now)
    return await _grant(tx, message, clearance, asked.mode, now)


async def _rules(
    tx: Transaction,
    message: pb.RedeemRequest,
    asked: Asked,
    clearance: Clearance,
    standing: Standing,
    now: datetime,
    deps: Deps,
) -> Refusal:
    offer = clearance.offer
    document = deps.live.document(offer.campaign_id, offer.campaign_version)
    if document is None:
        return Refusal(reasons=(BlockReason.DEPENDENCY_DOWN,), rule_ids=("GATE-FAIL-CLOSED",))
    place = locate(offer.phone, offer.address, deps.pack)
    live = list(deps.live.blocks(offer.campaign_id, offer.seller_id, place.jurisdictions, message.route_id))
    consents = await tx.consents([consent.consent_id for consent in offer.consents])
    known = await known_of(tx, offer, consents, now, deps)
    ring_seconds = message.ring_timeout_seconds or document.ring_timeout_seconds
    facts = facts_of(offer, known, document, asked.mode, ring_seconds)
    shown = shown_of([facts], place, now, deps.pack)
    live += caller_id_failures([message.caller_id], shown, offer.purpose, deps.pack)
    return last_look(asked, standing, facts, live, now, deps.pack)


async def _refuse(
    tx: Transaction,
    message: pb.RedeemRequest,
    clearance: Clearance,
    standing: Standing,
    refusal: Refusal,
    now: datetime,
) -> pb.RedeemReply:
    """Writes the refusal; a refused first leg closes the offer, any other request leaves it as it is."""
    entries = [_entry(message, refusal, now)]
    closes = clearance.state is State.RESERVED and message.leg_no == 1
    expired = BlockReason.CLEARANCE_EXPIRED in refusal.reasons
    reason = CloseReason.EXPIRED if expired else CloseReason.RULES
    if closes:
        await tx.set_state(message.attempt_id, after(clearance.state, Step.REFUSE), now)
        entries.append(close_entry(message.attempt_id, CloseOutcome.REFUSED, reason, now))
    record = (await tx.append(Chain.REDEMPTIONS, entries))[0]
    if is_next_leg(message.leg_no, standing):
        await tx.add_redemption(message.attempt_id, _redemption(message, refusal, record.name, now))
    if closes:
        event = closed(
            clearance,
            CloseOutcome.REFUSED,
            reason,
            now,
            mode=_mode(message),
            ring_timeout_seconds=message.ring_timeout_seconds,
            block_reasons=refusal.reasons,
            rule_ids=refusal.rule_ids,
            next_allowed_at=refusal.next_allowed_at,
            gateway=(message.gateway_id, message.boot_id),
            caller_id=message.caller_id,
            route_id=message.route_id,
            ledger_record=record.name,
        )
        await tx.announce([event])
    return _refused(refusal.reasons, refusal.rule_ids, refusal.next_allowed_at)


async def _grant(
    tx: Transaction, message: pb.RedeemRequest, clearance: Clearance, mode: CallMode, now: datetime
) -> pb.RedeemReply:
    """Writes the redemption. The first leg opens and charges the attempt and closes the offer; a later one does not."""
    granted = Refusal(reasons=(), rule_ids=())
    entries = [_entry(message, granted, now)]
    if message.leg_no == 1:
        await tx.set_state(message.attempt_id, after(clearance.state, Step.REDEEM), now)
        await tx.open_attempt(clearance, mode, now)
        entries.append(close_entry(message.attempt_id, CloseOutcome.REDEEMED, CloseReason.DIALLED, now))
    record = (await tx.append(Chain.REDEMPTIONS, entries))[0]
    await tx.add_redemption(message.attempt_id, _redemption(message, granted, record.name, now))
    if message.leg_no == 1:
        event = closed(
            clearance,
            CloseOutcome.REDEEMED,
            CloseReason.DIALLED,
            now,
            mode=mode,
            ring_timeout_seconds=message.ring_timeout_seconds,
            gateway=(message.gateway_id, message.boot_id),
            caller_id=message.caller_id,
            route_id=message.route_id,
            ledger_record=record.name,
        )
        await tx.announce([event])
    return _granted(clearance, record.name)


def _redemption(message: pb.RedeemRequest, refusal: Refusal, record_name: str, now: datetime) -> Redemption:
    return Redemption(
        leg_no=message.leg_no,
        nonce_hash=_nonce_hash(message),
        granted=not refusal.reasons,
        reasons=refusal.reasons,
        rule_ids=refusal.rule_ids,
        next_allowed_at=refusal.next_allowed_at,
        record_name=record_name,
        answered_at=now,
    )


def _entry(message: pb.RedeemRequest, refusal: Refusal, now: datetime) -> Entry:
    body = {
        "attempt_id": message.attempt_id,
        "leg_no": message.leg_no,
        "mode": message.mode,
        "gateway_id": message.gateway_id,
        "boot_id": message.boot_id,
        "nonce_sha256": _nonce_hash(message).hex(),
        "caller_id": message.caller_id,
        "route_id": message.route_id,
        "reasons": [reason.value for reason in refusal.reasons],
        "rule_ids": list(refusal.rule_ids),
        "at": now.isoformat(),
    }
    return Entry(kind=RecordKind.REFUSAL if refusal.reasons else RecordKind.REDEMPTION, body=body)


def _mode(message: pb.RedeemRequest) -> CallMode:
    return CallMode(message.mode) if message.mode in CallMode.__members__ else CallMode.UNKNOWN


def _granted(clearance: Clearance, record_name: str) -> pb.RedeemReply:
    grant = pb.Granted(e164=clearance.offer.phone, grant_ms=GRANT_MS, ledger_record=record_name)
    return pb.RedeemReply(granted=grant)


def _refused(reasons: Sequence[BlockReason], rule_ids: Sequence[str], next_allowed: datetime | None) -> pb.RedeemReply:
    stamp = Timestamp()
    if next_allowed is not None:
        stamp.FromDatetime(next_allowed)
    refused = pb.Refused(
        reasons=[reason.value for reason in reasons],
        rule_ids=list(rule_ids),
        next_allowed=stamp if next_allowed is not None else None,
    )
    return pb.RedeemReply(refused=refused)
