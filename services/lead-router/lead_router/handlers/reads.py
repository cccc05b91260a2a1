"""Questions: GET /v1/leads/{lead_id}, GET /v1/campaigns/{campaign_id}/leads, rpc Leads.Get (screen pop)."""

from __future__ import annotations

from lead_router.domain.lifecycle import is_final
from lead_router.handlers.problems import problem
from lead_router.ports import Deps
from outdial_contracts.rpc.outdial_pb2 import GetLeadReply
from outdial_runtime.service import Answer, HttpReply, Request


async def get_lead(request: Request, deps: Deps) -> Answer:
    """How a lead stands; without its numbers."""
    async with deps.store.work() as work:
        lead = await work.lead(request.path["lead_id"])
    if lead is None:
        return problem(404, "Lead unknown", "lead_id: no such lead")
    body = {
        "lead_id": lead.lead_id,
        "source": lead.source,
        "external_id": lead.external_id,
        "external_ref": lead.external_ref,
        "campaign_id": lead.campaign_id,
        "segment": lead.segment.value,
        "score": lead.score,
        "status": lead.status.value,
        "is_final": is_final(lead.status),
        "offers": lead.offers,
        "attempts": lead.attempts,
        "current_attempt_id": lead.current_attempt_id,
        "last_code": lead.last_code.value if lead.last_code else None,
        "block_reasons": [reason.value for reason in lead.block_reasons],
        "due_at": lead.due_at.isoformat(),
        "expires_at": lead.expires_at.isoformat() if lead.expires_at else None,
        "revision": lead.revision,
    }
    return Answer(reply=HttpReply(body=body))


async def get_campaign_leads(request: Request, deps: Deps) -> Answer:
    """Counts of a campaign's leads by status, and how many were never offered."""
    campaign_id = request.path["campaign_id"]
    async with deps.store.work() as work:
        counts = await work.counts(campaign_id)
    body = {
        "campaign_id": campaign_id,
        "leads": sum(counts.by_status.values()),
        "by_status": {status.value: n for status, n in counts.by_status.items()},
        "never_offered": counts.never_offered,
    }
    return Answer(reply=HttpReply(body=body))


async def rpc_get_lead(request: Request, deps: Deps) -> Answer:
    """Leads.Get: what the agent sees. Shown, never stored; an unknown lead answers with an empty lead_id."""
    async with deps.store.work() as work:
        lead = await work.lead(request.message.lead_id)
    if lead is None:
        return Answer(reply=GetLeadReply())
    return Answer(
        reply=GetLeadReply(
            lead_id=lead.lead_id,
            first_name=lead.first_name or "",
            external_ref=lead.external_ref or "",
            segment=lead.segment.value,
            attempts=lead.attempts,
            attributes=dict(lead.attributes),
            number=lead.phone.number,
        )
    )
