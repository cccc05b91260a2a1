"""call.disposition -> a fact and its windows; compliance.blocked, clearance.closed -> how other offers ended."""

from __future__ import annotations

from datetime import datetime

import msgspec

from analytics.domain.facts import ZoneUnknown, connect_rate_by_local_hour, fact_of
from analytics.domain.totals import totals_since
from analytics.domain.windows import of_disposition
from analytics.handlers.problems import missing
from analytics.handlers.windows import count
from analytics.ports import Deps
from outdial_contracts.events import CallDisposition, ClearanceClosed, CloseOutcome, ComplianceBlocked
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, Outcome
from outdial_runtime.service import Answer, HttpReply, Received, Request


async def on_call_disposition(message: Received[CallDisposition], deps: Deps) -> Outcome:
    """The newest revision wins, in any order of arrival."""
    try:
        fact, contribution = fact_of(message.event), of_disposition(message.event)
    except ZoneUnknown as error:
        return DeadLetter("ZONE_UNKNOWN", str(error))
    kept = await deps.facts.put(fact)
    counted = await count(contribution, message.now, deps)
    return NOTHING if kept and counted == Drop("OLDER_REVISION") else counted


async def on_compliance_blocked(message: Received[ComplianceBlocked], deps: Deps) -> Outcome:
    """The gate blocked an offer."""
    event = message.event
    reasons = [reason.value for reason in event.reasons]
    await deps.facts.put_offer_end(event.attempt_id, event.campaign_id, "BLOCKED", reasons, event.blocked_at)
    return NOTHING


async def on_clearance_closed(message: Received[ClearanceClosed], deps: Deps) -> Outcome:
    """A cleared offer was refused or lapsed; a redeemed one gets its row from its disposition."""
    event = message.event
    if event.outcome is CloseOutcome.REDEEMED:
        return Drop("AN_ATTEMPT")
    reasons = [event.reason.value, *(reason.value for reason in event.block_reasons)]
    await deps.facts.put_offer_end(event.attempt_id, event.campaign_id, event.outcome.value, reasons, event.closed_at)
    return NOTHING


async def on_get_facts(request: Request, deps: Deps) -> Answer:
    """GET /v1/facts?campaign_id=: all rows, JSON."""
    campaign_id = request.query.get("campaign_id", "")
    if not campaign_id:
        return missing("campaign_id")
    rows = await deps.facts.of_campaign(campaign_id)
    body = {"rows": msgspec.to_builtins(rows), "offer_ends": await deps.facts.offer_ends(campaign_id)}
    return Answer(reply=HttpReply(body=body))


async def on_get_connect_rate(request: Request, deps: Deps) -> Answer:
    """GET /v1/connect-rate?campaign_id=: by the callee's local hour, numerators and denominators."""
    campaign_id = request.query.get("campaign_id", "")
    if not campaign_id:
        return missing("campaign_id")
    rows = await deps.facts.of_campaign(campaign_id)
    return Answer(reply=HttpReply(body={"campaign_id": campaign_id, "hours": connect_rate_by_local_hour(rows)}))


async def on_get_totals(request: Request, deps: Deps) -> Answer:
    """GET /v1/totals?campaign_id=&since=: counts of the charged attempts from that moment on."""
    campaign_id = request.query.get("campaign_id", "")
    try:
        since = datetime.fromisoformat(request.query.get("since", ""))
    except ValueError:
        return missing("since (RFC 3339)")
    if not campaign_id or since.tzinfo is None:
        return missing("since with a zone" if campaign_id else "campaign_id")
    totals = totals_since(await deps.facts.of_campaign(campaign_id), since)
    return Answer(reply=HttpReply(body={"campaign_id": campaign_id, "since": since.isoformat(), **totals}))
