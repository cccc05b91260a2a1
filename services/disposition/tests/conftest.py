"""One attempt's life at hand for tests: its events, both stores, a fake gate, and the handlers by event type."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from disposition.adapters.memory import MemoryStore
from disposition.adapters.postgres import PostgresStore
from disposition.adapters.webhook_memory import MemoryWebhooks
from disposition.app import MIGRATIONS, SUBSCRIPTIONS
from disposition.domain.record import Wrapup
from disposition.domain.watch import GatewayWatch
from disposition.handlers.attempts import on_deadline_tick
from disposition.ports import Deps, GateAway
from outdial_contracts import events as ev
from outdial_contracts.base import Event
from outdial_runtime.migrations import migrate
from outdial_runtime.outcome import Outcome, Publish
from outdial_runtime.service import Received, TickInput

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class FakeGate:
    def __init__(self) -> None:
        self.away = False
        self.suppressed: list[tuple[str, str | None, datetime]] = []

    async def suppress(self, attempt_id: str, wrapup: Wrapup) -> None:
        if self.away:
            raise GateAway("UNAVAILABLE")
        self.suppressed.append((attempt_id, wrapup.suppression_id, wrapup.at))


class IdleSending:
    """No sender runs, so none has failed."""

    def check(self) -> None: ...


class Attempt:
    """The events of one attempt; times are seconds after NOW."""

    def __init__(self, attempt_id: str = "5f0b6e1e-0000-5000-8000-000000000001") -> None:
        self.attempt_id = attempt_id
        context = ev.Context(
            lead_id="6e0f9b1a-7c3d-5e2f-8a4b-1d2c3e4f5a6b",
            attempt_no=1,
            segment=ev.Segment.WARM,
            score_band="0.4-0.6",
            arms={"greeting": "b"},
            exposed=(),
            region="US-NY",
            local_zone="America/New_York",
        )
        self.same: dict[str, Any] = {
            "attempt_id": attempt_id,
            "team_id": "blue",
            "campaign_id": "c1",
            "campaign_version": 2,
            "context": context,
        }

    def closed(self, outcome: str = "REDEEMED", seconds: float = 0.0) -> ev.ClearanceClosed:
        return ev.ClearanceClosed(
            **self.same,
            outcome=ev.CloseOutcome(outcome),
            reason=ev.CloseReason.DIALLED,
            gateway_id="gw-0",
            boot_id="boot-1",
            mode=ev.CallMode.LIVE_AUTODIALED,
            caller_id="+12125550101",
            route_id="demo-carrier",
            ring_timeout_seconds=18,
            closed_at=at(seconds),
        )

    def progress(self, stage: str, seconds: float) -> ev.CallProgress:
        return ev.CallProgress(**self.same, stage=ev.ProgressStage(stage), leg_no=1, gateway_id="gw-0", at=at(seconds))

    def answered(self, seconds: float = 5.0) -> ev.CallAnswered:
        return ev.CallAnswered(**self.same, leg_no=1, gateway_id="gw-0", trunk_id="t1", answered_at=at(seconds))

    def ended(self, end_class: str, seconds: float = 30.0, **changes: Any) -> ev.CallEnded:
        event = ev.CallEnded(
            **self.same,
            leg_no=1,
            gateway_id="gw-0",
            boot_id="boot-1",
            lease_id="channel-1",
            dialled=True,
            end_class=ev.EndClass(end_class),
            fault=ev.Fault.CALLEE,
            hung_up_by=ev.Fault.CALLEE,
            safe_harbour_played=False,
            ended_at=at(seconds),
            packets_received=0,
            packets_lost=0,
            jitter_ms=0.0,
        )
        return replace(event, **changes)

    def not_dialled(self) -> ev.CallEnded:
        reason = ev.NotDialledReason.GRANT_EXPIRED
        return self.ended("NOT_DIALLED", 0.4, dialled=False, not_dialled_reason=reason, fault=ev.Fault.US)

    def conversation(self) -> list[Event]:
        """Redeemed, rung, answered, bridged at 7 s, ended CONNECTED at 40 s."""
        return [
            self.closed(),
            self.progress("INVITED", 0.1),
            self.progress("ALERTING", 1.0),
            self.answered(5.0),
            self.progress("ASSIGNED", 6.9),
            self.progress("BRIDGED", 7.0),
            self.ended("CONNECTED", 40.0, answered_at=at(5.0), bridged_at=at(7.0), verdict=ev.Verdict.HUMAN),
        ]

    def wrapup(self, code: str, seconds: float = 45.0, **changes: Any) -> ev.AgentWrapup:
        event = ev.AgentWrapup(
            attempt_id=self.attempt_id,
            team_id="blue",
            campaign_id="c1",
            agent_id="a1",
            code=ev.DispositionCode(code),
            at=at(seconds),
        )
        return replace(event, **changes)

    def capacity(self, seconds: float, *, boot_id: str = "boot-1", lists: bool = True) -> ev.GatewayCapacity:
        return ev.GatewayCapacity(
            gateway_id="gw-0",
            boot_id=boot_id,
            partition=0,
            address="127.0.0.1:1",
            free_channels=10,
            live_attempt_ids=(self.attempt_id,) if lists else (),
            draining=False,
            at=at(seconds),
        )


class RecordingOutbox:
    """Keeps events, and a row of each in the given transaction."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def write(self, connection: Any, events: Any) -> None:
        self.events += [(e.event, e.cause, e.revision) for e in events]
        await connection.execute("CREATE TABLE IF NOT EXISTS recorded (n integer)")
        await connection.execute("INSERT INTO recorded VALUES (1)")


