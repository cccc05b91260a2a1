"""What the gate can show of one attempt: facts, rules, versions, times, consent proof, ledger records, outcome."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from compliance_gate.domain.facts import Relation
from compliance_gate.domain.ledger import Record, RecordKind
from compliance_gate.domain.local_time import local_time
from compliance_gate.domain.offers import Known
from compliance_gate.domain.reassigned import answer_for
from compliance_gate.domain.rules import PackRow
from compliance_gate.handlers.closing import NotCleared, cleared_answer
from compliance_gate.handlers.known import known_of
from compliance_gate.handlers.proving import inclusions
from compliance_gate.ports import AttemptFact, Clearance, Deps, Redemption
from outdial_contracts.events import ComplianceBlocked, Consent, ReassignedReply

NOT_ADVICE = "Not legal advice: an engineering reading of public rules; counsel must review every rule pack."
OWN_RULE = "the gate's own rule, or one that a former pack had"


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
        "not_legal_advice": NOT_ADVICE,
        "times": _times(clearance, redemptions),
        "decision": {**_decision(clearance, deps), **_presentation(records, deps)},
        "facts": _facts(clearance),
        "consents": [{**_consent(consent), "reassigned": _reassigned(consent, known)} for consent in consents],
        "relations": [_relation(relation) for relation in known.relations],
        "suppressions": [{"seller_id": s.seller_id, "requested_at": _iso(s.requested_at)} for s in known.suppressions],
        "redemptions": [_redemption(redemption) for redemption in redemptions],
        "closed": {"state": clearance.state.value, "at": _iso(clearance.closed_at)},
        "outcome": _outcome(fact),
        "ledger": [json.loads(record.line()) for record in records],
        "inclusion": await inclusions(records, deps),
    }


def _times(clearance: Clearance, redemptions: Sequence[Redemption]) -> list[dict[str, str | None]]:
    """What happened when, in UTC and in the callee's zone."""
    answer = clearance.answer
    ends = answer.next_allowed_at if isinstance(answer, ComplianceBlocked) else answer.expires_at
    moments = [
        ("offered", clearance.offer.offered_at),
        ("decided", clearance.decided_at),
        *((f"leg {r.leg_no} {'granted' if r.granted else 'refused'}", r.answered_at) for r in redemptions),
        ("closed", clearance.closed_at),
        ("next allowed" if isinstance(answer, ComplianceBlocked) else "clearance expires", ends),
    ]
    zone = answer.context.local_zone
    return [
        {
            "what": what,
            "utc": _iso(at),
            "local": local_time(at, zone).isoformat() if zone else None,
            "zone": zone,
        }
        for what, at in moments
        if at is not None
    ]


def _decision(clearance: Clearance, deps: Deps) -> dict[str, Any]:
    answer = clearance.answer
    common = {"at": _iso(clearance.decided_at), "ledger_record": clearance.record_name, "rule_pack": answer.rule_pack}
    if isinstance(answer, ComplianceBlocked):
        blocking = [(i, deps.pack.rule(i)) for i in answer.rule_ids]
        return {
            **common,
            "rules": [_rule(i, row, deps) for i, row in blocking],
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


def _presentation(records: Sequence[Record], deps: Deps) -> dict[str, Any]:
    """The rows on recording and on the number shown that the decision's ledger record names."""
    decision = next((record for record in records if record.kind is RecordKind.DECISION), None)
    if decision is None:
        return {}
    body = json.loads(decision.body)
    return {
        shown: [_rule(i, deps.pack.rule(i), deps) for i in body.get(names, ())]
        for shown, names in (("recording_rules", "recording_rule_ids"), ("caller_id_rules", "caller_id_rule_ids"))
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
    return [_rule(i, row, deps) for i, row in sorted({row.rule_id: row for row in applying}.items())]


def _rule(rule_id: str, row: PackRow | None, deps: Deps) -> dict[str, str]:
    """Of the pack in force now; a rule of the gate's own has no row."""
    if row is None:
        return {"rule_id": rule_id, "citation": OWN_RULE, "rule_pack": deps.pack.version}
    origin = row.origin
    words = {"basis": origin.basis.value, "confidence": origin.confidence.value}
    return {"rule_id": rule_id, "citation": origin.citation, **words, "rule_pack": deps.pack.version}


def _facts(clearance: Clearance) -> dict[str, Any]:
    offer, answer = clearance.offer, clearance.answer
    return {
        "offered_at": _iso(offer.offered_at),
        "lead_id": offer.context.lead_id,
        "campaign": f"{offer.campaign_id}/{offer.campaign_version}",
        "seller_id": offer.seller_id,
        "topic_id": offer.topic_id,
        "purpose": offer.purpose.value,
        "debt_id": offer.debt_id,
        "modes": [mode.value for mode in offer.modes],
        "line_type": offer.line_type.value,
        "consumer": offer.consumer,
        "person_token": offer.person_token,
        "callee_token": offer.callee_token,
        "region": answer.context.region,
        "local_zone": answer.context.local_zone,
    }


def _reassigned(consent: Consent, known: Known) -> dict[str, Any] | None:
    """The Reassigned Numbers Database's answer on this consent's date; only a no is a safe harbour."""
    answer = answer_for(consent, known.reassigned)
    if answer is None:
        return None
    return {
        "asked_date": answer.consent_date,
        "reply": answer.reply.value,
        "answered_at": _iso(answer.answered_at),
        "safe_harbour": answer.reply is ReassignedReply.NO,
    }


def _relation(relation: Relation) -> dict[str, Any]:
    record = asdict(relation)
    return {key: _iso(value) if isinstance(value, datetime) else value for key, value in record.items()}


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
