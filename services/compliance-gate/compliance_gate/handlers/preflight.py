"""POST /v1/preflight: what the rules would say to a campaign's leads now, with nothing stored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from compliance_gate.domain.decision import Decision, barred, evaluate
from compliance_gate.domain.ends import caller_id_failures, shown_of
from compliance_gate.domain.facts import Call, Facts, Lead, PersonCap, Relation
from compliance_gate.domain.offers import Known
from compliance_gate.domain.places import normalise
from compliance_gate.domain.reassigned import disconnected_at
from compliance_gate.handlers.http import problem
from compliance_gate.handlers.known import Party, known_of_all, party_of
from compliance_gate.ports import Deps
from outdial_contracts.events import Address, CallMode, Consent, ConsentLevel, LineType, Purpose
from outdial_runtime.service import Answer, HttpReply, Request

MODES = {"preview": CallMode.LIVE_MANUAL}
PLACES = ("country", "region", "postal_code", "time_zone")
TIMES = ("granted_at", "expires_at", "revoked_at", "captured_at")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A lead row as lead-router's dry run returns it."""

    lead_id: str
    person_id: str
    lead: Lead
    consents: tuple[Consent, ...]
    relations: tuple[Relation, ...]
    """Newer than what the store holds of the same seller."""
    debt_id: str | None


async def post_preflight(request: Request, deps: Deps) -> Answer:
    """{"campaign": {...campaign.yaml}, "leads": [...]} -> callable, blocked by reason, and each lead's answer."""
    try:
        body = json.loads(request.message)
        call, caller_ids = _call(body["campaign"]), _texts(body["campaign"].get("caller_ids") or ())
        candidates = [_candidate(row) for row in body["leads"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = f"want campaign (campaign.yaml as JSON) and leads (rows of a dry run); {type(error).__name__}"
        return problem(422, "BAD_PREFLIGHT", detail)
    results: list[dict[str, Any]] = []
    blocked: Counter[str] = Counter()
    parties = [_party(candidate, deps) for candidate in candidates]
    async with deps.store.transaction() as tx:
        found = await known_of_all(tx, parties, request.now, deps)
    for candidate, known in zip(candidates, found, strict=True):
        decision = _preview(candidate, known, call, caller_ids, request.now, deps)
        blocked.update(reason.value for reason in decision.reasons)
        results.append(_result(candidate, decision))
    callable_now = sum(not result["reasons"] for result in results)
    totals = {"callable": callable_now, "blocked": dict(blocked), "blocked_total": len(results) - callable_now}
    return Answer(reply=HttpReply(body={**totals, "results": results}))


def _party(candidate: Candidate, deps: Deps) -> Party:
    lead = candidate.lead
    phone = normalise(lead.phone, lead.default_region, deps.pack.geography) or lead.phone
    return party_of(candidate.person_id, phone, deps, candidate.consents)


def _preview(
    candidate: Candidate, known: Known, call: Call, caller_ids: Sequence[str], now: datetime, deps: Deps
) -> Decision:
    named = {relation.seller_id for relation in candidate.relations}
    facts = Facts(
        call=replace(call, debt_id=candidate.debt_id),
        lead=replace(candidate.lead, rnd_disconnected_at=disconnected_at(known.reassigned)),
        consents=known.consents,
        suppressions=known.suppressions,
        attempts=known.attempts,
        lists=known.lists,
        relations=candidate.relations + tuple(r for r in known.relations if r.seller_id not in named),
        suspensions=known.suspensions,
    )
    decision = evaluate(facts, now, deps.pack)
    if decision.place is None:
        return decision
    shown = shown_of([facts], decision.place, now, deps.pack)
    return barred(decision, caller_id_failures(caller_ids, shown, call.purpose, deps.pack))


def _result(candidate: Candidate, decision: Decision) -> dict[str, Any]:
    at = decision.next_allowed_at
    return {
        "lead_id": candidate.lead_id,
        "reasons": [reason.value for reason in decision.reasons],
        "rule_ids": list(decision.rule_ids),
        "next_allowed_at": at.isoformat() if at is not None else None,
    }


def _call(campaign: Mapping[str, Any]) -> Call:
    retry = campaign["retry"]
    cap = PersonCap(max_attempts=int(retry["max_per_person"]), window_hours=int(retry["window_hours"]))
    return Call(
        seller_id=campaign["seller"]["id"],
        topic_id=campaign["topic"],
        purpose=Purpose(str(campaign["purpose"]).upper()),
        mode=MODES.get(str(campaign["mode"]).lower(), CallMode.LIVE_AUTODIALED),
        person_cap=cap,
    )


def _candidate(row: Mapping[str, Any]) -> Candidate:
    address = row.get("address") or {}
    lead = Lead(
        phone=_text(row["phone"]),
        line_type=LineType(str(row.get("line_type") or "unknown").upper()),
        consumer=bool(row.get("consumer", True)),
        address=Address(**{k: _text(v) for k in PLACES if (v := address.get(k)) is not None}),
    )
    return Candidate(
        lead_id=str(row["lead_id"]),
        person_id=str(row["person_id"]),
        lead=lead,
        consents=tuple(_consent(consent) for consent in row.get("consents") or ()),
        relations=tuple(_relation(relation) for relation in row.get("relations") or ()),
        debt_id=_text(debt) if (debt := row.get("debt_id")) is not None else None,
    )


def _relation(row: Mapping[str, Any]) -> Relation:
    times = {name: _time(row[name]) if row.get(name) else None for name in ("last_transaction_at", "last_inquiry_at")}
    return Relation(seller_id=_text(row["seller_id"]), contract_active=bool(row.get("contract_active")), **times)


def _consent(row: Mapping[str, Any]) -> Consent:
    times = {name: _time(row[name]) if row.get(name) else None for name in TIMES}
    return Consent.from_record(
        {
            **{name: row.get(name) for name in ("consent_id", "source", "ip", "text_sha256", "signature_ref")},
            **times,
            "seller_id": row["seller_id"],
            "purpose": str(row["purpose"]).lower(),
            "channel": str(row.get("channel") or "voice").lower(),
            "level": ConsentLevel(str(row["level"]).upper()).value,
        }
    )


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list | tuple):
        raise TypeError("not a list")
    return tuple(map(_text, values))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time
