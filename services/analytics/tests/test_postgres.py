"""The real tables, and the whole service on the memory broker."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable
from itertools import permutations
from typing import Any

import asyncpg
import pytest

from analytics.adapters.postgres import PostgresFacts
from analytics.app import MIGRATIONS, build_service
from analytics.config import Config
from analytics.domain.facts import fact_of
from outdial_contracts.events import DispositionCode, Verdict
from outdial_runtime.migrations import migrate
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

pytestmark = pytest.mark.stack
Make = Callable[..., Any]


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    schema = f"analytics_{uuid.uuid4().hex}"
    settings = {"search_path": schema}
    async with asyncpg.create_pool(postgres_dsn, min_size=1, max_size=4, server_settings=settings) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await migrate(pool, MIGRATIONS)
        yield pool
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


async def test_the_newest_revision_wins_in_any_order(pool: asyncpg.Pool, disposed: Make) -> None:
    facts = PostgresFacts(pool)
    for number, order in enumerate(permutations([1, 2, 3])):
        kept = [await facts.put(fact_of(disposed(number, revision=revision))) for revision in order]
        assert kept == [revision == max(order[: place + 1]) for place, revision in enumerate(order)]
        assert not await facts.put(fact_of(disposed(number, revision=3)))
    rows = await facts.of_campaign("c1")
    assert [row["revision"] for row in rows] == [3] * 6


async def test_a_fact_survives_the_round_trip(pool: asyncpg.Pool, disposed: Make) -> None:
    fact = fact_of(disposed(verdict=Verdict.HUMAN, talk_seconds=1.5, sip_status=200))
    await PostgresFacts(pool).put(fact)
    [row] = await PostgresFacts(pool).of_campaign("c1")
    uuids = ("attempt_id", "lead_id")
    assert {name: str(v) if name in uuids else v for name, v in row.items()} == {
        name: getattr(fact, name) for name in row
    }


async def test_the_service_answers_with_json(
    pool: asyncpg.Pool, postgres_dsn: str, disposed: Make, blocked: Make, closed: Make
) -> None:
    schema = await pool.fetchval("SELECT current_schema()")
    separator = "&" if "?" in postgres_dsn else "?"
    config = Config(postgres_dsn=f"{postgres_dsn}{separator}options=-csearch_path%3D{schema}")
    broker = MemoryBroker(VirtualClock())
    async with run_in_memory(build_service(config), broker) as running:
        broker.publish(disposed(1), disposed(2, revision=2, connected=True, code=DispositionCode.INTERESTED))
        broker.publish(disposed(2), blocked(3), closed(4, "LAPSED"), cause="other")
        await running.settle()
        facts = (await running.http("GET", "/v1/facts", query={"campaign_id": "c1"})).body
        rate = (await running.http("GET", "/v1/connect-rate", query={"campaign_id": "c1"})).body
        assert (await running.http("GET", "/v1/facts")).status == 400
    assert json.loads(json.dumps(facts))["offer_ends"] == {"BLOCKED": 1, "LAPSED": 1}
    assert sorted(row["code"] for row in facts["rows"]) == ["INTERESTED", "NO_ANSWER"]
    assert rate["hours"] == {"10": {"attempts": 2, "human_answers": 0, "connects": 1, "connect_rate": 0.5}}