class World:
    """The service's handlers over any store, with time in the test's hands."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.gate = FakeGate()
        self.deps = Deps(
            store=store,
            gate=self.gate,
            watch=GatewayWatch(since=NOW - timedelta(seconds=60)),
            webhooks=getattr(store, "webhooks", None) or MemoryWebhooks(),
            sending=IdleSending(),
        )
        self.published: list[ev.CallDisposition] = []

    @property
    def outbox(self) -> list[Event]:
        """What a deadline said, on the fake store."""
        return [emit.event for emit in self.store.outbox]

    async def take(self, event: Event, seconds: float = 0.0, cause: str | None = None, age: float = 0.0) -> Outcome:
        """Handles an event at NOW + seconds, written `age` seconds before; without a cause it is a new message."""
        message = Received(
            event=event,
            cause=cause or uuid.uuid4().hex,
            time=at(seconds - age),
            now=at(seconds),
            topic=event.TOPIC,
            partition=0,
            offset=0,
            raw=b"",
        )
        outcome = await SUBSCRIPTIONS[type(event)].handler(message, self.deps)
        if isinstance(outcome, Publish):
            self.published += [e for e in outcome.events if isinstance(e, ev.CallDisposition)]
        return outcome

    async def tick(self, seconds: float) -> None:
        """One tick of a loop that did not stand still."""
        self.deps.watch.ticked_at = None
        await on_deadline_tick(TickInput(now=at(seconds), partition=None), self.deps)


@pytest.fixture
def attempt() -> Attempt:
    return Attempt()


@pytest.fixture
def world() -> World:
    return World(MemoryStore())


@pytest.fixture(scope="session")
def new_world() -> Callable[..., World]:
    """For properties: each example needs a world of its own, by default on the fake store."""
    return lambda store=None: World(store or MemoryStore())


@pytest.fixture(scope="session")
def life() -> Attempt:
    """For properties: events have no state."""
    return Attempt()


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    schema = f"disposition_{uuid.uuid4().hex}"
    settings = {"search_path": schema}
    async with asyncpg.create_pool(postgres_dsn, min_size=1, max_size=4, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate(pool, MIGRATIONS)
        yield pool
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def real_store(pool: asyncpg.Pool) -> PostgresStore:
    return PostgresStore(pool, RecordingOutbox())


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> MemoryStore | PostgresStore:
    """Both stores, under the same tests."""
    if request.param == "memory":
        return MemoryStore()
    real: PostgresStore = request.getfixturevalue("real_store")
    return real
