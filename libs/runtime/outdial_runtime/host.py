"""A service's life: open, catch up, work, drain, close. The same for Kafka and for the memory broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Collection, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from outdial_contracts.topics import TOPICS
from outdial_runtime.broker import Broker, BrokerError, Reading, TopicPartition
from outdial_runtime.clock import Chance, Clock
from outdial_runtime.config import RunConfig
from outdial_runtime.delivery import AtLeastOnce, Delivery, ExactlyOnce
from outdial_runtime.grpc_server import STOP_GRACE_SECONDS, start_grpc
from outdial_runtime.health import Health
from outdial_runtime.http_server import HttpServer, application
from outdial_runtime.loop import TEAM_KEY, Loop
from outdial_runtime.metrics import Metrics
from outdial_runtime.requests import Requests
from outdial_runtime.schedule import LONGEST_POLL_SECONDS
from outdial_runtime.service import GrpcMethod, HttpRoute, Read, Service, SocketRoute, Subscription, Tick
from outdial_runtime.socket_routes import SocketRoutes
from outdial_runtime.spans import Spans
from outdial_runtime.surroundings import Surroundings
from outdial_runtime.toolkit import ServiceToolkit

T = TypeVar("T")
log = logging.getLogger(__name__)


class Host:
    """One process of a service."""

    def __init__(
        self,
        service: Service,
        config: RunConfig,
        broker: Broker,
        *,
        clock: Clock,
        chance: Chance,
        spans: Spans,
        longest_poll_seconds: float = LONGEST_POLL_SECONDS,
        metrics: Metrics | None = None,
    ) -> None:
        self._service = service
        self._config = config
        self._broker = broker
        self._chance = chance
        self._longest_poll_seconds = longest_poll_seconds
        self._around = Surroundings(service=service.name, clock=clock, spans=spans, metrics=metrics or Metrics())
        self._crew = _Crew()
        self._loops: dict[Read, Loop] = {}
        self.metrics = self._around.metrics
        self.health = Health(service.ready)
        self.requests: Requests | None = None
        """Answers requests once deps are built."""
        self.deps: Any = None
        self.http_port: int | None = None
        self.grpc_port: int | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then drains.

        Raises:
            Exception: the systemic fault that ended the service.
        """
        producer = self._broker.producer()
        transactions = self._broker.transactional_producer(self._config.instance) if self._transactional else None
        delivery: Delivery = ExactlyOnce(transactions) if transactions else AtLeastOnce(producer)
        toolkit = ServiceToolkit(
            around=self._around, chance=self._chance, broker=self._broker, producer=producer, owned=self._owned
        )
        try:
            await self._check_topics()
            if transactions is not None:
                await transactions.start()
            self._crew.start(toolkit.outbox.run())
            async with self._service.build(toolkit) as deps:
                self.deps = deps
                self.requests = Requests(self._around, self._chance, producer, deps, self._open_for_work)
                self._loops = self._make_loops(delivery, AtLeastOnce(producer))
                self._watch_health(deps)
                await self._work(deps, toolkit, stop)
            await self._crew.until(toolkit.outbox.flush())
        finally:
            await self._crew.disband()
            if transactions is not None:
                await transactions.close()
            await producer.close()

    @property
    def _transactional(self) -> bool:
        return self._service.exactly_once

    def _owned(self) -> frozenset[TopicPartition]:
        return frozenset[TopicPartition]().union(*(loop.owned for loop in self._loops.values()))

    async def _check_topics(self) -> None:
        """Every consumed topic exists, and the group's topics keyed by team have one partition count."""
        topics = [event.TOPIC for event in self._service.subscriptions]
        counts = await self._broker.partition_counts(topics)
        missing = sorted(set(topics) - set(counts))
        if missing:
            raise BrokerError(f"topics {missing} do not exist")
        by_team = {
            event.TOPIC: counts[event.TOPIC]
            for event, subscription in self._service.subscriptions.items()
            if subscription.read is Read.GROUP and TOPICS[event.TOPIC].key == TEAM_KEY
        }
        if len(set(by_team.values())) > 1:
            raise BrokerError(f"topics keyed by team must have equal partition counts: {by_team}")

    def _make_loops(self, group: Delivery, others: Delivery) -> dict[Read, Loop]:
        by_read: dict[Read, dict[str, Subscription]] = {}
        for event, subscription in self._service.subscriptions.items():
            by_read.setdefault(subscription.read, {})[event.TOPIC] = subscription
        if self._service.ticks and Read.GROUP not in by_read and Read.PINNED not in by_read:
            by_read[Read.GROUP] = {}
        ticking = Read.GROUP if Read.GROUP in by_read else Read.PINNED
        return {
            read: self._loop(
                read,
                subscriptions,
                group if read in (Read.GROUP, Read.PINNED) else others,
                self._service.ticks if read is ticking else (),
            )
            for read, subscriptions in by_read.items()
        }

    def _loop(
        self, read: Read, subscriptions: Mapping[str, Subscription], delivery: Delivery, ticks: Sequence[Tick]
    ) -> Loop:
        group = self._service.name if read is Read.GROUP else f"{self._service.name}.{read.value}"
        reading = Reading(
            read=read,
            topics=tuple(subscriptions),
            group=group,
            ordinal=self._config.ordinal,
            lazy_commit=isinstance(delivery, AtLeastOnce),
        )
        return Loop(
            around=self._around,
            name=read.value,
            consumer=self._broker.consumer(reading),
            delivery=delivery,
            subscriptions=subscriptions,
            ticks=ticks,
            hooks=self._service.hooks if read is Read.GROUP else None,
            longest_poll_seconds=self._longest_poll_seconds,
        )

    def _watch_health(self, deps: Any) -> None:
        whole, loops = self._loops.get(Read.WHOLE), list(self._loops.values())
        self.health.caught_up = lambda: whole is None or whole.caught_up.is_set()
        self.health.joined = lambda: all(loop.joined.is_set() for loop in loops)
        self.health.doubt = lambda: next((loop.doubt for loop in loops if loop.doubt), None)
        self.health.built(deps)

    def _open_for_work(self) -> bool:
        return self.health.caught_up()

    async def _work(self, deps: Any, toolkit: ServiceToolkit, stop: asyncio.Event) -> None:
        servers = await self._start_servers()
        try:
            await self._work_and_drain(deps, toolkit, servers, stop)
        finally:
            await servers.stop()

    async def _work_and_drain(self, deps: Any, toolkit: ServiceToolkit, servers: _Servers, stop: asyncio.Event) -> None:
        running = []
        relays = [self._crew.start(table.run()) for table in toolkit.tables]
        whole = self._loops.get(Read.WHOLE)
        if whole is not None:
            running.append(self._crew.start(whole.run(deps)))
            await self._crew.until(_first(whole.caught_up.wait(), stop.wait()))
        running += [self._crew.start(loop.run(deps)) for loop in self._loops.values() if loop is not whole]
        log.info("working")
        await self._crew.until(stop.wait())
        log.info("draining")
        self.health.draining = True
        if self._service.drain is not None:
            await self._crew.until(self._service.drain(deps))
        await self._crew.until(servers.stop())
        for loop in self._loops.values():
            loop.stop()
        await self._crew.until(_all(running))
        for table in toolkit.tables:
            await self._crew.until(table.drain())
        # Before the service closes the pool that they relay from.
        await self._crew.end(relays)
        await self._crew.until(toolkit.outbox.flush())

    async def _start_servers(self) -> _Servers:
        assert self.requests is not None
        servers, host = _Servers(), self._config.advertised_host
        methods = [r for r in self._service.requests if isinstance(r, GrpcMethod)]
        if methods and self._config.grpc_port is not None:
            servers.grpc, self.grpc_port = await start_grpc(methods, self.requests, host, self._config.grpc_port)
        if self._config.http_port is not None:
            routes = [r for r in self._service.requests if isinstance(r, HttpRoute)]
            told = [r for r in self._service.requests if isinstance(r, SocketRoute)]
            sockets = SocketRoutes(told, lambda: self.requests) if told else None
            app = application(routes, lambda: self.requests, self.health, self.metrics, sockets)
            servers.http = HttpServer(app, host, self._config.http_port, sockets)
            self.http_port = servers.http.port
            servers.http_task = self._crew.start(servers.http.run())
        return servers


