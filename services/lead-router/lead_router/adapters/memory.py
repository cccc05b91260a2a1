"""The store in memory, held to the same tests as PostgreSQL: for unit tests and the deterministic world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from lead_router.domain.admission import Taken, tokens_of
from lead_router.domain.floors import Floor
from lead_router.domain.leads import Campaign, Lead, Offer
from lead_router.domain.lifecycle import DUE, OfferState, is_final
from lead_router.domain.supply import Backlog, Demand
from lead_router.ports import CampaignCounts, StoredReply
from outdial_contracts import events as ev
from outdial_runtime.broker import TopicPartition
from outdial_runtime.outcome import Emit


@dataclass
class Memory:
    """All tables of the fake."""

    documents: dict[str, dict[int, ev.CampaignPublished]] = field(default_factory=dict)
    states: dict[str, ev.CampaignPublished] = field(default_factory=dict)
    stops: dict[str, ev.StopChanged] = field(default_factory=dict)
    leads: dict[str, Lead] = field(default_factory=dict)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    persons: dict[str, str | None] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    demands: dict[str, Demand] = field(default_factory=dict)
    keys: dict[str, StoredReply] = field(default_factory=dict)
    sent: list[Emit] = field(default_factory=list)
    marks: dict[TopicPartition, int] = field(default_factory=dict)
    floors: dict[str, Floor] = field(default_factory=dict)


class MemoryStore:
    """ports.Store in memory: one transaction at a time; a block that raises leaves it as it was."""

    def __init__(self) -> None:
        self.tables = Memory()

    @asynccontextmanager
    async def work(self) -> AsyncIterator[MemoryWork]:
        tables = deepcopy(self.tables)
        yield MemoryWork(tables)
        self.tables = tables

    async def sent(self) -> list[Emit]:
        return list(self.tables.sent)


class MemoryWork:
    def __init__(self, tables: Memory) -> None:
        self._t = tables

    async def emit(self, events: Sequence[Emit]) -> None:
        self._t.sent.extend(events)

    async def campaign(self, campaign_id: str) -> Campaign | None:
        versions, state = self._t.documents.get(campaign_id, {}), self._t.states.get(campaign_id)
        found = versions.get(state.version if state else max(versions, default=0))
        if found is None or found.document is None:
            return None
        return Campaign(
            campaign_id=campaign_id,
            team_id=found.team_id,
            version=found.version,
            state=state.state if state else ev.CampaignState.UNKNOWN,
            document=found.document,
        )

    async def save_campaign(self, event: ev.CampaignPublished) -> None:
        if event.document is None:
            known = self._t.states.get(event.campaign_id)
            if known is None or known.published_at <= event.published_at:
                self._t.states[event.campaign_id] = event
        else:
            self._t.documents.setdefault(event.campaign_id, {})[event.version] = event

    async def stops(self) -> frozenset[str]:
        return frozenset(scope for scope, said in self._t.stops.items() if said.stopped)

    async def save_stop(self, event: ev.StopChanged) -> None:
        known = self._t.stops.get(event.scope)
        if known is None or known.changed_at <= event.changed_at:
            self._t.stops[event.scope] = event

    async def lock_admission(self, campaign_id: str) -> None:
        """The fake has one transaction at a time."""

    async def taken(self, campaign_id: str, lead_ids: Collection[str], tokens: Collection[str]) -> Taken:
        held = {token for token in tokens if (campaign_id, token) in self._t.tokens}
        return Taken(lead_ids={i for i in lead_ids if i in self._t.leads}, tokens=held)

    async def insert_leads(self, leads: Sequence[Lead]) -> None:
        for lead in leads:
            self._t.persons.setdefault(lead.person_id, None)
            self._t.leads[lead.lead_id] = lead
            self._t.tokens.update({(lead.campaign_id, token): lead.lead_id for token in tokens_of(lead)})

    async def lead(self, lead_id: str) -> Lead | None:
        return self._t.leads.get(lead_id)

    async def leads_with_tokens(self, tokens: Collection[str], seller_id: str) -> list[Lead]:
        ids = sorted({lead_id for (_, token), lead_id in self._t.tokens.items() if token in tokens})
        return [self._t.leads[i] for i in ids if seller_id in ("*", self._seller(self._t.leads[i].campaign_id))]

    def _seller(self, campaign_id: str) -> str | None:
        documents = [e.document for e in self._t.documents.get(campaign_id, {}).values()]
        return documents[0].seller_id if documents and documents[0] else None

    async def expired_leads(self, now: datetime, limit: int) -> list[Lead]:
        return [e for e in self._t.leads.values() if e.status in DUE and e.expires_at and e.expires_at <= now][:limit]

    async def due_leads(self, campaign_id: str, now: datetime, limit: int) -> list[Lead]:
        due = [
            lead
            for lead in self._t.leads.values()
            if lead.campaign_id == campaign_id and lead.status in DUE and lead.due_at <= now
            if self._t.persons[lead.person_id] is None
        ]
        callback = ev.DispositionCode.CALLBACK
        return sorted(due, key=lambda e: (e.last_code != callback, -e.priority, e.due_at, e.lead_id))[:limit]

    async def save_lead(self, lead: Lead) -> None:
        self._t.leads[lead.lead_id] = lead

    async def release_tokens(self, lead_id: str) -> None:
        self._t.tokens = {key: held for key, held in self._t.tokens.items() if held != lead_id}

    async def backlog(self, campaign_id: str, now: datetime) -> Backlog:
        leads = [lead for lead in self._t.leads.values() if lead.campaign_id == campaign_id]
        waiting = [lead.due_at for lead in leads if lead.status in DUE and lead.due_at > now]
        any_open = any(not is_final(lead.status) for lead in leads)
        return Backlog(any_open=any_open, next_due_at=min(waiting, default=None))

    async def counts(self, campaign_id: str) -> CampaignCounts:
        leads = [lead for lead in self._t.leads.values() if lead.campaign_id == campaign_id]
        by_status = {s: sum(lead.status is s for lead in leads) for s in sorted({lead.status for lead in leads})}
        return CampaignCounts(by_status=by_status, never_offered=sum(lead.offers == 0 for lead in leads))

    async def offer(self, attempt_id: str) -> Offer | None:
        return self._t.offers.get(attempt_id)

    async def save_offer(self, offer: Offer) -> None:
        self._t.offers[offer.attempt_id] = offer

    async def unanswered_offers(self, now: datetime, limit: int) -> list[Offer]:
        offers = self._t.offers.values()
        return [o for o in offers if o.state is OfferState.OPEN and o.answer_due_at <= now][:limit]

    async def hold_person(self, person_id: str, attempt_id: str) -> None:
        self._t.persons[person_id] = attempt_id

    async def free_person(self, person_id: str, attempt_id: str) -> None:
        if self._t.persons[person_id] == attempt_id:
            self._t.persons[person_id] = None

    async def charged_at(self, person_id: str, window: timedelta, now: datetime) -> list[datetime]:
        mine = [o for o in self._t.offers.values() if o.person_id == person_id and o.charged]
        return sorted(o.redeemed_at for o in mine if o.redeemed_at and o.redeemed_at > now - window)

    async def demand(self, campaign_id: str) -> Demand | None:
        return self._t.demands.get(campaign_id)

    async def save_demand(self, demand: Demand) -> None:
        self._t.demands[demand.campaign_id] = demand

    async def short_campaigns(self) -> list[str]:
        return sorted(i for i, demand in self._t.demands.items() if demand.shortfall)

    async def claim_key(self, key: str, body_sha256: str, now: datetime) -> StoredReply | None:
        if key not in self._t.keys:
            self._t.keys[key] = StoredReply(body_sha256=body_sha256, status=0, reply={})
            return None
        return self._t.keys[key]

    async def save_reply(self, key: str, status: int, reply: Mapping[str, Any]) -> None:
        self._t.keys[key] = replace(self._t.keys[key], status=status, reply=reply)

    async def forget_keys(self, before: datetime) -> None:
        self._t.keys.clear()

    async def marks(self) -> Mapping[TopicPartition, int]:
        return dict(self._t.marks)

    async def save_marks(self, marks: Mapping[TopicPartition, int]) -> None:
        for source, offset in marks.items():
            self._t.marks[source] = max(offset, self._t.marks.get(source, 0))

    async def floor(self, lead_id: str) -> Floor | None:
        return self._t.floors.get(lead_id)

    async def floors(self, lead_ids: list[str]) -> Mapping[str, Floor]:
        return {i: self._t.floors[i] for i in lead_ids if i in self._t.floors}

    async def save_floor(self, floor: Floor) -> None:
        self._t.floors[floor.lead_id] = floor

    async def hold_again(self) -> None:
        flying = [o for o in self._t.offers.values() if o.state in (OfferState.OPEN, OfferState.REDEEMED)]
        for offer in sorted(flying, key=lambda o: (o.state is OfferState.REDEEMED, o.offered_at)):
            self._t.persons[offer.person_id] = offer.attempt_id
