"""A Kafka consumer that one thread polls and the event loop reads.

No call is waited for without a limit: librdkafka's commit, seek, assignment and close take none of their own, and
after a stalled or killed broker one of them may never return.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ConfluentPartition

from outdial_runtime.bounded_calls import BoundedCalls, CallHangs
from outdial_runtime.broker import (
    Batch,
    BrokerError,
    CommitRejected,
    Message,
    Offsets,
    Reading,
    Rebalance,
    TopicPartition,
)
from outdial_runtime.progress import STUCK_SECONDS, Progress, unread
from outdial_runtime.service import Read

T = TypeVar("T")
METADATA_SECONDS = 15.0
END_SECONDS = 1.0
"""What the end of a partition is waited for; the loop stands still meanwhile."""
STATISTICS_MS = 5000
SESSION_TIMEOUT_MS = 6000
LAZY_COMMIT_MS = 200
"""What a crash may repeat more; a commit for every message was a third of all CPU (bench/RESULTS.md)."""
LOST = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError._NO_OFFSET,
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._STATE,
    }
)
"""Errors of a commit that say: the partitions are not ours any more."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a consumer is believed in."""

    call_seconds: float = 30.0
    """For a call on top of its own time-out; longer than a pause of this process that its group forgives."""
    close_seconds: float = 10.0
    stuck_seconds: float = STUCK_SECONDS
    """Without a message while records lie unread."""


LIMITS = Limits()


def common_settings(bootstrap: str) -> dict[str, Any]:
    """librdkafka settings of every client."""
    return {
        "bootstrap.servers": bootstrap,
        "log_level": 2,
        "topic.metadata.refresh.interval.ms": 30000,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        "retry.backoff.ms": 2,
        "retry.backoff.max.ms": 20,
    }


def end_of_partition(raw: Any) -> bool:
    """Whether librdkafka reports the end of a partition; other errors raise.

    Raises:
        BrokerError: the consumer failed.
    """
    error = raw.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise BrokerError(f"consumer: {error.name()}")


def to_message(raw: Any, prefix: str) -> Message:
    """librdkafka's message as ours."""
    return Message(
        topic=raw.topic().removeprefix(prefix),
        partition=raw.partition(),
        offset=raw.offset(),
        timestamp_ms=raw.timestamp()[1],
        key=raw.key(),
        value=raw.value(),
        headers=raw.headers() or (),
    )


