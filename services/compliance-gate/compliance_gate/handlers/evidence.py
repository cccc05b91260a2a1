"""What the gate can show of one attempt: facts, rules, versions, times, consent proof, ledger records, outcome."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from compliance_gate.handlers.closing import NotCleared, cleared_answer
from compliance_gate.handlers.known import known_of
from compliance_gate.ports import AttemptFact, Clearance, Deps, Redemption
from outdial_contracts.events import ComplianceBlocked, Consent


async def evidence_of(attempt_id: str, deps: Deps) -> dict[str, Any] | None:
    """The evidence as JSON without the number or the person's id, or None when the offer was never decided."""
    async with deps.store.transaction() as tx:
        clearance = await tx.clearance(attempt_id)
        if clearance is None:
            return None
        redemptions = await tx.redemptions(attempt_id)
        fact = await tx.attempt_fact(attempt_id)
        consents = await tx.consents([c.consent_id for c in clearance.offer.consents])
        known = await known_of(tx, clearance.offer, consents, deps.clock.now(), deps)
    records = await deps.store.records_of(attempt_id)
    return {
        "attempt_id": attempt_id,
        "decision": _decision(clearance, deps),
        "facts": _facts(clearance),
        "consents": [_consent(consent) for consent in consents],
        "suppressions": [{"seller_id": s.seller_id, "requested_at": _iso(s.requested_at)} for s in known.suppressions],
        "redemptions": [_redemption(redemption) for redemption in redemptions],
        "closed": {"state": clearance.state.value, "at": _iso(clearance.closed_at)},
        "outcome": _outcome(fact),
        "ledger": [json.loads(record.line()) for record in records],
    }


def _decision(clearance: Clearance, deps: Deps) -> dict[str, Any]:
    answer = clearance.answer
    common = {"at": _iso(clearance.decided_at), "ledger_record": clearance.record_name, "rule_pack": answer.rule_pack}
    if isinstance(answer, ComplianceBlocked):
        return {
            **common,
            "allowed": False,
            "reasons": [reason.value for reason in answer.reasons],
            "rule_ids": list(answer.rule_ids),
            "next_allowed_at": _iso(answer.next_allowed_at),
        }
    return {
        **common,
        "allowed": True,
        "tzdata": answer.tzdata,
        "allowed_modes": [mode.value for mode in answer.allowed_modes],
        "may_play_recording": answer.may_play_recording,
        "recording_rule": answer.recording_rule.value,
        "expires_at": _iso(answer.expires_at),
        "rules": _rules(clearance, deps),
    }


def _rules(clearance: Clearance, deps: Deps) -> list[dict[str, str]]:
    """The pack's rows that could have blocked it, with their citations."""
    try:
        country = cleared_answer(clearance).country
    except NotCleared:
        return []
    offer = clearance.offer
    applying = [
        row
        for row in deps.pack.rules
        for mode in offer.modes
        if row.scope.applies(frozenset({country}), offer.purpose, offer.consumer, mode, offer.line_type)
    ]
    return [{"rule_id": i, "citation": c} for i, c in sorted({(row.rule_id, row.origin.citation) for row in applying})]


def _facts(clearance: Clearance) -> dict[str, Any]:
    offer, answer = clearance.offer, clearance.answer
    return {
        "offered_at": _iso(offer.offered_at),
        "lead_id": offer.context.lead_id,
        "campaign": f"{offer.campaign_id}/{offer.campaign_version}",
        "seller_id": offer.seller_id,
        "topic_id": offer.topic_id,
        "purpose": offer.purpose.value,
        "modes": [mode.value for mode in offer.modes],
        "line_type": offer.line_type.value,
        "consumer": offer.consumer,
        "person_token": offer.person_token,
        "callee_token": offer.callee_token,
        "region": answer.context.region,
        "local_zone": answer.context.local_zone,
    }


def _consent(consent: Consent) -> dict[str, Any]:
    record = consent.to_record()
    return {key: _iso(value) if isinstance(value, datetime) else value for key, value in record.items()}


def _redemption(redemption: Redemption) -> dict[str, Any]:
    return {
        "leg_no": redemption.leg_no,
        "granted": redemption.granted,
        "reasons": [reason.value for reason in redemption.reasons],
        "rule_ids": list(redemption.rule_ids),
        "at": _iso(redemption.answered_at),
        "ledger_record": redemption.record_name,
    }


def _outcome(fact: AttemptFact | None) -> dict[str, Any] | None:
    if fact is None or fact.revision == 0:
        return None
    outcomes: Sequence[str] = [outcome.value for outcome in fact.outcomes]
    return {"charged": fact.charged, "rule_outcomes": outcomes, "revision": fact.revision, "mode": fact.mode.value}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
