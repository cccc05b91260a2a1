"""The desk that handler tests work at, on the fake store and on real PostgreSQL alike: the suite proves the fake."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import pytest

from lead_router.adapters.postgres import PostgresStore
from lead_router.app import MIGRATIONS
from lead_router.domain.admission import Taken, tokens_of
from lead_router.domain.leads import Campaign, Lead, Offer
from lead_router.domain.lifecycle import DUE, OfferState, is_final
from lead_router.domain.supply import Backlog, Demand
from lead_router.handlers.controls import on_campaign_published
from lead_router.handlers.imports import post_import
from lead_router.handlers.supplying import on_pacing_demand
from lead_router.handlers.ticks import on_schedule
from lead_router.ports import CampaignCounts, Deps, StoredReply, Work
from outdial_contracts import events as ev
from outdial_contracts.base import Event
from outdial_contracts.identity import TokenKeys
from outdial_runtime.migrations import migrate
from outdial_runtime.outcome import Emit, Outcome
from outdial_runtime.service import HttpReply, Received, Request, TickInput

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
Kind = TypeVar("Kind", bound=Event)


@dataclass
class Memory:
    """All tables of the fake."""

    documents: dict[str, dict[int, ev.CampaignPublished]] = field(default_factory=dict)
    states: dict[str, ev.CampaignPublished] = field(default_factory=dict)
    stops: dict[str, bool] = field(default_factory=dict)
    leads: dict[str, Lead] = field(default_factory=dict)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    persons: dict[str, str | None] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    demands: dict[str, Demand] = field(default_factory=dict)
    keys: dict[str, StoredReply] = field(default_factory=dict)
    sent: list[Emit] = field(default_factory=list)


class MemoryStore:
    """The fake store; a block that raises leaves it as it was."""

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
            self._t.states[event.campaign_id] = event
        else:
            self._t.documents.setdefault(event.campaign_id, {})[event.version] = event

    async def stops(self) -> frozenset[str]:
        return frozenset(scope for scope, stopped in self._t.stops.items() if stopped)

    async def save_stop(self, event: ev.StopChanged) -> None:
        self._t.stops[event.scope] = event.stopped

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


class TableRecorder:
    """A table outbox that is never relayed: what it holds is what was committed."""

    def __init__(self) -> None:
        self._events: dict[str, Emit] = {}

    async def write(self, connection: Any, events: Sequence[Emit]) -> None:
        for event in events:
            ref = uuid.uuid4().hex
            self._events[ref] = event
            await connection.execute("INSERT INTO recorded (ref) VALUES ($1)", ref)

    async def committed(self, pool: Any) -> list[Emit]:
        return [self._events[row["ref"]] for row in await pool.fetch("SELECT ref FROM recorded ORDER BY n")]


class RecordedPostgres(PostgresStore):
    def __init__(self, pool: Any, recorder: TableRecorder) -> None:
        super().__init__(pool, recorder)
        self._recorder = recorder

    async def sent(self) -> list[Emit]:
        return await self._recorder.committed(self._pool)


@asynccontextmanager
async def fresh_postgres(dsn: str) -> AsyncIterator[RecordedPostgres]:
    schema = f"lead_router_{uuid.uuid4().hex}"
    settings = {"search_path": schema}
    async with asyncpg.create_pool(dsn, min_size=1, max_size=6, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await pool.execute("CREATE TABLE recorded (n bigserial PRIMARY KEY, ref text NOT NULL)")
        await migrate(pool, MIGRATIONS)
        yield RecordedPostgres(pool, TableRecorder())
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


def campaign_document(**changes: Any) -> ev.CampaignDocument:
    document = ev.CampaignDocument(
        owner="ops@example.test",
        seller_id="S1",
        seller_name="Example Ltd",
        seller_callback="+12125550100",
        purpose=ev.Purpose.MARKETING,
        topic_id="T1",
        mode=ev.DialMode.PREDICTIVE,
        kpi="connect_rate",
        rollback_trigger="drop_rate > 0.03",
        abandon_limit=0.03,
        max_lines_per_agent=4.0,
        small_team_below=5,
        ring_timeout_seconds=18,
        clearance_ttl_seconds=60,
        retry_max_per_person=3,
        retry_window_hours=24,
        route_id="demo-carrier",
        safe_harbour="prompts/safe_harbour.wav",
        retry_after_seconds={"busy": 900, "no_answer": 3600, "congestion": 120, "voicemail": 14400},
    )
    return replace(document, **changes)


class Desk:
    """What a handler test does: publish, import, ask, answer, and look at what was sent."""

    def __init__(self, store: MemoryStore | RecordedPostgres) -> None:
        self.store = store
        self.keys = TokenKeys({1: b"k" * 16})
        zones = frozenset({"America/New_York", "America/Chicago"})
        self.deps = Deps(store=store, keys=self.keys, zones=zones)
        self.now = NOW

    def received(self, event: Kind, cause: str | None = None) -> Received[Kind]:
        return Received(
            event=event,
            cause=cause or uuid.uuid4().hex,
            time=self.now,
            now=self.now,
            topic=event.TOPIC,
            partition=0,
            offset=0,
            raw=b"",
        )

    def request(self, message: Any = b"", **more: Any) -> Request:
        return Request(message=message, now=self.now, cause="test", **more)

    async def publish(self, campaign_id: str = "c1", state: str = "RUNNING", **changes: Any) -> None:
        version = ev.CampaignPublished(
            campaign_id=campaign_id,
            slot="1",
            version=1,
            team_id="blue",
            state=ev.CampaignState.UNKNOWN,
            document=campaign_document(**changes),
            published_at=self.now,
            published_by="test",
        )
        await on_campaign_published(self.received(version), self.deps)
        running = replace(version, slot="state", document=None, state=ev.CampaignState(state))
        await on_campaign_published(self.received(running), self.deps)

    async def add(self, rows: str, campaign_id: str = "c1", source: str = "crm") -> dict[str, Any]:
        """Imports rows under the header lead_id,person_id,phone,phone_2,score,segment,expires_at."""
        body = "lead_id,person_id,phone,phone_2,score,segment,expires_at\n" + rows
        return await self.upload(body.encode(), campaign_id=campaign_id, source=source)

    async def upload(self, body: bytes, **query: str) -> dict[str, Any]:
        answer = await post_import(self.request(body, query=query), self.deps)
        assert isinstance(answer.reply, HttpReply)
        assert answer.reply.status == 200, answer.reply.body
        reply: dict[str, Any] = answer.reply.body
        return reply

    async def add_many(self, count: int, campaign_id: str = "c1") -> None:
        """Leads L0.. with falling scores."""
        rows = [f"L{n},P{n},+1212555{100 + n:04d},,{0.9 - n / 100},cold," for n in range(count)]
        await self.add("\n".join(rows), campaign_id)

    async def demand(self, wanted: int, epoch: int = 1, campaign_id: str = "c1") -> Outcome:
        event = ev.PacingDemand(
            campaign_id=campaign_id,
            campaign_version=1,
            team_id="blue",
            epoch=epoch,
            wanted_total=wanted,
            asked_at=self.now,
        )
        return await on_pacing_demand(self.received(event), self.deps)

    async def tick(self, seconds: float = 0.0) -> None:
        self.now += timedelta(seconds=seconds)
        await on_schedule(TickInput(now=self.now, partition=None), self.deps)

    async def sent(self, kind: type[Kind]) -> list[Kind]:
        return [emit.event for emit in await self.store.sent() if isinstance(emit.event, kind)]

    async def offered(self) -> list[str]:
        """The CRM's person of each lead.ready, in order."""
        return [ready.person_id for ready in await self.sent(ev.LeadReady)]

    async def lead(self, lead_id: str) -> Lead:
        async with self.store.work() as work:
            typed: Work = work
            lead = await typed.lead(lead_id)
        assert lead is not None
        return lead


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    if request.param == "memory":
        yield Desk(MemoryStore())
        return
    async with fresh_postgres(request.getfixturevalue("postgres_dsn")) as store:
        yield Desk(store)


@pytest.fixture
async def postgres_desk(postgres_dsn: str) -> AsyncIterator[Desk]:
    async with fresh_postgres(postgres_dsn) as store:
        yield Desk(store)
