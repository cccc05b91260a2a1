"""Kafka from outside: sends what lead-router, pacer and disposition would, and hears the gate's decisions."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from outdial_contracts.base import Event
from outdial_contracts.codec import decode, encode
from outdial_contracts.events import ComplianceBlocked, ComplianceCleared
from outdial_contracts.headers import EventHeaders
from outdial_contracts.topics import TOPICS

SOURCE = "races"
DECISION_SECONDS = 60.0
POLL_SECONDS = 0.1
HEARD: tuple[type[Event], ...] = (ComplianceCleared, ComplianceBlocked)
Decision = ComplianceCleared | ComplianceBlocked


class Undecided(Exception):
    """The gate did not answer an offer in time."""


class Wire:
    """Enter it in the loop whose tasks use it."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._prefix = prefix
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True})
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"races-{uuid.uuid4().hex}",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        self._loop = asyncio.get_running_loop()
        self._decisions: dict[str, asyncio.Future[Decision]] = defaultdict(self._loop.create_future)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hear, name="races-wire", daemon=True)
        self.failures: list[str] = []
        """Records that Kafka did not take."""

    def __enter__(self) -> Wire:
        parts = [
            TopicPartition(self._prefix + kind.TOPIC, number, OFFSET_BEGINNING)
            for kind in HEARD
            for number in range(TOPICS[kind.TOPIC].partitions)
        ]
        self._consumer.assign(parts)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)
        self._producer.flush(30)
        self._consumer.close()

    def send(self, event: Event) -> None:
        """Produces it as its producer would; delivery is reported in `failures` only."""
        topic = TOPICS[event.TOPIC]
        key, partition = topic.key_of(event), topic.partition_of(event)
        headers = EventHeaders(
            id=str(uuid.uuid4()), type=event.TOPIC, source=SOURCE, subject=key, time=datetime.now(UTC)
        ).to_kafka()
        self._producer.produce(
            self._prefix + event.TOPIC,
            value=encode(event),
            key=key,
            partition=-1 if partition is None else partition,
            headers=list(headers),
            on_delivery=self._delivered,
        )

    async def decision(self, attempt_id: str) -> Decision:
        """The gate's answer to an offer. Raises Undecided."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._decisions[attempt_id]), DECISION_SECONDS)
        except TimeoutError:
            raise Undecided(attempt_id) from None

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self.failures.append(str(error))

    def _hear(self) -> None:
        while not self._over.is_set():
            self._producer.poll(0)
            message = self._consumer.poll(POLL_SECONDS)
            if message is None or message.error() is not None:
                continue
            event = decode(message.value() or b"", str(message.topic()).removeprefix(self._prefix))
            if isinstance(event, ComplianceCleared | ComplianceBlocked):
                self._loop.call_soon_threadsafe(self._decided, event)

    def _decided(self, event: Decision) -> None:
        """A repeat says nothing new."""
        waiting = self._decisions[event.attempt_id]
        if not waiting.done():
            waiting.set_result(event)