class _Servers:
    """The open doors."""

    def __init__(self) -> None:
        self.grpc: Any = None
        self.http: HttpServer | None = None
        self.http_task: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Finishes running requests."""
        if self.grpc is not None:
            await self.grpc.stop(STOP_GRACE_SECONDS)
        if self.http is not None and self.http_task is not None:
            self.http.stop()
            await asyncio.wait({self.http_task})
        self.grpc = self.http = None


class _Crew:
    """Background tasks; the first that fails ends whatever waits."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    async def until(self, work: Awaitable[T]) -> T:
        """Waits for `work`.

        Raises:
            Exception: a background task failed first.
        """
        waited = asyncio.ensure_future(work)
        try:
            while not waited.done():
                running = {task for task in self._tasks if not task.done()}
                await asyncio.wait({waited, *running}, return_when=asyncio.FIRST_COMPLETED)
                self._raise_failure()
        finally:
            if not waited.done():
                waited.cancel()
                await asyncio.wait({waited})
        self._raise_failure()
        return waited.result()

    async def end(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        """Cancels these and waits for them."""
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def disband(self) -> None:
        """Cancels what still runs and waits for it."""
        await self.end(self._tasks)

    def _raise_failure(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    tasks = {asyncio.ensure_future(w) for w in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _all(tasks: Sequence[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)
