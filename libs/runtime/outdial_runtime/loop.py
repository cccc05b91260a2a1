"""The consume loop: poll a batch, handle each message, produce, commit; ticks and rebalances in between.

Theory of operation. One task owns one consumer. Nothing is in flight while it polls: every polled message was either
handled, delivered and committed, or lies in a partition that was paused and sought back (RetryLater). So a rebalance,
which the broker client reports from within a poll, never meets half a batch, hooks see a quiet loop, and ticks never
run beside a handler of the same loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import Span, SpanKind, StatusCode

from outdial_contracts.base import Event
from outdial_contracts.headers import EventHeaders
from outdial_contracts.topics import TOPICS
from outdial_runtime.broker import Batch, CommitRejected, Consumer, Message, Rebalance, TopicPartition
from outdial_runtime.delivery import Delivery, Stages
from outdial_runtime.outcome import DeadLetter, Drop, Outcome, Publish, RetryLater
from outdial_runtime.records import Stamp, attempt_of, dead_record, parse
from outdial_runtime.schedule import LONGEST_POLL_SECONDS, Schedule
from outdial_runtime.service import Batched, PartitionHooks, Received, Subscription, Tick, TickInput
from outdial_runtime.surroundings import Surroundings

MAX_BATCH = 200
DELIVER_AFTER_SECONDS = 0.02
"""A batch that takes longer is delivered in parts, so that its first events do not wait for its last."""
TEAM_KEY = "{team_id}"
log = logging.getLogger(__name__)


class HandlerFault(Exception):
    """A handler raised what it did not declare: a systemic fault. Names the place, never the content."""


class OutcomeCount(Exception):
    """A batch handler did not answer one outcome for each message."""


@dataclass(kw_only=True)
class _Part:
    """Handled, not yet delivered."""

    started: float
    stages: Stages = field(default_factory=Stages)
    firsts: dict[TopicPartition, int] = field(default_factory=dict)
    """Where to go back to when it can't be delivered."""
    offsets: dict[TopicPartition, int] = field(default_factory=dict)


