"""Producers of the memory broker: plain, and with transactions that a younger producer of the same id fences off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from outdial_runtime.broker import Consumer, Fenced, Offsets, Record
from outdial_testing.memory_log import Transaction, TransactionState

if TYPE_CHECKING:
    from outdial_testing.memory_broker import MemoryBroker


class MemoryProducer:
    """outdial_runtime.broker.Producer."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def produce(self, records: Sequence[Record]) -> list[int]:
        await asyncio.sleep(0)
        return self._broker.append(records) if records else []

    async def close(self) -> None:
        """Nothing is open."""


class MemoryTransactions:
    """outdial_runtime.broker.TransactionalProducer."""

    def __init__(self, broker: MemoryBroker, transactional_id: str) -> None:
        self._broker = broker
        self._id = transactional_id
        self._transaction = Transaction(TransactionState.ABORTED)
        self._fenced = False

    async def start(self) -> None:
        self._broker.take_over(self._id, self)

    async def begin(self) -> None:
        self._check()
        self._transaction = Transaction()

    async def produce(self, records: Sequence[Record]) -> list[int]:
        self._check()
        await asyncio.sleep(0)
        return self._broker.append(records, self._transaction) if records else []

    async def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        self._check()
        if offsets:
            await consumer.commit(offsets)
        self._end(TransactionState.COMMITTED)

    async def abort(self) -> None:
        self._check()
        self._end(TransactionState.ABORTED)

    async def close(self) -> None:
        """Leaves an open transaction to its successor, as a killed process does."""

    def fence(self) -> None:
        """A younger producer took over."""
        self._fenced = True
        if self._transaction.state is TransactionState.OPEN:
            self._end(TransactionState.ABORTED)

    def _end(self, state: TransactionState) -> None:
        self._transaction.state = state
        for source, end in self._transaction.ends.items():
            self._broker.arrived(source, end)

    def _check(self) -> None:
        if self._fenced:
            raise Fenced(f"transactional.id {self._id} was taken over")
