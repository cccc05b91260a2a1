"""A service as a process on real Kafka: doors, drain at SIGTERM, and an end that says why but not whom."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest

from outdial_contracts.events import PacingSupply
from outdial_contracts.rpc import outdial_pb2, outdial_pb2_grpc
from outdial_runtime.kafka import KafkaBroker
from outdial_testing.bench import Bench
from outdial_testing.broker_contract import poll_until
from outdial_testing.contract_service import demand
from outdial_testing.kafka_topics import create_topics

SCRIPT = Path(__file__).with_name("sample_service.py")
pytestmark = pytest.mark.stack


@dataclass
class Running:
    bench: Bench
    process: asyncio.subprocess.Process
    http: httpx.AsyncClient
    grpc_address: str

    async def ready(self) -> None:
        async with asyncio.timeout(30):
            while not await self._answers():
                await asyncio.sleep(0.1)

    async def end(self) -> tuple[int, str]:
        """Exit status and log."""
        _, log = await asyncio.wait_for(self.process.communicate(), 20)
        assert self.process.returncode is not None
        return self.process.returncode, log.decode()

    async def supplied(self, count: int) -> set[str]:
        events = await poll_until(lambda: self.bench.events(PacingSupply), lambda found: len(found) >= count)
        return {event.campaign_id for event in events}

    async def _answers(self) -> bool:
        assert self.process.returncode is None, await self.end()
        try:
            return (await self.http.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
async def running(kafka_bootstrap: str) -> AsyncIterator[Running]:
    prefix = await create_topics(kafka_bootstrap, "pacing.demand", "pacing.supply", "stop.changed")
    http_port, grpc_port = free_port(), free_port()
    environment = {
        **os.environ,
        "OUTDIAL_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "OUTDIAL_TOPIC_PREFIX": prefix,
        "OUTDIAL_HTTP_PORT": str(http_port),
        "OUTDIAL_GRPC_PORT": str(grpc_port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    bench = Bench(KafkaBroker(kafka_bootstrap, prefix))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{http_port}", trust_env=False) as http:
        running = Running(bench, process, http, f"127.0.0.1:{grpc_port}")
        await running.ready()
        yield running
    if process.returncode is None:
        process.kill()
        await process.communicate()
    await bench.close()


async def test_event_and_request_reach_the_topic_and_sigterm_drains(running: Running) -> None:
    await running.bench.publish(demand("event"))
    reply = await running.http.post("/v1/supplies/http", headers={"Idempotency-Key": "k1"})
    assert (reply.status_code, reply.json()) == (201, {"cause": "POST /v1/supplies/{campaign_id}:k1"})
    async with grpc.aio.insecure_channel(running.grpc_address) as channel:
        stub = outdial_pb2_grpc.CallControlStub(channel)
        assert (await stub.HangUp(outdial_pb2.HangUpRequest(agent_id="grpc"))).found
    assert await running.supplied(3) == {"event", "http", "grpc"}
    metrics = (await running.http.get("/metrics")).text
    assert 'outdial_outcomes_total{outcome="Publish",reason="",topic="pacing.demand"} 1.0' in metrics
    assert 'outdial_requests_total{method="CallControl.HangUp",status="OK"} 1.0' in metrics
    running.process.send_signal(signal.SIGTERM)
    status, log = await running.end()
    assert status == 0, log
    assert "draining" in log


async def test_request_that_fails_tells_the_caller_nothing_and_the_service_goes_on(running: Running) -> None:
    reply = await running.http.post("/v1/supplies/a", content=b"broken")
    assert (reply.status_code, reply.headers["content-type"]) == (500, "application/problem+json")
    assert "+1212" not in reply.text
    unknown = await running.http.get("/v1/nothing")
    assert (unknown.status_code, unknown.json()["status"]) == (404, 404)
    async with grpc.aio.insecure_channel(running.grpc_address) as channel:
        stub = outdial_pb2_grpc.CallControlStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.HangUp(outdial_pb2.HangUpRequest(agent_id="broken"))
        assert failed.value.code() is grpc.StatusCode.INTERNAL
        assert "+1212" not in str(failed.value.details())
        assert (await stub.HangUp(outdial_pb2.HangUpRequest(agent_id="good"))).found
    running.process.send_signal(signal.SIGTERM)
    status, log = await running.end()
    assert status == 0
    assert "ValueError" in log
    assert "+1212" not in log


async def test_handler_that_raises_ends_the_process_with_a_status_and_a_place(running: Running) -> None:
    await running.bench.publish(demand("a", epoch=-1))
    status, log = await running.end()
    assert status == 1
    assert "pacing.demand" in log
    assert "ValueError(" in log
    assert "+1212" not in log


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
