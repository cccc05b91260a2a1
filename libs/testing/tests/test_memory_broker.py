"""The memory broker keeps the contract of brokers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from outdial_testing.batch_contract import BatchContract
from outdial_testing.bench import Bench
from outdial_testing.broker_contract import BrokerContract
from outdial_testing.memory_broker import MemoryBroker


class TestMemoryBroker(BrokerContract, BatchContract):
    """Every case, in memory and real time."""

    @pytest.fixture
    async def bench(self) -> AsyncIterator[Bench]:
        bench = Bench(MemoryBroker())
        yield bench
        await bench.close()