class Loop:
    """One consumer's task."""

    def __init__(
        self,
        *,
        around: Surroundings,
        name: str,
        consumer: Consumer,
        delivery: Delivery,
        subscriptions: Mapping[str, Subscription],
        ticks: Sequence[Tick] = (),
        hooks: PartitionHooks | None = None,
        longest_poll_seconds: float = LONGEST_POLL_SECONDS,
    ) -> None:
        self._around = around
        self._name = name
        self._consumer = consumer
        self._delivery = delivery
        self._subscriptions = subscriptions
        self._schedule = Schedule(ticks, around.clock.monotonic(), longest_poll_seconds)
        self._hooks = hooks
        self._behind: set[TopicPartition] = set()
        self._stopping = False
        self.doubt: str | None = None
        """Why nothing may come out of it any more."""
        self.owned: frozenset[TopicPartition] = frozenset()
        self.joined = asyncio.Event()
        """Set once partitions were assigned, be it none."""
        self.caught_up = asyncio.Event()
        """Set once the end of every partition was seen (WHOLE)."""

    def stop(self) -> None:
        """The task ends after the batch at hand is committed."""
        self._stopping = True
        self._consumer.wake()

    async def run(self, deps: Any) -> None:
        """Until `stop`; closes the consumer.

        Raises:
            HandlerFault: a handler failed; nothing is committed from the message on.
            BrokerError: the broker failed.
        """
        try:
            await self._start()
            while not self._stopping:
                await self._turn(deps)
            await self._rebalance(Rebalance(False, self.owned), deps)
        finally:
            self.doubt = "the loop ends"  # said at once: a broken consumer takes its time to close
            await self._consumer.close()

    async def _start(self) -> None:
        fixed = await self._consumer.start()
        if fixed or not self._subscriptions:
            self.owned, self._behind = fixed, set(fixed)
            self.joined.set()

    async def _turn(self, deps: Any) -> None:
        clock = self._around.clock
        batch = await self._consumer.poll(MAX_BATCH, self._schedule.wait_seconds(clock.monotonic()))
        self.doubt = batch.doubt
        for change in batch.rebalances:
            await self._rebalance(change, deps)
        if batch.messages:
            with self._around.metrics.batch_seconds.labels(self._name).time():
                await self._handle(batch.messages, deps)
        self._note_ends(batch)
        for source in self._schedule.release_due(clock.monotonic()):
            await self._consumer.resume(source)
        for tick in self._schedule.due_ticks(clock.monotonic()):
            await self._tick(tick, deps)

    def _note_ends(self, batch: Batch) -> None:
        self._behind -= {s for s in batch.caught_up if not self._schedule.is_held(s)}
        if not self._behind:
            self.caught_up.set()

    async def _rebalance(self, change: Rebalance, deps: Any) -> None:
        before = self._hooked_partitions()
        if change.assigned:
            self.owned |= change.partitions
        else:
            self.owned -= change.partitions
            self._schedule.forget(change.partitions)
        after = self._hooked_partitions()
        if self._hooks is not None and before - after:
            await self._hooks.on_revoked(before - after, deps)
        if self._hooks is not None and after - before:
            await self._hooks.on_assigned(after - before, deps)
        self.joined.set()

    def _hooked_partitions(self) -> frozenset[int]:
        """State lives with teams where topics are keyed by team, else with every partition."""
        teams = {topic for topic in self._subscriptions if TOPICS[topic].key == TEAM_KEY}
        return frozenset(s.partition for s in self.owned if not teams or s.topic in teams)

    async def _handle(self, messages: Sequence[Message], deps: Any) -> None:
        part = _Part(started=self._around.clock.monotonic())
        done = 0
        while done < len(messages):
            group = self._group(messages, done)
            done += len(group)
            await self._at_once([m for m in group if not self._schedule.is_held(m.source)], part, deps)
            if done == len(messages) or self._around.clock.monotonic() - part.started > DELIVER_AFTER_SECONDS:
                if not await self._deliver(part, messages[done:]):
                    return
                part = _Part(started=self._around.clock.monotonic())

    def _group(self, messages: Sequence[Message], start: int) -> Sequence[Message]:
        """The next messages that may be handled at once: of one topic that allows it, no key twice unless batched."""
        topic, keys = messages[start].topic, {messages[start].key}
        end, batched = start + 1, self._subscriptions[topic].batched
        for message in messages[end : start + (batched.most if batched else self._subscriptions[topic].side_by_side)]:
            if message.topic != topic or (message.key in keys and not batched):
                break
            keys.add(message.key)
            end += 1
        return messages[start:end]

    async def _at_once(self, group: Sequence[Message], part: _Part, deps: Any) -> None:
        for message in group:
            part.firsts.setdefault(message.source, message.offset)
        if len(group) == 1:
            await self._one(group[0], part, deps)
        elif group and (batched := self._subscriptions[group[0].topic].batched):
            await self._batch(group, batched, part, deps)
        else:
            await self._side_by_side(group, part, deps)

    async def _side_by_side(self, group: Sequence[Message], part: _Part, deps: Any) -> None:
        tasks: list[asyncio.Task[None]] = []
        for message in group:
            tasks.append(asyncio.create_task(self._one(message, part, deps, tasks[-1] if tasks else None)))
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    async def _deliver(self, part: _Part, unseen: Sequence[Message]) -> bool:
        """Delivers and commits; when partitions had gone, goes back to what is not done wherever it is still ours."""
        try:
            await self._delivery.deliver(part.stages, part.offsets, self._consumer)
        except CommitRejected:
            self._around.metrics.commits_rejected.labels(self._name).inc()
            for message in unseen:
                if not self._schedule.is_held(message.source):
                    part.firsts.setdefault(message.source, message.offset)
            await self._consumer.rewind(part.firsts)
            return False
        return True

    async def _one(self, message: Message, part: _Part, deps: Any, before: asyncio.Task[None] | None = None) -> None:
        """Handles it; what came of it is collected after `before` is, so that offsets and outcomes keep their order."""
        taken, span = self._take(message)
        with self._around.spans.within(span):
            outcome = taken if not isinstance(taken, Received) else await self._call(message, taken, deps)
            if before is not None:
                await before
            await self._collect(message, taken, outcome, part, span)

    async def _batch(self, group: Sequence[Message], batched: Batched, part: _Part, deps: Any) -> None:
        """One call for all that can be read; a span, an outcome and a place in the order for each."""
        taken = [self._take(message) for message in group]
        received = [one for one, _ in taken if isinstance(one, Received)]
        try:
            outcomes = iter(await self._call_batch(group[0], received, batched, deps))
        except BaseException as error:
            for _, span in taken:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                span.end()
            raise
        for message, (one, span) in zip(group, taken, strict=True):
            with self._around.spans.within(span):
                outcome = next(outcomes) if isinstance(one, Received) else one
                await self._collect(message, one, outcome, part, span)

    def _take(self, message: Message) -> tuple[Received[Any] | DeadLetter | Drop, Span]:
        """What a handler receives, or why none can; and the span of the handling, begun."""
        parsed = parse(message)
        event, headers = parsed if isinstance(parsed, tuple) else (None, None)
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.destination.name": message.topic,
            "messaging.destination.partition.id": str(message.partition),
            "messaging.kafka.offset": message.offset,
        }
        traceparent = headers.traceparent if headers else None
        span = self._around.spans.begin(
            f"{message.topic} process", SpanKind.CONSUMER, traceparent, attempt_of(event), attributes
        )
        if not isinstance(parsed, tuple):
            return parsed, span
        return self._received(message, *parsed), span

    def _received(self, message: Message, event: Event, headers: EventHeaders) -> Received[Any]:
        return Received(
            event=event,
            cause=headers.id,
            time=headers.time,
            now=self._around.clock.now(),
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            raw=message.value or b"",
        )

    async def _call(self, message: Message, received: Received[Any], deps: Any) -> Outcome:
        with _fault_placed(message):
            return await self._subscriptions[message.topic].handler(received, deps)

    async def _call_batch(
        self, first: Message, received: Sequence[Received[Any]], batched: Batched, deps: Any
    ) -> Sequence[Outcome]:
        if not received:
            return ()
        with _fault_placed(first):
            outcomes = await batched.handler(received, deps)
            if len(outcomes) != len(received):
                raise OutcomeCount(f"{len(outcomes)} outcomes of {len(received)} messages")
        return outcomes

    async def _collect(
        self,
        message: Message,
        taken: Received[Any] | DeadLetter | Drop,
        outcome: Outcome,
        part: _Part,
        span: Span,
    ) -> None:
        if self._schedule.is_held(message.source):
            return  # one before it was put off, so this one comes again
        metrics, around = self._around.metrics, self._around
        cause = taken.cause if isinstance(taken, Received) else ""
        reason = getattr(outcome, "reason", "")
        span.set_attribute("outdial.outcome", type(outcome).__name__)
        span.set_attribute("outdial.reason", str(reason))
        metrics.outcomes.labels(message.topic, type(outcome).__name__, str(reason)).inc()
        metrics.lag_seconds.labels(message.topic).set(max(time.time() - message.timestamp_ms / 1000, 0.0))
        match outcome:
            case RetryLater():
                metrics.retries.labels(message.topic, str(reason)).inc()
                self._schedule.hold(message.source, around.clock.monotonic() + outcome.after_seconds)
                await self._consumer.hold(message.source, message.offset)
                return
            case Publish():
                stamp = Stamp(service=around.service, cause=cause, now=around.clock.now(), traces=around.spans)
                part.stages.first += stamp.records(outcome.events)
                part.stages.then += stamp.records(outcome.then)
            case DeadLetter():
                metrics.dead_letters.labels(message.topic, str(reason)).inc()
                part.stages.first.append(dead_record(message, outcome, around.service))
        part.offsets[message.source] = message.offset + 1

    async def _tick(self, tick: Tick, deps: Any) -> None:
        if tick.per_partition_of is None:
            await self._tick_once(tick, None, deps)
            return
        for source in sorted(self.owned):
            if source.topic == tick.per_partition_of.TOPIC:
                await self._tick_once(tick, source.partition, deps)

    async def _tick_once(self, tick: Tick, partition: int | None, deps: Any) -> None:
        now, name = self._around.clock.now(), getattr(tick.handler, "__name__", "tick")
        try:
            outcome = await tick.handler(TickInput(now=now, partition=partition), deps)
        except Exception as error:
            raise HandlerFault(f"{name}: the tick raised {type(error).__name__}") from error
        reason = str(getattr(outcome, "reason", ""))
        self._around.metrics.outcomes.labels(name, type(outcome).__name__, reason).inc()
        if isinstance(outcome, DeadLetter):
            raise HandlerFault(f"{name}: a tick has no message to send to a dead-letter topic")
        if isinstance(outcome, Publish):
            cause = f"tick:{self._around.service}:{name}:{partition}:{now.isoformat()}"
            stamp = Stamp(service=self._around.service, cause=cause, now=now, traces=self._around.spans)
            stages = Stages(first=stamp.records(outcome.events), then=stamp.records(outcome.then))
            if stages:
                await self._delivery.deliver(stages, {}, self._consumer)


@contextmanager
def _fault_placed(message: Message) -> Iterator[None]:
    """What a handler raises is a fault at the message's place, of a batch its first one's."""
    try:
        yield
    except Exception as error:
        place = f"{message.topic}[{message.partition}]@{message.offset}"
        raise HandlerFault(f"{place}: the handler raised {type(error).__name__}") from error
