"""POST /v1/preflight: what the rules would say to a campaign's leads, now and hour by hour, with nothing stored."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from compliance_gate.domain.facts import Call, Facts
from compliance_gate.domain.offers import Known
from compliance_gate.domain.places import normalise
from compliance_gate.domain.preflight import LONGEST_LOOK, Forecaster, Outlook, hardest, lists_needed, marks_of
from compliance_gate.domain.reassigned import disconnected_at
from compliance_gate.handlers.evidence import NOT_ADVICE
from compliance_gate.handlers.http import problem
from compliance_gate.handlers.known import Party, known_of_all, party_of
from compliance_gate.handlers.preflight_rows import Candidate, call_of, candidate_of, texts, time_of
from compliance_gate.ports import Deps
from outdial_contracts.safe_harbour import campaign_faults
from outdial_runtime.service import Answer, HttpReply, Request

DAY = timedelta(days=1)
SKEW = timedelta(minutes=1)
"""Another replica, which answered the batch before, may be ahead."""
LEADS_BETWEEN_BREATHS = 10
"""Some milliseconds of rules; then Redeem and whoever else waits has a turn."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that can be answered."""

    call: Call
    caller_ids: tuple[str, ...]
    candidates: Sequence[Candidate]
    marks: Sequence[datetime]


async def post_preflight(request: Request, deps: Deps) -> Answer:
    """{"campaign": campaign.yaml, "leads", "at", "until"} -> each lead's answer, and sums by hour, place and list.

    `at` is what "now" means, so that the batches of one file agree (default and latest: this instant), `until` the end
    of the hours looked at (default a day later, at most 14). An unlawful message is refused before anything else.
    """
    try:
        body = json.loads(request.message)
        if found := campaign_faults(body["campaign"]):
            return problem(422, "UNLAWFUL_MESSAGE", "; ".join(map(str, found)))
        asked = _asked(body, request.now)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        detail = (
            "want campaign (campaign.yaml as JSON), leads (rows of a dry run), at (an aware time, not later than now) "
            f"and until (after it, within 14 days); {type(error).__name__}"
        )
        return problem(422, "BAD_PREFLIGHT", detail)
    parties = [_party(candidate, deps) for candidate in asked.candidates]
    async with deps.store.transaction() as tx:
        found_of_all = await known_of_all(tx, parties, request.now, deps)
    forecaster = Forecaster(asked.marks, asked.caller_ids, deps.pack)
    outlooks: list[Outlook] = []
    for candidate, known in zip(asked.candidates, found_of_all, strict=True):
        outlooks.append(forecaster.outlook(_facts(candidate, known, asked.call)))
        if len(outlooks) % LEADS_BETWEEN_BREATHS == 0:
            await deps.pause(0)
    return Answer(reply=HttpReply(body=_body(asked, outlooks, deps)))


def _asked(body: Mapping[str, Any], now: datetime) -> Asked:
    at = time_of(body["at"]).astimezone(UTC) if body.get("at") is not None else now
    until = time_of(body["until"]).astimezone(UTC) if body.get("until") is not None else at + DAY
    if at > now + SKEW or not at < until <= at + LONGEST_LOOK:
        raise ValueError("at or until out of bounds")
    return Asked(
        call=call_of(body["campaign"]),
        caller_ids=texts(body["campaign"].get("caller_ids") or ()),
        candidates=[candidate_of(row) for row in body["leads"]],
        marks=marks_of(at, until),
    )


def _party(candidate: Candidate, deps: Deps) -> Party:
    lead = candidate.lead
    phone = normalise(lead.phone, lead.default_region, deps.pack.geography) or lead.phone
    return party_of(candidate.person_id, phone, deps, candidate.consents)


def _facts(candidate: Candidate, known: Known, call: Call) -> Facts:
    named = {relation.seller_id for relation in candidate.relations}
    return Facts(
        call=replace(call, debt_id=candidate.debt_id),
        lead=replace(candidate.lead, rnd_disconnected_at=disconnected_at(known.reassigned)),
        consents=known.consents,
        suppressions=known.suppressions,
        attempts=known.attempts,
        lists=known.lists,
        relations=candidate.relations + tuple(r for r in known.relations if r.seller_id not in named),
        suspensions=known.suspensions,
    )


def _body(asked: Asked, outlooks: Sequence[Outlook], deps: Deps) -> dict[str, Any]:
    blocked = Counter(reason.value for one in outlooks for reason in one.decision.reasons)
    callable_now = sum(one.decision.allowed for one in outlooks)
    needs = lists_needed(outlooks, deps.lists.in_force(), asked.marks[0], deps.pack)
    return {
        "at": asked.marks[0].isoformat(),
        "callable": callable_now,
        "blocked": dict(blocked),
        "blocked_total": len(outlooks) - callable_now,
        "hours": [_sums([one.hours[n] for one in outlooks], at=mark) for n, mark in enumerate(asked.marks)],
        "places": _places(outlooks),
        "zones": dict(Counter(zone for one in outlooks if one.decision.place for zone in one.decision.place.zones)),
        "lists": [
            {
                "list": need.list_id,
                "state": need.state,
                "leads": need.leads,
                "as_of": need.as_of.isoformat() if need.as_of is not None else None,
                "max_age_days": need.max_age_days,
            }
            for need in needs
        ],
        "rule_pack": deps.pack.version,
        "tzdata": deps.pack.tzdata,
        "not_legal_advice": NOT_ADVICE,
        "results": [_result(candidate, one) for candidate, one in zip(asked.candidates, outlooks, strict=True)],
    }


def _sums(answers: Sequence[Any], **more: datetime) -> dict[str, Any]:
    """How many may be called, and the others once each, under their hardest reason."""
    blocked = Counter(reason.value for reason in answers if reason is not None)
    named = {name: at.isoformat() for name, at in more.items()}
    return {**named, "callable": len(answers) - blocked.total(), "blocked": dict(blocked)}


def _places(outlooks: Sequence[Outlook]) -> dict[str, dict[str, Any]]:
    """By the region of the number or address, else the country; sums now."""
    found = defaultdict[str, list[Any]](list)
    for one in outlooks:
        place = one.decision.place
        name = (place.region or "+".join(sorted(place.countries))) if place is not None else ""
        found[name or "unknown"].append(hardest(one.decision.reasons))
    return {name: {"leads": len(answers), **_sums(answers)} for name, answers in sorted(found.items())}


def _result(candidate: Candidate, outlook: Outlook) -> dict[str, Any]:
    decision = outlook.decision
    at = decision.next_allowed_at
    return {
        "lead_id": candidate.lead_id,
        "reasons": [reason.value for reason in decision.reasons],
        "rule_ids": list(decision.rule_ids),
        "next_allowed_at": at.isoformat() if at is not None else None,
    }
