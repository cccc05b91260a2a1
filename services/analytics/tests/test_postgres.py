"""The whole service on the memory broker with its real tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from analytics.app import build_service
from analytics.config import Config
from outdial_contracts.events import DispositionCode
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

pytestmark = pytest.mark.stack
Make = Callable[..., Any]


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
