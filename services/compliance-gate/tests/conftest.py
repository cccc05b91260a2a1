"""Ports for the gate's tests: the memory store and the real one under the same fixtures, and a settable clock."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from joserfc.jwk import OKPKey

from compliance_gate.adapters.memory import MemoryStore
from compliance_gate.adapters.postgres import PostgresStore
from compliance_gate.adapters.rule_pack import HOUSE, load_rule_pack, pin_time_zones, shipped
from compliance_gate.adapters.signing import Ed25519Signer
from compliance_gate.app import MIGRATIONS
from compliance_gate.domain.ledger import Chain, Frontier
from compliance_gate.domain.live import LiveBook
from compliance_gate.domain.rules import RulePack
from compliance_gate.handlers.offers import on_lead_ready
from compliance_gate.handlers.redeem import redeem
from compliance_gate.ports import Deps, Store
from outdial_contracts.events import (
    Address,
    CallMode,
    CampaignDocument,
    CampaignPublished,
    CampaignState,
    ClearanceClosed,
    Consent,
    ConsentLevel,
    Context,
    LeadReady,
    LineType,
    Purpose,
    Segment,
)
from outdial_contracts.identity import TokenKeys
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.migrations import migrate
from outdial_runtime.outcome import Emit, Publish
from outdial_runtime.service import Received, Request
from outdial_testing.campaigns import campaign_document

NOON = datetime(2026, 11, 17, 17, 0, tzinfo=UTC)
"""A Tuesday: 12:00 in New York, 09:00 in Los Angeles."""


@dataclass
class FakeClock:
    """A clock that stands until it is moved."""

    at: datetime = NOON
    shifted: bool = False

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class FakeOutbox:
    """Remembers in order what was emitted, flushed and waited."""

    steps: list[Any] = field(default_factory=list)

    def emit(self, *events: Emit) -> None:
        self.steps += [event.event for event in events]

    async def flush(self) -> None:
        self.steps.append("flush")

    async def pause(self, seconds: float) -> None:
        self.steps.append(seconds)


class RowOutbox:
    """Announcements as rows of the same transaction."""

    async def write(self, connection: Any, events: Sequence[Emit]) -> None:
        rows = [(e.cause, e.event.TOPIC, str(getattr(e.event, "outcome", ""))) for e in events]
        await connection.executemany("INSERT INTO announced (cause, topic, outcome) VALUES ($1, $2, $3)", rows)


@dataclass
class World:
    """The gate with its ports, and what a test wants to know of them."""

    deps: Deps
    clock: FakeClock
    outbox: FakeOutbox
    pool: asyncpg.Pool[Any] | None
    memory: MemoryStore | None
    rows: RowOutbox = field(default_factory=RowOutbox)

    async def closed(self, attempt_id: str) -> list[str]:
        """Outcomes of every clearance.closed announced for an attempt."""
        cause = f"closed:{attempt_id}"
        if self.pool is None:
            assert self.memory is not None
            announced = [e.event for e in self.memory.announced if e.cause == cause]
            return [event.outcome.value for event in announced if isinstance(event, ClearanceClosed)]
        rows = await self.pool.fetch("SELECT outcome FROM announced WHERE cause = $1", cause)
        return [row["outcome"] for row in rows]

    def publish(self, state: CampaignState = CampaignState.RUNNING, **changes: Any) -> None:
        """Publishes version 1 of the campaign and its state."""
        self.deps.live.publish(published(slot="1", document=replace(document(), **changes)))
        self.deps.live.publish(published(slot="state", state=state))

    def received(self, event: Any, cause: str = "cause-1") -> Received[Any]:
        """The event as consumed now."""
        now = self.clock.now()
        return Received(event=event, cause=cause, time=now, now=now, topic=event.TOPIC, partition=0, offset=0, raw=b"")

    def request(self, message: Any, **path: str) -> Request:
        """A request taken up now."""
        return Request(message=message, now=self.clock.now(), cause="request-1", path=path)

    async def clear(self, offer: LeadReady, cause: str = "cause-1") -> Any:
        """Runs an offer through the gate and returns the event it answered."""
        outcome = await on_lead_ready(self.received(offer, cause), self.deps)
        assert isinstance(outcome, Publish), outcome
        return outcome.events[0]

    def asking(self, cleared: Any, nonce: str = "n1", leg_no: int = 1, **changes: Any) -> pb.RedeemRequest:
        """A gateway's Redeem of a cleared offer."""
        message = pb.RedeemRequest(
            token=cleared.token,
            attempt_id=cleared.attempt_id,
            leg_no=leg_no,
            gateway_id="gw-1",
            boot_id="boot-1",
            nonce=nonce,
            mode="LIVE_AUTODIALED",
            caller_id="+12125550101",
            ring_timeout_seconds=18,
            route_id="demo-carrier",
        )
        message.gateway_time.FromDatetime(self.clock.now())
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    async def redeem(self, message: pb.RedeemRequest) -> pb.RedeemReply:
        """The gate's answer."""
        reply: pb.RedeemReply = (await redeem(self.request(message), self.deps)).reply
        return reply


