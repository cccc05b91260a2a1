"""What is queued at each event, once however often it comes; what an operator can ask."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from disposition.app import build_service
from disposition.config import Config
from disposition.domain.addresses import Policy
from disposition.domain.delivery import Answer, judge
from disposition.handlers.webhooks import on_count_webhooks, on_list_dead, on_replay_dead, on_sending_tick
from disposition.ports import Deps
from outdial_contracts import events as ev
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop
from outdial_runtime.service import Request, TickInput
from outdial_sim.crm_webhooks import WebhookReceiver, recount_webhooks
from outdial_sim.http_server import serving
from outdial_sim.journal import Journal
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
URL = "https://crm.example.test/hook"
SECRET = "whsec_" + "c2VjcmV0" * 4


def example(kind: type[Any], **changes: Any) -> Any:
    raw = json.loads((EXAMPLES / kind.TOPIC / "typical.json").read_text())
    return msgspec.convert({**raw, **changes}, kind)


def campaign(campaign_id: str = "c1", version: int = 1, url: str | None = URL) -> ev.CampaignPublished:
    event: ev.CampaignPublished = example(ev.CampaignPublished, campaign_id=campaign_id, version=version)
    assert event.document is not None
    document = replace(event.document, seller_id="S1", webhook_url=url, webhook_secret_env="OUTDIAL_WEBHOOK_SECRET")
    return replace(event, slot=str(version), document=document)


def lead(status: str = "DONE", revision: int = 1, **changes: Any) -> ev.LeadState:
    told = {"campaign_id": "c1", "status": status, "revision": revision, **changes}
    event: ev.LeadState = example(ev.LeadState, **told)
    return event


def bodies(world: Any) -> list[dict[str, Any]]:
    return [json.loads(row.webhook.body) for row in world.store.webhooks.rows.values()]


async def test_every_revision_of_a_disposition_is_told_once(world: Any, attempt: Any) -> None:
    await world.take(campaign())
    for event in (*attempt.conversation(), attempt.wrapup("INTERESTED")):
        await world.take(event, 45.0, cause=f"m-{type(event).__name__}-{getattr(event, 'stage', '')}")
    for event in (*attempt.conversation(), attempt.wrapup("INTERESTED")):
        await world.take(event, 46.0, cause=f"m-{type(event).__name__}-{getattr(event, 'stage', '')}")
    await world.take(attempt.wrapup("NOT_INTERESTED", 50.0), 50.0)
    told = [(b["data"]["code"], b["data"]["revision"], b["data"]["attempt_no"]) for b in bodies(world)]
    assert told == [("INTERESTED", 1, 1), ("NOT_INTERESTED", 2, 1)]


async def test_what_a_deadline_disposes_of_is_told_too(world: Any, attempt: Any) -> None:
    await world.take(campaign())
    await world.take(attempt.closed())
    await world.take(attempt.capacity(9.0, boot_id="boot-2", lists=False), 9.0)
    await world.tick(10.0)
    assert [b["data"]["code"] for b in bodies(world)] == ["UNKNOWN"]


async def test_an_opt_out_names_the_suppression_that_the_gate_has(world: Any, attempt: Any) -> None:
    await world.take(campaign())
    for event in (*attempt.conversation(), attempt.wrapup("DNC_REQUESTED", suppression_id="s-1")):
        await world.take(event, 45.0)
    assert bodies(world)[0]["data"]["suppression_id"] == world.gate.suppressed[0][1] == "s-1"


async def test_a_lead_is_told_once_for_its_revision_with_attempt_and_finality(world: Any) -> None:
    await world.take(campaign())
    for event in (lead("WAITING", 5, is_final=False), lead("DONE", 6, is_final=True), lead("DONE", 6, is_final=True)):
        assert await world.take(event) == NOTHING
    assert isinstance(await world.take(lead("OFFERED", 7)), Drop)
    told = [(b["data"]["status"], b["data"]["is_final"], b["data"]["attempt_no"]) for b in bodies(world)]
    assert told == [("WAITING", False, 1), ("DONE", True, 1)]


async def test_a_campaign_without_a_webhook_is_told_nothing(world: Any, attempt: Any) -> None:
    await world.take(campaign(url=None))
    for event in (*attempt.conversation(), attempt.wrapup("INTERESTED"), lead()):
        await world.take(event, 45.0)
    assert bodies(world) == []
    assert len(world.published) == 1


async def test_an_id_that_no_campaign_has_costs_no_disposition(world: Any, attempt: Any) -> None:
    attempt.same["campaign_id"] = "c" * 10_000
    for event in (attempt.closed(), attempt.ended("BUSY", sip_status=486)):
        await world.take(event, 31.0)
    assert [d.code for d in world.published] == [ev.DispositionCode.BUSY]
    assert bodies(world) == []


async def test_a_suppression_is_told_to_its_sellers_endpoints_only(world: Any) -> None:
    for event in (campaign("c1"), campaign("c2"), campaign("c3", url="https://other.example.test/")):
        await world.take(event)
    suppression = example(ev.SuppressionChanged, seller_id="S1")
    for _ in range(2):
        await world.take(suppression)
    assert [row.webhook.campaign_id for row in world.store.webhooks.rows.values()] == ["c1", "c3"]
    assert isinstance(await world.take(replace(suppression, suppression_id="x", seller_id="S9")), Drop)


async def test_a_campaigns_state_says_nothing_of_its_endpoint(world: Any) -> None:
    assert isinstance(await world.take(replace(campaign(), slot="state", document=None)), Drop)


@pytest.mark.parametrize(
    "event",
    [
        campaign("c\x00"),
        lead(campaign_id="c\x00"),
        lead(lead_id="l\x00"),
        lead(lead_id="l" * 301),
        campaign("c" * 301),
        campaign(url="https://crm.example.test/\x00"),
        example(ev.SuppressionChanged, suppression_id="\x00"),
        example(ev.SuppressionChanged, seller_id="\x00"),
    ],
)
async def test_what_no_database_can_hold_is_a_dead_letter(world: Any, event: Any) -> None:
    assert isinstance(await world.take(event), DeadLetter)


def request(body: Any = None, **query: str) -> Request:
    return Request(message=json.dumps(body).encode(), now=NOW, cause="x", query=query)


async def test_dead_ones_are_listed_and_replayed(world: Any) -> None:
    deps: Deps = world.deps
    await world.take(campaign())
    await world.take(lead())
    [claimed] = await deps.webhooks.claim("c1", NOW, NOW, 1)
    await deps.webhooks.settle(claimed, URL, judge(1, Answer.of_status(422), NOW, 0.0), NOW)
    listed = (await on_list_dead(request(campaign_id="c1"), deps)).reply.body["dead"]
    assert [(d["campaign_id"], d["trouble"], d["status"]) for d in listed] == [("c1", "STATUS", 422)]
    assert "body" not in listed[0]
    assert (await on_count_webhooks(request(), deps)).reply.body == {"campaigns": {"c1": {"DEAD": 1}}}
    wanted = {"campaign_id": "c1", "webhook_id": listed[0]["webhook_id"]}
    assert (await on_replay_dead(request(wanted), deps)).reply.body == {"replayed": 1}
    assert (await on_count_webhooks(request(), deps)).reply.body == {"campaigns": {"c1": {"PENDING": 1}}}


@pytest.mark.parametrize(
    "body", [[], {}, {"campaign_id": 1}, {"campaign_id": "c\x00"}, {"campaign_id": "c", "webhook_id": "w"}, None]
)
async def test_a_replay_of_nothing_in_particular_is_refused(world: Any, body: Any) -> None:
    assert (await on_replay_dead(request(body), world.deps)).reply.status == 422


@pytest.mark.parametrize("limit", ["0", "-1", "x", "100000"])
async def test_a_limit_out_of_bounds_is_refused(world: Any, limit: str) -> None:
    assert (await on_list_dead(request(limit=limit), world.deps)).reply.status == 422


async def test_a_tick_raises_what_ended_the_sender(world: Any) -> None:
    class Ended:
        def check(self) -> None:
            raise ConnectionError

    assert await on_sending_tick(TickInput(now=NOW, partition=None), world.deps) == NOTHING
    with pytest.raises(ConnectionError):
        await on_sending_tick(TickInput(now=NOW, partition=None), replace(world.deps, sending=Ended()))


@pytest.mark.stack
async def test_the_service_sends_what_it_published_and_survives_a_kill_before_it(
    pool: asyncpg.Pool, postgres_dsn: str, attempt: Any, tmp_path: Path
) -> None:
    schema = await pool.fetchval("SELECT current_schema()")
    separator = "&" if "?" in postgres_dsn else "?"
    config = Config(
        postgres_dsn=f"{postgres_dsn}{separator}options=-csearch_path%3D{schema}",
        gate_address="127.0.0.1:1",
        webhook_secrets={"OUTDIAL_WEBHOOK_SECRET": (SECRET,)},
        webhook_policy=Policy(networks=_loopback()),
    )
    log = tmp_path / "crm.jsonl"
    with Journal(log) as journal:
        receiver = WebhookReceiver(journal, SECRET)
        async with serving("127.0.0.1", 0, receiver.handle) as port:
            clock = VirtualClock(attempt.closed(seconds=45.0).closed_at)
            broker = MemoryBroker(clock)
            broker.publish(campaign(url=f"http://127.0.0.1:{port}/hook"))
            async with run_in_memory(build_service(config), broker) as running:
                for event in (*attempt.conversation(), attempt.wrapup("INTERESTED"), lead(lead_id=str(uuid.uuid4()))):
                    broker.publish(event)
                await running.settle()
                await running.kill()
            async with run_in_memory(build_service(config), broker) as running:
                clock.advance(config.webhook_lease_seconds)
                await _delivered(running, 2)
    counted = recount_webhooks(log)
    assert counted.by_type == {"call.disposition": 1, "lead.state": 1}
    assert counted.forged == 0


def _loopback() -> tuple[Any, ...]:
    return (ipaddress.ip_network("127.0.0.0/8"),)


async def _delivered(running: Any, wanted: int) -> None:
    async with asyncio.timeout(20):
        while (await running.http("GET", "/v1/webhooks")).body["campaigns"].get("c1", {}).get("DELIVERED") != wanted:
            await asyncio.sleep(0.02)