class KafkaConsumer:
    """outdial_runtime.broker.Consumer; every call to librdkafka is made in this consumer's own thread."""

    def __init__(self, bootstrap: str, prefix: str, reading: Reading, limits: Limits = LIMITS) -> None:
        self._prefix = prefix
        self._limits = limits
        self._reading = reading
        self._calls = BoundedCalls(f"{reading.group}-{reading.read.value}")
        self._settings = {
            **common_settings(bootstrap),
            "group.id": prefix + reading.group,
            "enable.auto.commit": reading.lazy_commit,
            "auto.commit.interval.ms": LAZY_COMMIT_MS,
            "enable.auto.offset.store": False,
            "enable.partition.eof": reading.read is Read.WHOLE,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "range",
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": 1000,
            "fetch.wait.max.ms": 100,
            "statistics.interval.ms": STATISTICS_MS,
            "stats_cb": self.note_statistics,
        }
        self._client: Any = None
        self._progress = Progress(time.monotonic(), limits.stuck_seconds)
        self._statistics = ""
        self._held: set[TopicPartition] = set()
        self._messages: list[Message] = []
        self._rebalances: list[Rebalance] = []

    async def start(self) -> frozenset[TopicPartition]:
        return await self._in_thread("start", self._start, METADATA_SECONDS)

    async def poll(self, max_messages: int, timeout_seconds: float) -> Batch:
        return await self._in_thread("poll", lambda: self._poll(max_messages, timeout_seconds), timeout_seconds)

    async def commit(self, offsets: Offsets) -> None:
        await self._in_thread("commit", lambda: self._commit(offsets))

    async def hold(self, source: TopicPartition, offset: int) -> None:
        await self._in_thread("hold", lambda: self._hold(source, offset))

    async def resume(self, source: TopicPartition) -> None:
        await self._in_thread("resume", lambda: self._resume(source))

    async def rewind(self, offsets: Offsets) -> None:
        await self._in_thread("rewind", lambda: self._rewind(offsets))

    def wake(self) -> None:
        """Nothing to do: a poll lasts 100 ms at most."""

    async def close(self) -> None:
        """Leaves the group; a client that does not let go is left to end with the process."""
        if self._client is not None:
            try:
                await self._calls.run(lambda: self._client.close(), self._limits.close_seconds)
            except CallHangs:
                log.warning("the consumer of %s does not close, its session ends by time-out", self._reading.group)
        self._calls.close()

    async def group_metadata(self) -> Any:
        """What a transaction needs to commit this consumer's offsets."""
        return await self._in_thread("group metadata", lambda: self._client.consumer_group_metadata())

    def note_statistics(self, statistics: str) -> None:
        """librdkafka's report, as JSON; it comes within a poll."""
        self._statistics = statistics

    def confluent_offsets(self, offsets: Offsets) -> list[Any]:
        """Offsets as librdkafka wants them."""
        return [self._partition(source, offset) for source, offset in offsets.items()]

    async def _in_thread(self, name: str, call: Callable[[], T], seconds: float = 0.0) -> T:
        limit = seconds + self._limits.call_seconds
        try:
            result: T = await self._calls.run(call, limit)
        except CallHangs as error:
            raise BrokerError(f"consumer: {name} hangs for {limit:g} s") from error
        return result

    def _start(self) -> frozenset[TopicPartition]:
        self._client = Consumer(self._settings)
        topics = [self._prefix + t for t in self._reading.topics]
        if not topics:
            return frozenset()
        if self._reading.read is Read.GROUP:
            self._client.subscribe(
                topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )
            return frozenset()
        sources = self._fixed_sources()
        self._client.assign([self._partition(s, o) for s, o in sources.items()])
        return frozenset(sources)

    def _fixed_sources(self) -> dict[TopicPartition, int]:
        known = self._client.list_topics(
            timeout=METADATA_SECONDS
        ).topics  # also spares the first fetch a timer of 0.5 s
        if self._reading.read is Read.PINNED:
            sources = [TopicPartition(t, self._reading.ordinal) for t in self._reading.topics]
            committed = self._client.committed([self._partition(s) for s in sources], timeout=METADATA_SECONDS)
            return {s: c.offset if c.offset >= 0 else OFFSET_BEGINNING for s, c in zip(sources, committed, strict=True)}
        sources = [TopicPartition(t, p) for t in self._reading.topics for p in known[self._prefix + t].partitions]
        if self._reading.read is Read.WHOLE:
            return dict.fromkeys(sources, OFFSET_BEGINNING)
        return {s: self._client.get_watermark_offsets(self._partition(s), timeout=METADATA_SECONDS)[1] for s in sources}

    def _poll(self, max_messages: int, timeout_seconds: float) -> Batch:
        self._messages, self._rebalances = [], []
        ended: set[TopicPartition] = set()
        first = self._client.poll(timeout_seconds)
        if first is not None:
            self._take(first, ended)
            for raw in self._client.consume(max_messages - 1, 0):
                self._take(raw, ended)
        if self._rebalances:
            self._resume_all()
        now = time.monotonic()
        if first is not None or self._rebalances:
            self._progress.moved(now)
        elif self._progress.must_ask(now):
            self._progress.seen(self._unread(), time.monotonic())
        return Batch(
            messages=self._messages,
            rebalances=self._rebalances,
            caught_up=frozenset(ended),
            doubt=self._progress.doubt(now),
        )

    def _unread(self) -> set[str]:
        """Marks for `progress`; none while the broker does not answer."""
        if not self._reading.topics:
            return set()
        if not self._statistics:
            return {"no statistics"}
        try:
            ends = {s: self._end(s) for s in self._sources(self._client.assignment()) - self._held}
            if not ends:
                self._client.list_topics(timeout=END_SECONDS)
        except KafkaException:
            return set()
        topics = {topic: self._prefix + topic for topic in self._reading.topics}
        return unread(json.loads(self._statistics), topics, ends, self._reading.read is Read.GROUP)

    def _end(self, source: TopicPartition) -> int:
        found = self._client.get_watermark_offsets(self._partition(source), timeout=END_SECONDS)
        if found is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return int(found[1])

    def _take(self, raw: Any, ended: set[TopicPartition]) -> None:
        if end_of_partition(raw):
            ended.add(TopicPartition(raw.topic().removeprefix(self._prefix), raw.partition()))
        else:
            self._messages.append(to_message(raw, self._prefix))

    def _commit(self, offsets: Offsets) -> None:
        """Lazily, librdkafka commits what is stored: at its interval, when partitions are revoked, and at the close."""
        positions = self.confluent_offsets(offsets)
        try:
            if self._reading.lazy_commit:
                self._client.store_offsets(offsets=positions)
            else:
                self._client.commit(offsets=positions, asynchronous=False)
        except KafkaException as error:
            code = error.args[0]
            kind = CommitRejected if code.code() in LOST else BrokerError
            raise kind(f"commit of {len(offsets)} partitions: {code.name()}") from error

    def _hold(self, source: TopicPartition, offset: int) -> None:
        try:
            self._client.pause([self._partition(source)])
            self._client.seek(self._partition(source, offset))
        except KafkaException as error:
            raise BrokerError(f"{source.topic}[{source.partition}] seek: {error.args[0].name()}") from error
        self._held.add(source)

    def _resume(self, source: TopicPartition) -> None:
        self._client.resume([self._partition(source)])
        self._held.discard(source)

    def _resume_all(self) -> None:
        """A hold ends with the assignment it was made in; librdkafka keeps a partition paused over a rebalance."""
        assignment = self._client.assignment()
        if assignment:
            self._client.resume(assignment)
        self._held.clear()

    def _rewind(self, offsets: Offsets) -> None:
        owned = {(p.topic, p.partition) for p in self._client.assignment()}
        for source, offset in offsets.items():
            if (self._prefix + source.topic, source.partition) in owned:
                self._client.seek(self._partition(source, offset))

    def _on_assign(self, _client: Any, partitions: list[Any]) -> None:
        self._rebalances.append(Rebalance(True, self._sources(partitions)))

    def _on_revoke(self, _client: Any, partitions: list[Any]) -> None:
        """What was polled before belongs to partitions that are gone, or comes again after the new assignment."""
        self._messages.clear()
        self._rebalances.append(Rebalance(False, self._sources(partitions)))

    def _sources(self, partitions: list[Any]) -> frozenset[TopicPartition]:
        return frozenset(TopicPartition(p.topic.removeprefix(self._prefix), p.partition) for p in partitions)

    def _partition(self, source: TopicPartition, offset: int | None = None) -> Any:
        if offset is None:
            return ConfluentPartition(self._prefix + source.topic, source.partition)
        return ConfluentPartition(self._prefix + source.topic, source.partition, offset)