def published(
    slot: str, document: CampaignDocument | None = None, state: CampaignState = CampaignState.UNKNOWN
) -> CampaignPublished:
    return CampaignPublished(
        campaign_id="spring",
        slot=slot,
        version=1,
        team_id="blue",
        state=state,
        published_at=NOON,
        published_by="ops@example.test",
        document=document,
    )


def document() -> CampaignDocument:
    return campaign_document()


def consent(**changes: Any) -> Consent:
    whole = Consent(
        consent_id="c1",
        seller_id="S1",
        purpose="any",
        channel="voice",
        level=ConsentLevel.PEWC,
        granted_at=NOON - timedelta(days=30),
        source="web-form",
        captured_at=NOON - timedelta(days=30),
        ip="192.0.2.1",
        text_sha256="ab" * 32,
    )
    return replace(whole, **changes)


def offer(**changes: Any) -> LeadReady:
    lead = str(uuid.uuid4())
    whole = LeadReady(
        attempt_id=str(uuid.uuid4()),
        team_id="blue",
        campaign_id="spring",
        campaign_version=1,
        context=Context(lead_id=lead, attempt_no=1, segment=Segment.WARM, score_band="0.4-0.6"),
        offer_no=1,
        person_id="person-1",
        phone="+12125550123",
        person_token="",
        callee_token="",
        seller_id="S1",
        topic_id="T1",
        purpose=Purpose.MARKETING,
        agent_guaranteed=False,
        line_type=LineType.MOBILE,
        consumer=True,
        address=Address(country="US", region="NY"),
        score=0.5,
        epoch=7,
        offered_at=NOON,
        expires_at=NOON + timedelta(minutes=10),
        modes=(CallMode.LIVE_AUTODIALED,),
        consents=(consent(),),
    )
    return replace(whole, **changes)


@pytest.fixture(scope="session")
def a() -> SimpleNamespace:
    """Builders: a.offer(...), a.consent(...), a.document()."""
    return SimpleNamespace(offer=offer, consent=consent, document=document, now=NOON)


@pytest.fixture(scope="session")
def pack() -> RulePack:
    whole = load_rule_pack(shipped("us_federal.yaml", HOUSE), tzdata=pin_time_zones())
    return replace(whole, lists=())


@pytest.fixture(scope="session")
def make_deps(pack: RulePack) -> Any:
    def make(store: Store, chains: dict[Chain, str]) -> World:
        clock, outbox = FakeClock(), FakeOutbox()
        deps = Deps(
            store=store,
            signer=Ed25519Signer(OKPKey.generate_key("Ed25519", {"kid": "test"})),
            tokens=TokenKeys({1: b"k" * 16, 2: b"l" * 16}),
            pack=pack,
            live=LiveBook(),
            outbox=outbox,
            clock=clock,
            pause=outbox.pause,
            chains=chains,
            frontiers={chain_id: Frontier() for chain_id in chains.values()},
        )
        return World(deps=deps, clock=clock, outbox=outbox, pool=None, memory=None)

    return make


@pytest.fixture
async def real(request: pytest.FixtureRequest, make_deps: Any) -> AsyncIterator[World]:
    """The gate on real PostgreSQL, in a schema of its own."""
    dsn, schema = request.getfixturevalue("postgres_dsn"), f"gate_{uuid.uuid4().hex[:12]}"
    settings = {"search_path": schema}
    async with asyncpg.create_pool(dsn, min_size=1, max_size=16, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate(pool, MIGRATIONS)
        await pool.execute("CREATE TABLE announced (cause text, topic text, outcome text)")
        boot = uuid.uuid4().hex
        chains = {chain: f"{boot}.{chain.value}" for chain in Chain}
        store = PostgresStore(pool, RowOutbox(), chains)
        for chain in Chain:
            await store.open_chain(chain, {"boot_id": boot, "clock_shifted": True})
        world = make_deps(store, chains)
        world.pool = pool
        yield world


@pytest.fixture
def fake(make_deps: Any) -> World:
    """The gate on the memory store."""
    chains = {chain: f"boot.{chain.value}" for chain in Chain}
    store = MemoryStore(chains)
    world: World = make_deps(store, chains)
    world.memory = store
    return world


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
def world(request: pytest.FixtureRequest) -> World:
    """The gate on either store: the same behaviours prove the fake. The campaign runs."""
    chosen: World = request.getfixturevalue("fake" if request.param == "memory" else "real")
    chosen.publish()
    return chosen
