"""lead.submitted -> lead.state; POST /v1/leads, DELETE /v1/leads/{lead_id} -> lead.state, offer.returned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lead_router.domain.admission import admit, tokens_asked
from lead_router.domain.leads import Campaign, Lead
from lead_router.domain.lifecycle import LeadEvent
from lead_router.domain.rows import Origin, Reason, Rejected, Rejection, submission
from lead_router.handlers.changes import end, store_admitted
from lead_router.handlers.problems import PROBLEM, document, problem
from lead_router.ports import Deps, Work
from outdial_contracts.events import LeadAction, LeadSubmitted
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, Outcome
from outdial_runtime.service import Answer, HttpReply, Received, Request

LONGEST_KEY = 256
DUPLICATES = frozenset({Reason.DUPLICATE_LEAD_ID, Reason.DUPLICATE_PERSON, Reason.DUPLICATE_NUMBER})


async def on_lead_submitted(message: Received[LeadSubmitted], deps: Deps) -> Outcome:
    """Admits or cancels a lead; a duplicate is dropped by name, a lead that can't be called is a dead letter."""
    event = message.event
    async with deps.store.work() as work:
        if event.action is LeadAction.CANCEL:
            lead = await work.lead(event.lead_id)
            if lead is None:
                return Drop("LEAD_UNKNOWN")
            await end(work, lead, LeadEvent.CANCEL, message.now)
            return NOTHING
        if event.action is not LeadAction.SUBMIT:
            return DeadLetter("ACTION_UNKNOWN", "action: want SUBMIT or CANCEL")
        try:
            await _admit(work, event, deps, message.now)
        except Rejected as rejected:
            return _refused(rejected.rejection)
    return NOTHING


async def post_lead(request: Request, deps: Deps) -> Answer:
    """POST /v1/leads: one lead, its fields named as in leads.csv, plus campaign_id and source. 201, on a repeat 200."""
    key = request.headers.get("idempotency-key", "")
    if not 0 < len(key) <= LONGEST_KEY:
        return problem(400, "Idempotency-Key needed", f"header Idempotency-Key: want 1 to {LONGEST_KEY} characters")
    fields = _fields(request.message)
    if fields is None:
        return problem(400, "Not a lead", "body: want a JSON object of text, numbers and booleans")
    async with deps.store.work() as work:
        campaign = await work.campaign(fields.get("campaign_id", ""))
        if campaign is None:
            return problem(404, "Campaign unknown", "campaign_id: no such campaign is published")
        digest = hashlib.sha256(request.message).hexdigest()
        stored = await work.claim_key(key, digest, request.now)
        if stored is not None and stored.body_sha256 != digest:
            return problem(409, "Key used before", "header Idempotency-Key: was sent with another body")
        if stored is not None:
            return _answer(200 if stored.status == 201 else stored.status, stored.reply)
        status, reply = await _post(work, fields, campaign, deps, request.now)
        await work.save_reply(key, status, reply)
        return _answer(status, reply)


async def delete_lead(request: Request, deps: Deps) -> Answer:
    """DELETE /v1/leads/{lead_id}: cancels it; a repeat, or a lead that had ended, is answered with how it stands."""
    async with deps.store.work() as work:
        lead = await work.lead(request.path["lead_id"])
        if lead is None:
            return problem(404, "Lead unknown", "lead_id: no such lead")
        ended = await end(work, lead, LeadEvent.CANCEL, request.now)
    return _answer(200, {"lead_id": ended.lead_id, "status": ended.status.value})


def rejection_text(rejection: Rejection) -> str:
    """For a person: field, reason, shape."""
    return f"{rejection.field}: {rejection.reason.value}, {rejection.shape}"


async def _post(
    work: Work, fields: Mapping[str, str], campaign: Campaign, deps: Deps, now: datetime
) -> tuple[int, Mapping[str, Any]]:
    row = {name: value for name, value in fields.items() if name not in ("campaign_id", "source")}
    origin = Origin(
        source=fields.get("source") or "http",
        campaign_id=campaign.campaign_id,
        seller_id=campaign.document.seller_id,
        zones=deps.zones,
        now=now,
    )
    try:
        lead = await _admit(work, submission(row, origin), deps, now)
    except Rejected as rejected:
        why = rejected.rejection
        more = {"reason": why.reason.value, "field": why.field, "shape": why.shape}
        return 422, document(422, "Lead not admitted", rejection_text(why), **more)
    return 201, {"lead_id": lead.lead_id, "external_id": lead.external_id, "status": lead.status.value}


async def _admit(work: Work, submitted: LeadSubmitted, deps: Deps, now: datetime) -> Lead:
    await work.lock_admission(submitted.campaign_id)
    taken = await work.taken(submitted.campaign_id, [submitted.lead_id], tokens_asked([submitted], deps.keys))
    lead = admit(submitted, deps.keys, taken, now)
    [stored] = await store_admitted(work, [lead])
    return stored


def _refused(rejection: Rejection) -> Outcome:
    if rejection.reason in DUPLICATES:
        return Drop(rejection.reason.value)
    return DeadLetter(rejection.reason.value, rejection_text(rejection))


def _fields(body: bytes) -> Mapping[str, str] | None:
    """The JSON object as texts, or None where it is none; null means absent."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    present = {name: v for name, v in value.items() if v is not None}
    if not all(isinstance(v, str | int | float) for v in present.values()):
        return None
    return {name: v if isinstance(v, str) else json.dumps(v) for name, v in present.items()}


def _answer(status: int, body: Mapping[str, Any]) -> Answer:
    content_type = PROBLEM if status >= 400 else "application/json"
    return Answer(reply=HttpReply(status=status, body=dict(body), content_type=content_type))
