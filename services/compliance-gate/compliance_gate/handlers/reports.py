"""GET /v1/reports/compliance?seller=S&month=YYYY-MM: the month's report of a seller."""

from __future__ import annotations

from datetime import timedelta

from compliance_gate.domain.drop_report import Month, Sources, compliance_report
from compliance_gate.handlers.http import problem
from compliance_gate.ports import Deps
from outdial_runtime.service import Answer, HttpReply, Request


async def get_compliance_report(request: Request, deps: Deps) -> Answer:
    """What the ledger and the store say of the month, read in one transaction."""
    seller_id = request.query.get("seller", "")
    if not seller_id:
        return problem(422, "MISSING_FIELD", "seller: want a seller id")
    try:
        month = Month.read(request.query.get("month", ""))
    except ValueError as error:
        return problem(422, "BAD_MONTH", str(error))
    longest, (starts, ends) = timedelta(days=deps.drop_limits.longest_days), month.span
    async with deps.store.transaction() as tx:
        sources = Sources(
            days=await tx.drop_days(seller_id, month.first - longest, month.after + longest),
            firsts=await tx.first_days(seller_id),
            terms=[terms for terms in deps.live.legal_campaigns() if terms.campaign.seller_id == seller_id],
            requests=await tx.requests(seller_id, starts, ends),
            rare=await tx.rare_records(),
            signed=await tx.checkpointed(starts, ends),
        )
    body = compliance_report(seller_id, month, deps.drop_limits, sources, request.now)
    return Answer(reply=HttpReply(body=body))
