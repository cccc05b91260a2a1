"""The memory runtime: time moves when the test says so, and a service behaves as in its process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from outdial_contracts.events import PacingDemand, PacingSupply, StopChanged
from outdial_contracts.rpc import outdial_pb2
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.kafka import KafkaBroker
from outdial_runtime.loop import HandlerFault
from outdial_runtime.outcome import NOTHING, Outcome, Publish, RetryLater
from outdial_runtime.requests import NotReady
from outdial_runtime.service import (
    Answer,
    GrpcMethod,
    HttpReply,
    HttpRoute,
    Read,
    Received,
    Request,
    Service,
    Subscription,
    Tick,
    TickInput,
    Toolkit,
)
from outdial_runtime.spans import Spans
from outdial_testing import MemoryBroker, SeededChance, VirtualClock, run_in_memory
from outdial_testing.bench import Bench
from outdial_testing.contract_service import demand, stop_button, supply
from outdial_testing.kafka_topics import create_topics
from outdial_testing.memory_runtime import MemoryRuntime
from outdial_testing.virtual_clock import START


@asynccontextmanager
async def build(toolkit: Toolkit) -> AsyncIterator[Toolkit]:
    yield toolkit


async def test_ticks_come_as_the_clock_is_moved_and_not_otherwise() -> None:
    times: list[float] = []

    async def on_tick(tick: TickInput, deps: Any) -> Outcome:
        times.append((tick.now - START).total_seconds())
        return NOTHING

    service = Service(name="s", build=build, ticks=(Tick(handler=on_tick, every_seconds=1.0),))
    async with run_in_memory(service) as runtime:
        await runtime.settle()
        await asyncio.sleep(0.05)
        assert times == [0.0]
        await runtime.advance(3.05)
        assert times == pytest.approx([0.0, 1.0, 2.0, 3.0])


async def test_retry_waits_in_virtual_time() -> None:
    tries: list[float] = []

    async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
        tries.append((message.now - START).total_seconds())
        return RetryLater("NOT_YET", after_seconds=5.0) if len(tries) == 1 else Publish([supply("a")])

    service = Service(name="s", build=build, subscriptions={PacingDemand: Subscription(handler=on_demand)})
    async with run_in_memory(service) as runtime:
        runtime.broker.publish(demand("a"))
        await runtime.settle()
        await runtime.advance(4.9)
        assert tries == [0.0]
        await runtime.advance(0.2)
        assert tries == pytest.approx([0.0, 5.0])
        assert runtime.broker.events(PacingSupply) == [supply("a")]


async def test_requests_reach_their_handlers_and_produce_before_the_reply() -> None:
    async def post(request: Request, deps: Any) -> Answer:
        reply = HttpReply(status=201, body={"id": request.path["id"], "sent": request.message.decode()})
        return Answer(reply=reply, outcome=Publish([supply(request.path["id"])]))

    async def hang_up(request: Request, deps: Any) -> Answer:
        return Answer(reply=outdial_pb2.HangUpReply(found=request.headers["who"] == "me"))

    routes = (
        HttpRoute(method="POST", path="/v1/things/{id}", handler=post),
        GrpcMethod(service="CallControl", method="HangUp", handler=hang_up),
    )
    async with run_in_memory(Service(name="s", build=build, requests=routes)) as runtime:
        reply = await runtime.http("POST", "/v1/things/7", {"a": 1})
        assert (reply.status, reply.body) == (201, {"id": "7", "sent": '{"a": 1}'})
        assert runtime.broker.events(PacingSupply) == [supply("7")]
        answer = await runtime.rpc("CallControl", "HangUp", outdial_pb2.HangUpRequest(), {"who": "me"})
        assert answer.found
        with pytest.raises(LookupError):
            await runtime.http("GET", "/v1/things/7")


async def test_nothing_is_answered_before_whole_topics_are_read() -> None:
    refused: list[BaseException] = []

    async def get(request: Request, deps: Any) -> Answer:
        return Answer(reply=HttpReply(body={}))

    async def on_stop(message: Received[StopChanged], deps: Any) -> Outcome:
        try:
            await probe["runtime"].rpc("CallControl", "HangUp", outdial_pb2.HangUpRequest())
        except NotReady as error:
            refused.append(error)
        return NOTHING

    probe: dict[str, Any] = {}
    service = Service(
        name="s",
        build=build,
        subscriptions={StopChanged: Subscription(handler=on_stop, read=Read.WHOLE)},
        requests=(GrpcMethod(service="CallControl", method="HangUp", handler=get),),
    )
    broker = MemoryBroker(VirtualClock())
    broker.publish(stop_button("all"))

    config = RunConfig(service_name="s", kafka_bootstrap="memory")
    host = Host(service, config, broker, clock=broker.clock, chance=SeededChance(), spans=Spans("s", "s-0"))
    probe["runtime"] = runtime = MemoryRuntime(service, broker, host)
    await runtime.ready()
    await runtime.stop()
    assert len(refused) == 1


async def test_fault_of_a_handler_reaches_the_test_once() -> None:
    async def broken(message: Received[Any], deps: Any) -> Outcome:
        raise LookupError("x")

    service = Service(name="s", build=build, subscriptions={PacingDemand: Subscription(handler=broken)})
    async with run_in_memory(service) as runtime:
        runtime.broker.publish(demand("a"))
        with pytest.raises(HandlerFault, match="LookupError"):
            await runtime.advance(1.0)


class ClosablePool:
    """A pool with an empty outbox table; whoever asks it after its end gets asyncpg's error."""

    def __init__(self) -> None:
        self.closed = False

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[ClosablePool]:
        if self.closed:
            raise RuntimeError("pool is closed")
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def execute(self, *_: Any) -> None:
        return None

    async def fetch(self, *_: Any) -> list[Any]:
        return []

    async def fetchval(self, *_: Any) -> bool:
        return False


async def test_drained_service_ends_without_fault_although_its_pool_takes_time_to_close() -> None:
    @asynccontextmanager
    async def with_pool(toolkit: Toolkit) -> AsyncIterator[ClosablePool]:
        pool = ClosablePool()
        toolkit.table_outbox(pool)
        yield pool
        pool.closed = True
        await asyncio.sleep(0.2)

    async with run_in_memory(Service(name="s", build=with_pool, ticks=(Tick(handler=_nothing, every_seconds=1.0),))):
        await asyncio.sleep(0.1)


async def _nothing(tick: TickInput, deps: Any) -> Outcome:
    return NOTHING


def test_virtual_clock_and_seeded_chance_repeat_themselves() -> None:
    clock = VirtualClock()
    clock.advance(90)
    assert clock.now() == START + timedelta(seconds=90)
    first, second = SeededChance(1), SeededChance(1)
    assert [first.token(), first.random()] == [second.token(), second.random()]


@pytest.mark.stack
async def test_keys_lie_in_the_partitions_where_kafka_puts_them(kafka_bootstrap: str) -> None:
    prefix = await create_topics(kafka_bootstrap, "pacing.demand")
    memory, kafka = Bench(MemoryBroker()), Bench(KafkaBroker(kafka_bootstrap, prefix))
    places = []
    for bench in (memory, kafka):
        await bench.publish(*(demand("k" * (n % 9) + str(n)) for n in range(60)))
        places.append({m.key: m.partition for m in await bench.messages("pacing.demand")})
        await bench.close()
    assert places[0] == places[1]
    assert set(places[0].values()) == {0, 1}
