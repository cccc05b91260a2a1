"""Dispositions at hand, and both stores of facts under the same fixture."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from analytics.adapters.memory import MemoryFacts, MemoryWindows
from analytics.adapters.postgres import PostgresFacts
from analytics.adapters.postgres_windows import PostgresWindows
from analytics.app import MIGRATIONS, SUBSCRIPTIONS
from analytics.ports import Deps, Facts, Windows
from outdial_contracts import events as ev
from outdial_contracts.base import Event
from outdial_runtime.migrations import migrate
from outdial_runtime.outcome import Outcome
from outdial_runtime.service import Received

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


def attempt_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def head(number: int, zone: str | None) -> dict[str, Any]:
    context = ev.Context(
        lead_id=str(uuid.UUID(int=1000 + number)),
        attempt_no=2,
        segment=ev.Segment.WARM,
        score_band="0.4-0.6",
        list_source="web",
        region="US-NY",
        local_zone=zone,
    )
    return {
        "attempt_id": attempt_id(number),
        "team_id": "blue",
        "campaign_id": "c1",
        "campaign_version": 3,
        "context": context,
    }


@pytest.fixture(scope="session")
def disposed() -> Callable[..., ev.CallDisposition]:
    """Makes the disposition of attempt `number`; anything may be changed."""

    def make(number: int = 1, zone: str | None = "America/New_York", **changes: Any) -> ev.CallDisposition:
        event = ev.CallDisposition(
            **head(number, zone),
            lead_id=str(uuid.UUID(int=1000 + number)),
            revision=1,
            code=ev.DispositionCode.NO_ANSWER,
            final=False,
            reached=True,
            human_answer=False,
            connected=False,
            abandoned=False,
            conversation=False,
            right_party=False,
            conversion=False,
            dnc=False,
            charged=True,
            end_class=ev.EndClass.NO_ANSWER,
            fault=ev.Fault.CALLEE,
            redeemed_at=NOW,
            closed_by_deadline=False,
            disposed_at=NOW,
        )
        return replace(event, **changes)

    return make


@pytest.fixture(scope="session")
def ended() -> Callable[..., ev.CallEnded]:
    """Makes the end of attempt `number`'s call, 30 s after 15:00, not answered; anything may be changed."""

    def make(number: int = 1, zone: str | None = "America/New_York", **changes: Any) -> ev.CallEnded:
        event = ev.CallEnded(
            **head(number, zone),
            leg_no=1,
            gateway_id="gateway-0",
            boot_id="b",
            lease_id="l",
            dialled=True,
            end_class=ev.EndClass.NO_ANSWER,
            fault=ev.Fault.CALLEE,
            hung_up_by=ev.Fault.US,
            safe_harbour_played=False,
            invited_at=NOW,
            ended_at=NOW + timedelta(seconds=30),
            packets_received=0,
            packets_lost=0,
            jitter_ms=0.0,
        )
        return replace(event, **changes)

    return make


@pytest.fixture(scope="session")
def closed() -> Callable[..., ev.ClearanceClosed]:
    """Makes the closing of offer `number`."""

    def make(number: int, outcome: str) -> ev.ClearanceClosed:
        return ev.ClearanceClosed(
            **head(number, None),
            outcome=ev.CloseOutcome(outcome),
            reason=ev.CloseReason.RULES,
            block_reasons=(ev.BlockReason.HOURS,),
            mode=ev.CallMode.LIVE_AUTODIALED,
            ring_timeout_seconds=18,
            closed_at=NOW,
        )

    return make


@pytest.fixture(scope="session")
def blocked() -> Callable[[int], ev.ComplianceBlocked]:
    """Makes the block of offer `number`."""

    def make(number: int) -> ev.ComplianceBlocked:
        reasons = (ev.BlockReason.HOURS, ev.BlockReason.COOLDOWN)
        return ev.ComplianceBlocked(**head(number, None), reasons=reasons, epoch=1, rule_pack="2026.1", blocked_at=NOW)

    return make


@pytest.fixture(scope="session")
def take() -> Callable[[Event, Any], Any]:
    """Handles an event over a fact store."""

    async def handle(event: Event, facts: Any, windows: Windows | None = None) -> Outcome:
        message = Received(
            event=event,
            cause=uuid.uuid4().hex,
            time=NOW,
            now=NOW,
            topic=event.TOPIC,
            partition=0,
            offset=0,
            raw=b"",
        )
        return await SUBSCRIPTIONS[type(event)].handler(message, Deps(facts=facts, windows=windows or MemoryWindows()))

    return handle


@pytest.fixture(scope="session")
def new_facts() -> Callable[[], MemoryFacts]:
    """For properties: each example needs tables of its own."""
    return MemoryFacts


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    schema = f"analytics_{uuid.uuid4().hex}"
    settings = {"search_path": schema}
    async with asyncpg.create_pool(postgres_dsn, min_size=1, max_size=4, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate(pool, MIGRATIONS)
        yield pool
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
def facts(request: pytest.FixtureRequest) -> Facts:
    """Both stores, under the same tests."""
    return MemoryFacts() if request.param == "memory" else PostgresFacts(request.getfixturevalue("pool"))


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
def windows(request: pytest.FixtureRequest) -> Windows:
    """Both stores, under the same tests."""
    return MemoryWindows() if request.param == "memory" else PostgresWindows(request.getfixturevalue("pool"))
