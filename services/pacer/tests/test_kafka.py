"""A takeover on real Kafka: offsets make epochs, the journal lies in the teams' partition, nobody is given twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from outdial_contracts.events import AgentAvailability, CampaignState
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.topics import TOPICS
from outdial_runtime.clock import SystemChance, SystemClock
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.kafka import KafkaBroker
from outdial_runtime.service import GrpcMethod
from outdial_runtime.spans import Spans
from outdial_testing.bench import Bench
from outdial_testing.kafka_topics import create_topics
from pacer.app import REQUESTS, build_service
from pacer.config import Config
from pacer.ports import Deps

from .world import agent_leg, agent_state, capacity, document, published

NAMES = [t.name for t in TOPICS.values() if "pacer" in t.consumers or "pacer" in t.producers]


@asynccontextmanager
async def pacer(bootstrap: str, prefix: str) -> AsyncIterator[Host]:
    config = RunConfig(service_name="pacer", kafka_bootstrap=bootstrap, topic_prefix=prefix)
    service = build_service(Config(owner_id="pacer-0", address="127.0.0.1:7003"))
    broker = KafkaBroker(bootstrap, prefix)
    spans = Spans("pacer", config.instance)
    host = Host(service, config, broker, clock=SystemClock(), chance=SystemChance(), spans=spans)
    stop = asyncio.Event()
    task = asyncio.create_task(host.run(stop))
    try:
        yield host
    finally:
        stop.set()
        await task
        spans.flush()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.05)


def staffed(host: Host) -> bool:
    deps: Deps | None = host.deps
    found = deps.owned.find("blue") if deps is not None else None
    return found is not None and found[1].on_duty() == 2 and "C1" in found[1].campaigns


async def assign(host: Host, attempt_id: str) -> pb.AssignReply:
    assert host.requests is not None
    method = next(r for r in REQUESTS if isinstance(r, GrpcMethod))
    message = pb.AssignRequest(attempt_id=attempt_id, campaign_id="C1", team_id="blue", gateway_id="g0")
    reply: pb.AssignReply = await host.requests.grpc(method, message, {})
    return reply


@pytest.mark.stack
async def test_the_next_owner_on_kafka_knows_what_the_last_one_gave(kafka_bootstrap: str) -> None:
    prefix = await create_topics(kafka_bootstrap, *NAMES)
    bench = Bench(KafkaBroker(kafka_bootstrap, prefix))
    now = datetime.now(UTC)
    crew = [agent_leg(n, now) for n in ("a0", "a1")] + [
        agent_state(n, AgentAvailability.AVAILABLE, now) for n in ("a0", "a1")
    ]
    await bench.publish(published(document()), published(None, CampaignState.RUNNING), capacity(now), *crew)
    async with pacer(kafka_bootstrap, prefix) as host:
        await until(lambda: staffed(host))
        first = await assign(host, "x")
    async with pacer(kafka_bootstrap, prefix) as host:
        await until(lambda: staffed(host))
        assert (await assign(host, "x")).assigned.lease_id == first.assigned.lease_id
        second = await assign(host, "y")
    assert second.assigned.epoch > first.assigned.epoch
    assert {first.assigned.agent_id, second.assigned.agent_id} == {"a0", "a1"}
