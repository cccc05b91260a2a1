"""Every typical example goes through the real handlers of the running services: none stops a service or is dead."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from campaign_run import wait_for
from confluent_kafka import Consumer, Producer, TopicPartition

from outdial_cli.records import TopicReader
from outdial_cli.stack.layout import SERVICES
from outdial_cli.stack.stack import Stack
from outdial_contracts.codec import encode
from outdial_contracts.headers import EventHeaders
from outdial_contracts.topics import TOPICS
from outdial_runtime.service import Read
from outdial_testing.examples import EXAMPLES, load_examples

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
OWN_RECORDS = {"pacing.journal", "compliance.ledger", "team.owner"}
"""Written and read by one service about itself: a stranger's record would be a lie about its owner."""
ORDER = ("campaign.published", "document.published", "lead.submitted", "lead.ready", "compliance.cleared", "call.dial")


def test_typical_examples_run_through_the_real_handlers(stack: Stack) -> None:
    producer = Producer({"bootstrap.servers": stack.bootstrap, "acks": "all", "partitioner": "murmur2_random"})
    topics = [*ORDER, *(t for t in TOPICS if t not in ORDER and t not in OWN_RECORDS)]
    produced: dict[str, tuple[int, int]] = {}
    for name in topics:
        typical = load_examples(name)[_place_of_typical(name)]
        headers = EventHeaders(
            id=f"example-{name}", type=name, source="example", subject="", time=datetime(2026, 11, 17, 15, tzinfo=UTC)
        )
        topic = TOPICS[name]
        partition = topic.partition_of(typical)
        producer.produce(
            stack.topic_prefix + name,
            value=encode(typical),
            key=topic.key_of(typical),
            headers=[(key, value) for key, value in headers.to_kafka()],
            partition=-1 if partition is None else partition,
            on_delivery=lambda error, m, name=name: produced.update({name: (m.partition(), m.offset())}),
        )
        assert producer.flush(10) == 0
    for service in SERVICES:
        wait_for(lambda service=service: not _waiting(stack, service, produced), f"{service} to take all examples", 60)
    dead = TopicReader(stack.bootstrap, stack.topic_prefix).read([f"{name}.dead" for name in topics])
    letters = {topic: [r.headers.get("dead_reason") for r in records] for topic, records in dead.items() if records}
    print(f"dead letters so far: {letters}")
    ours = [r for records in dead.values() for r in records if r.ce_id.startswith("example-")]
    assert ours == []
    for service in SERVICES:
        assert httpx.get(f"{stack.addresses.url(service)}/readyz", timeout=10).status_code == 200, service


def _place_of_typical(topic: str) -> int:
    """Index of typical.json within the sorted files, each of which is one example or an array of them."""
    files = sorted((EXAMPLES / topic).glob("*.json"))
    before = [f for f in files if f.name < "typical.json"]
    return sum(len(load) if isinstance(load := _content(f), list) else 1 for f in before)


def _content(path: Path) -> object:
    return json.loads(path.read_text())


def _waiting(stack: Stack, service: str, produced: Mapping[str, tuple[int, int]]) -> list[str]:
    """GROUP topics of a service whose example, at (partition, offset), it has not committed yet."""
    app = importlib.import_module(f"{service.replace('-', '_')}.app")
    names = [e.TOPIC for e, s in app.SUBSCRIPTIONS.items() if s.read is Read.GROUP and e.TOPIC in produced]
    consumer = Consumer({"bootstrap.servers": stack.bootstrap, "group.id": stack.topic_prefix + service})
    try:
        wanted = [TopicPartition(stack.topic_prefix + name, produced[name][0]) for name in names]
        committed = consumer.committed(wanted, timeout=10) if wanted else []
        return [name for name, at in zip(names, committed, strict=True) if at.offset <= produced[name][1]]
    finally:
        consumer.close()
