"""POST /v1/imports: a leads.csv, all rows in one transaction -> lead.state. Every row is a lead or a counted error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lead_router.domain.admission import Taken, admit, tokens_asked
from lead_router.domain.csvfile import BadHeader, Row, read_rows
from lead_router.domain.leads import Lead
from lead_router.domain.rows import Origin, Rejected, Rejection, submission
from lead_router.handlers.changes import store_admitted
from lead_router.handlers.problems import problem
from lead_router.ports import Deps, Work
from outdial_contracts.events import Consent, LeadSubmitted, Relation
from outdial_runtime.service import Answer, HttpReply, Request

ROWS_AT_ONCE = 500


@dataclass(kw_only=True)
class Import:
    """The account of one file."""

    rows: int = 0
    leads: list[tuple[int, Lead]] = field(default_factory=list)
    errors: list[tuple[int, Rejection]] = field(default_factory=list)

    def body(self, dry_run: bool) -> dict[str, Any]:
        """The reply: rows = leads + the sum of rejected."""
        reply: dict[str, Any] = {
            "rows": self.rows,
            "leads": len(self.leads),
            "rejected": dict(Counter(rejection.reason.value for _, rejection in self.errors)),
            "errors": [
                {"row": row, "reason": r.reason.value, "field": r.field, "shape": r.shape} for row, r in self.errors
            ],
        }
        return {**reply, "valid": [_valid(row, lead) for row, lead in self.leads]} if dry_run else reply


async def post_import(request: Request, deps: Deps) -> Answer:
    """Admits the rows of a leads.csv for `campaign_id`, submitted by `source`; with dry_run=true stores nothing."""
    source = request.query.get("source", "")
    if not source:
        return problem(400, "Source needed", "query source: want the submitter's name")
    dry_run = request.query.get("dry_run") == "true"
    async with deps.store.work() as work:
        campaign = await work.campaign(request.query.get("campaign_id", ""))
        if campaign is None:
            return problem(404, "Campaign unknown", "query campaign_id: no such campaign is published")
        origin = Origin(
            source=source,
            campaign_id=campaign.campaign_id,
            seller_id=campaign.document.seller_id,
            zones=deps.zones,
            now=request.now,
        )
        try:
            rows = read_rows(request.message)
        except BadHeader as error:
            return problem(422, "Not a leads.csv", str(error), field="header")
        account = await _take_in(work, rows, origin, deps)
        if not dry_run:
            await store_admitted(work, [lead for _, lead in account.leads])
    return Answer(reply=HttpReply(status=200, body=account.body(dry_run)))


async def _take_in(work: Work, rows: Iterator[Row], origin: Origin, deps: Deps) -> Import:
    await work.lock_admission(origin.campaign_id)
    account, taken = Import(), Taken()
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        account.rows += len(batch)
        submitted = list(_submissions(batch, origin, account))
        held = await work.taken(
            origin.campaign_id, [s.lead_id for _, s in submitted], tokens_asked((s for _, s in submitted), deps.keys)
        )
        taken.lead_ids.update(held.lead_ids)
        taken.tokens.update(held.tokens)
        for number, lead in submitted:
            try:
                account.leads.append((number, admit(lead, deps.keys, taken, origin.now)))
            except Rejected as rejected:
                account.errors.append((number, rejected.rejection))
    account.errors.sort(key=lambda error: error[0])
    return account


def _submissions(rows: Iterable[Row], origin: Origin, account: Import) -> Iterator[tuple[int, LeadSubmitted]]:
    for row in rows:
        if isinstance(row.content, Rejection):
            account.errors.append((row.number, row.content))
            continue
        try:
            yield row.number, submission(row.content, origin)
        except Rejected as rejected:
            account.errors.append((row.number, rejected.rejection))


def _valid(row: int, lead: Lead) -> dict[str, Any]:
    """A row as the gate's preflight wants it."""
    return {
        "lead_id": lead.lead_id,
        "row": row,
        "person_id": lead.person_id,
        "phone": lead.phone.number,
        "line_type": lead.phone.line_type.value,
        "consumer": lead.consumer,
        "address": lead.address.to_record(),
        "consents": [_record(consent) for consent in lead.consents],
        "relations": [_record(relation) for relation in lead.relations],
        "debt_id": lead.debt_id,
        "segment": lead.segment.value,
        "score": lead.score,
    }


def _record(told: Consent | Relation) -> dict[str, Any]:
    record = told.to_record()
    return {name: v.isoformat() if hasattr(v, "isoformat") else v for name, v in record.items()}
