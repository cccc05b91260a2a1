"""Follows the topics while the demo runs: what is open, what is queued, what came of it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from outdial_contracts.codec import CodecError, decode
from outdial_contracts.events import (
    CallDial,
    CallDisposition,
    ClearanceClosed,
    CloseOutcome,
    ComplianceBlocked,
    ComplianceCleared,
    LeadReady,
)

TOPICS = ("lead.ready", "compliance.cleared", "compliance.blocked", "call.dial", "clearance.closed", "call.disposition")
POLL_SECONDS = 0.2


@dataclass(kw_only=True)
class Picture:
    """Attempt ids by where they stand."""

    offered: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    cleared: dict[str, ComplianceCleared] = field(default_factory=dict)
    dialled: set[str] = field(default_factory=set)
    closed: dict[str, CloseOutcome] = field(default_factory=dict)
    disposed: dict[str, str] = field(default_factory=dict)
    """attempt_id -> newest code."""

    @property
    def settled(self) -> bool:
        """Every offer was decided, every cleared one closed, every attempt disposed."""
        decided = self.offered <= self.blocked | set(self.cleared)
        redeemed = {a for a, outcome in self.closed.items() if outcome is CloseOutcome.REDEEMED}
        return decided and set(self.cleared) <= set(self.closed) and redeemed <= set(self.disposed)

    @property
    def codes(self) -> Counter[str]:
        """Dispositions by code."""
        return Counter(self.disposed.values())

    def queued(self) -> list[ComplianceCleared]:
        """Cleared offers that no call.dial names and that are not closed, the newest last."""
        return [c for a, c in self.cleared.items() if a not in self.dialled and a not in self.closed]


class Watch:
    """A thread that reads the path's topics from their beginning."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.picture = Picture()
        self._prefix = prefix
        self._stop = threading.Event()
        self._config = {
            "bootstrap.servers": bootstrap,
            "group.id": "outdial-demo-watch",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 100,
            "log_level": 0,  # a broker that is away is news for nobody here
        }
        self._thread = threading.Thread(target=self._run, name="outdial-demo-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        consumer = Consumer(self._config)
        try:
            metadata = consumer.list_topics(timeout=10).topics
            names = [self._prefix + topic for topic in TOPICS]
            consumer.assign(
                [TopicPartition(name, p, OFFSET_BEGINNING) for name in names for p in metadata[name].partitions]
            )
            while not self._stop.is_set():
                message = consumer.poll(POLL_SECONDS)
                if message is not None and message.error() is None:
                    self._see(str(message.topic()).removeprefix(self._prefix), message.value() or b"")
        finally:
            consumer.close()

    def _see(self, topic: str, value: bytes) -> None:
        try:
            event = decode(value, topic)
        except CodecError:
            return
        see(self.picture, event)


def see(picture: Picture, event: object) -> None:
    """Folds one event into the picture; repeats change nothing."""
    match event:
        case LeadReady():
            picture.offered.add(event.attempt_id)
        case ComplianceBlocked():
            picture.blocked.add(event.attempt_id)
        case ComplianceCleared():
            picture.cleared.setdefault(event.attempt_id, event)
        case CallDial():
            picture.dialled.add(event.attempt_id)
        case ClearanceClosed():
            picture.closed.setdefault(event.attempt_id, event.outcome)
        case CallDisposition():
            picture.disposed[event.attempt_id] = event.code.value
        case _:
            pass
