"""call.disposition -> what the attempt counts for in the drop rate; a tick -> abandon.budget where that changed."""

from __future__ import annotations

from datetime import UTC, timedelta

from compliance_gate.domain.drop_budget import DropBook, Terms, budget, news
from compliance_gate.domain.drop_counts import DropFact, Slot, tally_of
from compliance_gate.domain.drop_limits import LegalCampaign
from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.handlers.closing import cleared_answer
from compliance_gate.ports import Deps, Transaction
from outdial_contracts.events import AbandonBudget, CallDisposition
from outdial_runtime.outcome import NOTHING, Emit, Outcome
from outdial_runtime.service import TickInput

LEAST_BETWEEN = timedelta(seconds=0.9)
"""Two replicas tick: each legal campaign is said about once a second at most."""


async def count(tx: Transaction, event: CallDisposition) -> None:
    """Counts an attempt of ours by a revision of its disposition, on the day on which it was redeemed."""
    fact, clearance = await tx.attempt_fact(event.attempt_id), await tx.clearance(event.attempt_id)
    if fact is None or clearance is None:
        return
    slot = Slot(
        campaign=LegalCampaign(seller_id=clearance.offer.seller_id, topic_id=clearance.offer.topic_id),
        jurisdiction=cleared_answer(clearance).country,
        day=fact.at.astimezone(UTC).date(),
        team_id=event.team_id,
    )
    await tx.count_drop(
        DropFact(attempt_id=event.attempt_id, revision=event.revision, slot=slot, tally=tally_of(event))
    )


async def publish_budgets(tick: TickInput, deps: Deps) -> Outcome:
    """Says every budget that is another than was said; a limit that changed is written down in the ledger."""
    campaigns = deps.live.legal_campaigns()
    if not campaigns:
        return NOTHING
    since = tick.now.date() - timedelta(days=deps.drop_limits.longest_days)
    async with deps.store.transaction() as tx:
        if not await tx.publishing():
            return NOTHING
        books = await tx.drop_books([terms.campaign for terms in campaigns], since)
        entries = []
        for terms in campaigns:
            book = books[terms.campaign]
            new = budget(terms, deps.drop_limits, book, tick.now)
            if not _due(book, new):
                continue
            await tx.keep_budget(new)
            await tx.announce([Emit(event=new, cause=f"budget:{new.legal_campaign}:{new.revision}:{new.at}")])
            entries += _limit_changed(terms, book, new, deps)
        if entries:
            await tx.append(Chain.DECISIONS, entries)
    return NOTHING


def _due(book: DropBook, new: AbandonBudget) -> bool:
    return news(book, new) and (book.said is None or new.at - book.said.at >= LEAST_BETWEEN or new.at < book.said.at)


def _limit_changed(terms: Terms, book: DropBook, new: AbandonBudget, deps: Deps) -> list[Entry]:
    """Nobody overrides a limit silently."""
    was = book.said.limit if book.said else None
    if was == new.limit:
        return []
    body = {
        "legal_campaign": new.legal_campaign,
        "limit": str(new.limit),
        "was": None if was is None else str(was),
        "asked": str(terms.limit),
        "law": deps.drop_limits.version,
        "at": new.at.isoformat(),
    }
    return [Entry(kind=RecordKind.DROP_LIMIT, body=body)]
