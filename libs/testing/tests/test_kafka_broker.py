"""Kafka keeps the contract of brokers, as the memory broker does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from outdial_runtime.kafka import KafkaBroker
from outdial_testing.batch_contract import BatchContract
from outdial_testing.bench import Bench
from outdial_testing.broker_contract import BrokerContract
from outdial_testing.kafka_topics import create_topics


@pytest.mark.stack
class TestKafkaBroker(BrokerContract, BatchContract):
    """Every case, on a real broker."""

    @pytest.fixture
    async def bench(self, kafka_bootstrap: str) -> AsyncIterator[Bench]:
        prefix = await create_topics(kafka_bootstrap, "pacing.demand", "pacing.supply", "stop.changed")
        bench = Bench(KafkaBroker(kafka_bootstrap, prefix))
        yield bench
        await bench.close()
