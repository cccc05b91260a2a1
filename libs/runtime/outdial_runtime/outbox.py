"""The memory outbox: what SIP, media and timers report leaves in order, without anybody waiting for Kafka."""

from __future__ import annotations

import asyncio
from collections import deque

from outdial_runtime.broker import Producer, Record
from outdial_runtime.outcome import Emit
from outdial_runtime.records import Stamp
from outdial_runtime.surroundings import Surroundings

MAX_BATCH = 500


class MemoryOutbox:
    """outdial_runtime.service.Outbox; traces are captured when an event is handed over."""

    def __init__(self, around: Surroundings, producer: Producer) -> None:
        self._around = around
        self._producer = producer
        self._waiting: deque[Record] = deque()
        self._in_flight = 0
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def depth(self) -> int:
        """Events not yet acknowledged."""
        return len(self._waiting) + self._in_flight

    def emit(self, *events: Emit) -> None:
        around = self._around
        stamp = Stamp(service=around.service, cause="", now=around.clock.now(), traces=around.spans)
        self._waiting.extend(stamp.records(events))
        if self._waiting:
            self._empty.clear()
            self._filled.set()

    async def flush(self) -> None:
        await self._empty.wait()

    async def run(self) -> None:
        """Relays until cancelled. Raises BrokerError where Kafka did not take an event."""
        while True:
            await self._filled.wait()
            batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            self._in_flight = len(batch)
            self._around.metrics.outbox_depth.labels("memory").set(self.depth)
            await self._producer.produce(batch)
            self._in_flight = 0
            if not self._waiting:
                self._filled.clear()
                self._empty.set()
